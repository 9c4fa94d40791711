"""Questions to the model: rendered, sent, read by the contract, and asked back once when a reply cannot be used."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from service.core import chunking, contract, prompts
from service.core.errors import MalformedCompletion
from service.core.strict_json import parse_json
from service.core.types import (
    Completion,
    CompletionRequest,
    Length,
    Message,
    Options,
    Stage,
    TokenCounts,
    Usage,
    Value,
)
from service.core.watching import CallAnswered, Seen, Watch, unwatched
from service.drafting.telling import tell

ABSTRACT_WORDS: Mapping[Length, int] = {"brief": 60, "standard": 120, "detailed": 250}
POINTS: Mapping[Length, int] = {"brief": 5, "standard": 10, "detailed": 20}
CHUNK_POINTS = 8
RESERVE_TOKENS = 150
"""Kept free in every prompt: for the question back, and for delimiters, whose tokens vary with their digits."""
_QUESTION_BACK = (
    "That reply cannot be used. {fault} Reply again with one JSON object that fits the schema, and nothing else."
)
_QUESTION_ANEW = (
    "An earlier reply could not be used. {fault} Reply with one JSON object that fits the schema, and nothing else."
)

Result = TypeVar("Result")
Other = TypeVar("Other")


class Model(Value, frozen=True, kw_only=True):
    """A prompt version and the endpoint it is sent to, as drafting sees them."""

    prompt: prompts.PromptVersion
    complete: Callable[[CompletionRequest, int], Awaitable[Completion]]
    """Answers a request whose prompt has so many tokens, by our own count."""
    invalid: Callable[[CompletionRequest], None]
    """Told of every answer that did not have the form that was asked for."""
    count: Callable[[str], int]
    token_ends: chunking.Ends
    chunk_tokens: int
    window: int
    """Tokens of prompt and answer together, the margin for foreign vocabularies taken off."""
    slots: int
    repetition: int = 0
    """Of every request, so that a summary can be had anew."""
    watch: Watch = unwatched
    """Told of what happens."""


class Answer(Value, frozen=True, kw_only=True):
    """What came back of a call, from memory too, and what it took."""

    completion: Completion
    took: TokenCounts
    """As reported; by our own count where nothing is."""


class Calls:
    """Sends requests and keeps count of what came back."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._answers: list[list[Answer]] = []
        self.asked_back = 0

    def tell(self, seen: Seen) -> None:
        """Tell whoever watches."""
        tell(self.model.watch, seen)

    @property
    def done(self) -> tuple[Answer, ...]:
        """What came back, in the order of asking."""
        return tuple(answer for answers in self._answers for answer in answers)

    async def ask(self, stage: Stage, variables: Callable[[], Mapping[str, str]]) -> contract.Reply:
        """The reply of a stage. One that cannot be used is asked back once, with what is wrong with it.

        Args:
            stage: of the prompt version.
            variables: makes what the stage is given; called in a thread, as rendering hundreds of chunks would hold
                up the event loop.

        Raises:
            EndpointError: there is no usable answer.
        """
        answers: list[Answer] = []
        self._answers.append(answers)
        request, counted = await asyncio.to_thread(self._rendered, stage, variables)
        text = await self._complete(request, counted, answers)
        try:
            return contract.read(stage, parse_json(text))
        except MalformedCompletion as error:
            self.model.invalid(request)
            self.asked_back += 1
            again = self._asked_back(request, text, error.detail)
            return contract.read(stage, parse_json(await self._complete(again, self._count(again), answers)))

    def _rendered(self, stage: Stage, variables: Callable[[], Mapping[str, str]]) -> tuple[CompletionRequest, int]:
        """The request, and the tokens of its prompt."""
        front = self.model.prompt.front
        request = CompletionRequest(
            prompt=self.model.prompt.id,
            stage=stage,
            messages=prompts.messages(self.model.prompt, stage, variables()),
            schema_name=f"key_points_{stage}",
            schema=contract.schema(stage, front.order),
            max_output_tokens=front.params.max_output_tokens,
            temperature=front.params.temperature,
            repetition=self.model.repetition,
        )
        return request, self._count(request)

    def _asked_back(self, request: CompletionRequest, reply: str, fault: str) -> CompletionRequest:
        """The request with what is wrong with its reply; without the reply where that is blank or does not fit."""
        back = (
            Message(role="assistant", content=reply),
            Message(role="user", content=_QUESTION_BACK.format(fault=fault)),
        )
        again = msgspec.structs.replace(request, messages=(*request.messages, *back))
        if reply.strip() and self._count(again) + request.max_output_tokens <= self.model.window:
            return again
        # In one message with the question: some servers refuse two of the same role in a row.
        *before, last = request.messages
        asked = msgspec.structs.replace(last, content=f"{last.content}\n\n{_QUESTION_ANEW.format(fault=fault)}")
        return msgspec.structs.replace(request, messages=(*before, asked))

    async def _complete(self, request: CompletionRequest, counted: int, answers: list[Answer]) -> str:
        completion = await self.model.complete(request, counted)
        took = completion.reported or TokenCounts(prompt=counted, completion=self.model.count(completion.text))
        answers.append(Answer(completion=completion, took=took))
        self.tell(CallAnswered(prompt_tokens=took.prompt, completion_tokens=took.completion))
        return completion.text

    def _count(self, request: CompletionRequest) -> int:
        return sum(self.model.count(message.content) for message in request.messages)


def usage(asked: Sequence[Calls]) -> Usage:
    """What was asked, reported and estimated apart."""
    done = [answer for calls in asked for answer in calls.done]
    reported = [answer.took for answer in done if answer.completion.reported is not None]
    estimated = [answer.took for answer in done if answer.completion.reported is None]
    return Usage(
        calls=len(done),
        asked_back=sum(calls.asked_back for calls in asked),
        prompt_tokens=sum(took.prompt for took in reported),
        completion_tokens=sum(took.completion for took in reported),
        cached_tokens=sum(took.cached for took in reported),
        estimated_prompt_tokens=sum(took.prompt for took in estimated),
        estimated_completion_tokens=sum(took.completion for took in estimated),
    )


async def together(waiting: Iterable[Coroutine[object, object, Result]]) -> list[Result]:
    """All results, in order; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in waiting]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def both(one: Coroutine[object, object, Result], other: Coroutine[object, object, Other]) -> tuple[Result, Other]:
    """Both results; the first error ends the other and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return first.result(), second.result()


def room_for(model: Model, stage: Stage, around: Mapping[str, str]) -> int:
    """Tokens that material may have in a prompt of a stage; `around` are the variables with the material left out."""
    taken = sum(model.count(message.content) for message in prompts.messages(model.prompt, stage, around))
    return model.window - model.prompt.front.params.max_output_tokens - RESERVE_TOKENS - taken


def request_line(options: Options, *, points: int) -> str:
    """What the caller wants, in a few sentences for the model."""
    words = options.max_words or ABSTRACT_WORDS[options.length]
    wanted = [f"Give about {points} key points and an abstract of at most {words} words."]
    if options.focus:
        wanted.append(f"The reader is most interested in: {prompts.clean(options.focus)}.")
    language = f"in the language with the code {options.language}" if options.language else "in the document's language"
    wanted.append(f"Write {language}; quotes stay as they are.")
    return " ".join(wanted)
