"""Replies of endpoints, read into a `Completion` or a named error: event streams, whole objects, and what is neither.

A stream is a success when it gave a finish_reason; `[DONE]` is neither needed nor enough, for there are proxies that
forge it. Whether the text is what was asked for is judged later, by `parse_json` and the contract.
"""

import re
from collections.abc import Iterator, Mapping

from service.core.envelopes import as_count, as_text, at, error_in, read_json
from service.core.errors import CompletionCut, EndpointError, MalformedCompletion
from service.core.faults import fault, named_error
from service.core.strict_json import strip_reasoning
from service.core.types import Completion, Finish, TokenCounts

_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "refusal": "refusal",
}
_FIELD = re.compile(rb"(data|event|id|retry|error)(?::[ ]?(.*))?", re.DOTALL)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[a-z_]{1,40}")
_BOM = b"\xef\xbb\xbf"
_LONGEST_MODEL = 100
_NEWLINE = 0x0A


class _Answer:
    """What was gathered of one answer: the first choice's text, how it ended, and what was counted."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reasoned = False
        self.refused = False
        self.finish: str | None = None
        self.model: str | None = None
        self.counts: TokenCounts | None = None

    def add(self, reply: object) -> bool:
        """Take in a whole reply or one chunk of it, and tell whether it held a token."""
        self.model = as_text(at(reply, "model")) or self.model
        self.counts = _counts(at(reply, "usage")) or _counts(at(reply, "x_groq", "usage")) or self.counts
        choice = _first_choice(at(reply, "choices"))
        said = at(choice, "delta")
        if not said and not self.texts:
            # Once there were changes, a whole message would be the same again.
            said = at(choice, "message")
        text = _content(at(said, "content"))
        reasoned = _is_reasoning(said)
        if text:
            self.texts.append(text)
        self.reasoned = self.reasoned or reasoned
        self.refused = self.refused or bool(at(said, "refusal"))
        self.finish = as_text(at(choice, "finish_reason")) or self.finish
        return bool(text) or reasoned

    def completion(self, key: str) -> Completion:
        """Give the answer, or raise what it is in place of one."""
        text = _whole_characters("".join(self.texts))
        finish = _finish(self.finish)
        if self.refused and finish == "stop":
            finish = "refusal"
        _check_not_empty(text, finish, reasoned=self.reasoned)
        model = self.model[:_LONGEST_MODEL] if self.model else None
        return Completion(
            text=text,
            finish=finish,
            model=_SURROGATE.sub("\ufffd", model) if model else None,
            reported=self.counts,
            key=key,
        )


class StreamDecoder:
    r"""Reads a 2xx reply from bytes cut anywhere; how they were cut makes no difference.

    Streams of events, a whole JSON object in place of one, and what is neither are told apart by the first line that
    is neither blank nor a comment. `feed` never raises.

    >>> decoder = StreamDecoder()
    >>> decoder.feed(b': hi\r\n\ndata: {"choices": [{"delta": {"content": "{}"}, "finish_rea')
    >>> decoder.feed(b'son": "stop"}]}\n\n')
    >>> decoder.started, decoder.finish(key="5be1").text
    (True, '{}')
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._skips_newline = False
        self._is_stream: bool | None = None
        self._event = b""
        self._data: list[bytes] = []
        self._answer = _Answer()
        self._chunks = 0
        self._broken = False
        self._started = False
        self._ended = False
        self._error: bytes | None = None

    @property
    def started(self) -> bool:
        """Whether a first token came, of the answer or of reasoning; comments that keep a connection alive are none."""
        return self._started

    @property
    def ended(self) -> bool:
        """Whether nothing that could follow matters: `[DONE]`, an error or a broken part came."""
        return self._ended

    @property
    def error(self) -> bytes | None:
        """The error that came in place of an answer, for `fault(200, headers, error, now=now)`; look after `finish`."""
        return self._error

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._ended:
            return
        self._buffer += data
        if self._is_stream is not False:
            for line in self._lines():
                self._take(line)
        if self._is_stream is None and self._buffer.startswith((b"{", b"[", b"<")):
            self._is_stream = False
        self._started = self._started or self._is_stream is False

    def finish(self, *, key: str) -> Completion:
        """Give the completion after the last byte; called once.

        Raises MalformedCompletion for what is none or was cut, CompletionCut for reasoning without an answer, and
        `named_error` of an error that came in place of an answer.
        """
        last = bytes(self._buffer)
        if self._is_stream is None and not _may_be_event(last):
            self._is_stream = False
        if self._is_stream is False:
            return self._finish_whole(key)
        if not self._ended:
            self._take(last)
        self._dispatch()
        if self._error is not None:
            raise _error_of(self._error)
        if self._answer.finish is None:
            raise self._cut()
        return self._answer.completion(key)

    def _finish_whole(self, key: str) -> Completion:
        """Read a reply that is no stream."""
        body = bytes(self._buffer)
        reply = read_json(body)
        if error_in(reply):
            self._error = body
            raise _error_of(body)
        if isinstance(reply, list):
            reply = at(reply, 0)
        if not isinstance(reply, dict):
            form = "an HTML page" if body.lstrip()[:1] == b"<" else "not a JSON object"
            raise MalformedCompletion(f"The endpoint's reply is {form}. Check that PRECIS_BASE_URL is that of its API.")
        if not at(reply, "choices", 0):
            raise MalformedCompletion("The endpoint's reply holds no choices, so there is no answer in it. Ask again.")
        self._answer.add(reply)
        # A whole reply without a finish_reason was not cut on the way; whether its text is whole is judged later.
        self._answer.finish = self._answer.finish or "stop"
        return self._answer.completion(key)

    def _cut(self) -> MalformedCompletion:
        """Say why a stream is no answer."""
        if self._broken:
            return MalformedCompletion("The endpoint's stream is broken: a part of it is not JSON. Ask again.")
        if self._chunks:
            return MalformedCompletion("The endpoint's stream ended early: no finish_reason came. Ask again.")
        return MalformedCompletion(
            "The endpoint's reply is empty. Some endpoints answer so to a prompt that is over their context window."
        )

    def _lines(self) -> Iterator[bytes]:
        """Take complete lines out of the buffer, as long as it is read by lines; an end of line may come in two."""
        begin = 0
        while self._is_stream is not False and not self._ended:
            if self._skips_newline and len(self._buffer) > begin:
                begin += self._buffer[begin] == _NEWLINE
                self._skips_newline = False
            found = _LINE_END.search(self._buffer, max(begin, self._searched))
            if found is None:
                break
            line = bytes(self._buffer[begin : found.start()])
            self._skips_newline = found[0] == b"\r"
            begin = self._searched = found.end()
            if self._is_stream is None and not _may_be_event(line):
                # It stays where it is, with all that follows.
                begin = found.start() - len(line)
                self._is_stream = False
                break
            yield line
        del self._buffer[:begin]
        self._searched = len(self._buffer)

    def _take(self, line: bytes) -> None:
        """Read one line of a stream."""
        if self._is_stream is None:
            line = line.removeprefix(_BOM)
        field = _FIELD.fullmatch(line)
        if not line.strip():
            self._dispatch()
            self._event = b""
        elif field is not None:
            self._is_stream = True
            self._take_field(field[1], (field[2] or b"").strip())
        elif not line.startswith(b":") and (b"{" in line or b":" not in line):
            # A field of an unknown name may be passed over; a piece of something else may not.
            self._break()

    def _take_field(self, name: bytes, value: bytes) -> None:
        """Read one field of an event; data that reads is taken at once, for not everybody puts blank lines between."""
        if name == b"event":
            self._event = value
        elif name == b"error":
            self._fail(value)
        elif name == b"data" and value == b"[DONE]":
            self._dispatch()
            self._ended = True
        elif name == b"data" and value:
            reply = None if self._data else read_json(value)
            if reply is None:
                self._data.append(value)
            else:
                self._add(reply, value)

    def _dispatch(self) -> None:
        """Read data that came in several lines, now that all are there."""
        if not self._data or self._ended:
            return
        data = b"\n".join(self._data)
        self._data.clear()
        self._add(read_json(data), data)

    def _add(self, reply: object, data: bytes) -> None:
        """Take in one event's data."""
        if error_in(reply):
            self._fail(data)
        elif self._event == b"error":
            self._fail(b'{"error":' + data + b"}")
        elif not isinstance(reply, dict):
            self._break()
        else:
            self._chunks += 1
            self._started = self._answer.add(reply) or self._started

    def _fail(self, error: bytes) -> None:
        """Keep the error that came in place of an answer."""
        self._error = error
        self._ended = True

    def _break(self) -> None:
        """Note that something was lost: what follows cannot mend it."""
        self._broken = True
        self._ended = True


def decode(status: int, headers: Mapping[str, str], body: bytes, *, key: str) -> Completion:
    """Read a whole reply, of any status and shape, into the completion it holds.

    Raises `named_error` for a status that is not 2xx or an error object within one that is, and else what
    `StreamDecoder.finish` raises. `key` is that of the request.
    """
    if not 200 <= status < 300:  # noqa: PLR2004 - successes
        raise named_error(fault(status, headers, body, now=None))
    decoder = StreamDecoder()
    decoder.feed(body)
    return decoder.finish(key=key)


def _error_of(error: bytes) -> EndpointError:
    """Give the error to raise for one that came under a status of 200."""
    return named_error(fault(200, {}, error, now=None))


def _may_be_event(line: bytes) -> bool:
    """Tell whether a line can be one of an event stream; a blank one can."""
    line = line.removeprefix(_BOM)
    return not line.strip() or line.startswith(b":") or _FIELD.fullmatch(line) is not None


def _first_choice(choices: object) -> object:
    """Give the choice with index 0; who asks for one answer takes no other."""
    if not isinstance(choices, list):
        return None
    return next((choice for choice in choices if isinstance(choice, dict) and not choice.get("index")), None)


def _content(content: object) -> str:
    """Give the text of a message, be it one text or a list of parts; parts that are thoughts are left out."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [at(part, "text") for part in content if at(part, "type") in (None, "text", "output_text")]
    return "".join(text for text in texts if isinstance(text, str))


def _is_reasoning(said: object) -> bool:
    """Tell whether a message, or a change to one, holds reasoning."""
    if not isinstance(said, dict):
        return False
    content = said.get("content")
    parts = content if isinstance(content, list) else []
    return bool(said.get("reasoning_content") or said.get("reasoning")) or any(
        at(part, "type") in ("thinking", "reasoning") for part in parts
    )


def _whole_characters(text: str) -> str:
    """Join characters whose halves (surrogates) came in two parts of a stream; refuse a half that stays alone."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if _SURROGATE.search(joined):
        raise MalformedCompletion("The endpoint's answer holds half of a character (a lone surrogate). Ask again.")
    return joined


def _finish(reason: str | None) -> Finish:
    """Give what a finish_reason means; names differ between vendors."""
    named = (reason or "").lower()
    if named in ("tool_calls", "function_call", "tool_use"):
        raise MalformedCompletion("The endpoint answered with a call of a tool, and none was offered. Ask again.")
    if named not in _FINISHES:
        shown = f"{named!r}" if _NAME.fullmatch(named) else "a name that is none"
        raise MalformedCompletion(f"The endpoint's answer ended for a reason that is not known ({shown}). Ask again.")
    return _FINISHES[named]


def _check_not_empty(text: str, finish: Finish, *, reasoned: bool) -> None:
    """Refuse an answer without text, unless something else was the reason for its end."""
    if finish in ("content_filter", "refusal") or strip_reasoning(text).strip():
        return
    if reasoned or text.strip():
        raise CompletionCut("The endpoint's answer is all reasoning. Ask again with a larger max_output_tokens.")
    if finish == "stop":
        raise MalformedCompletion("The endpoint's answer is empty. Ask again.")


def _counts(usage: object) -> TokenCounts | None:
    """Give the token counts that were reported, or None where one of the two is missing and cannot be told."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = as_count(usage.get("prompt_tokens")), as_count(usage.get("completion_tokens"))
    total = as_count(usage.get("total_tokens"))
    if completion is None and prompt is not None and total is not None and total >= prompt:
        completion = total - prompt
    if prompt is None or completion is None:
        return None
    cached = as_count(at(usage, "prompt_tokens_details", "cached_tokens"))
    cached = as_count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached
    return TokenCounts(prompt=prompt, completion=completion, cached=cached or 0)
