"""A small question by which an endpoint shows what it takes, and what was found."""

from service.core.errors import MalformedCompletion
from service.core.types import CompletionRequest, Message, Value
from service.core.wire import Cap, Rung, SystemRole, parse_json

ROUNDS = 5
"""Questions at most: one for every rung of the ladder."""
_MOST_TOKENS = 1_000
"""Room for a model that thinks before it answers."""


class Probe(Value, frozen=True, kw_only=True):
    """What an endpoint was found to be, tried for real."""

    url: str
    models: tuple[str, ...]
    """That it lists; empty where it lists none."""
    model_listed: bool
    model_answered: str | None
    """As the endpoint names it; it may serve another one without a word."""
    rung: Rung
    valid: bool
    """Whether the answer at that rung had the form that was asked for."""
    cap: Cap | None
    system_role: SystemRole
    temperature: bool
    streams: bool
    """Whether the answer came as a stream."""
    usage: bool
    """Whether tokens were reported."""
    context_window: int | None
    round_trip_s: float
    advice: tuple[str, ...]
    """What to do about what is bad."""


def question(repetition: int) -> CompletionRequest:
    """Make a question with a small answer of a known form."""
    return CompletionRequest(
        prompt="",
        stage="map",
        messages=(
            Message(role="system", content="You answer with one JSON object and nothing else."),
            Message(
                role="user",
                content='What is 2 + 2? Answer as JSON of the form {"answer": <integer>}, by this JSON Schema: '
                '{"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"], '
                '"additionalProperties": false}',
            ),
        ),
        schema_name="probe",
        schema={
            "type": "object",
            "properties": {"answer": {"type": "integer"}},
            "required": ["answer"],
            "additionalProperties": False,
        },
        max_output_tokens=_MOST_TOKENS,
        temperature=0.0,
        repetition=repetition,
    )


def fits(text: str) -> bool:
    """Tell whether an answer has the form that was asked for, whatever it says.

    >>> fits('{"answer": 4}'), fits('{"answer": "four"}'), fits("It is 4.")
    (True, False, False)
    """
    try:
        answer = parse_json(text)
    except MalformedCompletion:
        return False
    return isinstance(answer, dict) and set(answer) == {"answer"} and type(answer["answer"]) is int


def advice(probe: Probe, *, model: str) -> tuple[str, ...]:
    """Say what to do about what a probe found."""
    found: list[str] = []
    if not probe.valid:
        found.append(
            f"The answer at {probe.rung} did not have the form that was asked for: summaries may fail. Use a model "
            "that follows instructions, or an endpoint that enforces a JSON Schema."
        )
    elif probe.rung == "prompt":
        found.append("The form of answers is only asked for in the prompt: expect more questions back.")
    if probe.models and not probe.model_listed:
        found.append(f"The endpoint does not list {model!r} (PRECIS_MODEL): check for a slip.")
    if probe.model_answered and probe.model_answered != model:
        found.append(f"It answered as {probe.model_answered!r}, not {model!r}: results record the one that answered.")
    if probe.context_window is None:
        found.append("Its context window is not known: set PRECIS_CONTEXT_WINDOW, so that texts are cut to fit.")
    return tuple(found)
