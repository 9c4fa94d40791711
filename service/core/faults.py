"""What a refusal of an endpoint means: whether to wait, to ask otherwise, to split, or to give up.

Endpoints say the same thing in many shapes: an error object, a string, a list, a `detail`, a flat object, a page of
HTML, with codes that are words, numbers or missing, and some say it under a status of 200. They are read here once.
"""

import re
from collections.abc import Callable, Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Literal, Protocol

from service.core.envelopes import as_count, as_text, at, error_in, read_json
from service.core.errors import (
    CompletionRefused,
    ContextOverflow,
    EndpointError,
    EndpointRejected,
    EndpointThrottled,
    EndpointUnavailable,
)
from service.core.types import Value

FaultKind = Literal[
    "retry",  # ask again, an attempt
    "throttled",  # wait and ask again, no attempt
    "parameter",  # ask without the parameter that is named
    "response_format",  # ask one rung down
    "overflow",  # split the prompt
    "refused",  # a filter declined the prompt
    "credentials",  # the key is wrong or may not
    "model",  # there is no such model
    "final",  # asking again is no use
]

_RETRIED = {408, 409, 429, 500, 502, 503, 504, 529}
_MOST_SHOWN = 200
_MOST_SHOWN_NAME = 64
_MOST_SEARCHED = 4_000
_LONGEST_WAIT_S = 7 * 86_400.0
_FILTERS = {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"}
_FILTERED = re.compile(
    r"content[ _]filter|content management policy|content[ _]policy|input was flagged", re.IGNORECASE
)
_BAD_KEY = re.compile(r"api key not valid|(?:invalid|incorrect) api key|api_key_invalid", re.IGNORECASE)
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|context ?window ?exceeded|maximum context length"
    r"|exceeds? (?:the )?(?:available |model'?s? )?context (?:window|length|limit|size)|longer than the model's context"
    r"|(?:prompt|input) is too long|exceeds the maximum number of tokens|request too large"
    r"|reduce the length of the messages",
    re.IGNORECASE,
)
_WINDOW = re.compile(
    r"(?:maximum context length (?:is|of)|context (?:window|length|size) (?:of|is|\()|tokens >|tokens allowed \()"
    r"\s*\(?(?P<after>\d[\d,]{1,11})|(?P<before>\d[\d,]{1,11}) maximum context length",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model\b.{0,120}?(?:not found|not exist|unknown|not available|not a valid|is not valid)"
    r"|(?:invalid|unknown|no such) model",
    re.IGNORECASE | re.DOTALL,
)
_NO_MODEL_CODES = {"model_not_found", "invalid_model", "unknown_model", "deploymentnotfound"}
_PARAMETER = re.compile(
    r"(?P<response_format>\bresponse[_ ]format\b|\bresponse_schema\b|\bjson[_ ]schema\b|\bjson_object\b"
    r"|\bstructured outputs?\b|\bgrammar\b)"
    r"|(?P<max_completion_tokens>\bmax_completion_tokens\b)|(?P<max_tokens>\bmax_tokens\b)"
    r"|(?P<temperature>\btemperature\b)|(?P<seed>\bseed\b)|(?P<stream_options>\bstream_options\b|\binclude_usage\b)"
    r"|(?P<stream>^stream$|[\"'`]stream[\"'`]|\bstreaming (?:is )?not (?:supported|allowed)\b)"
    r"|(?P<system_role>\bsystem role\b|\bmessages\b.{0,12}\brole\b|\brole\b.{0,40}\b(?:system|developer)\b"
    r"|\b(?:system|developer)\b.{0,40}\broles?\b|\broles must alternate\b|\bonly user and assistant roles\b)",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"\bbearer\s+\S+|\b(?:sk|gsk|xai|nvapi)[-_][\w*.-]{4,}|\b(?:key|pk|rk|hf|r8)[-_](?=[\w*.-]*\d)[\w*.-]{4,}|\bAIza[\w-]{8,}"
    r"|(?<=://)[^/\s@]+@|(?<=api key provided: )\S+|(?<=api[-_]key[:=])\s*\S+|[A-Za-z0-9+/]{32,}=*",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"(?:try again|retry(?:ing)?)\s+(?:in|after)\s+"
    r"(?P<time>(?:\d{1,9}(?:\.\d{1,9})?\s*(?:milliseconds?|ms|minutes?|min|m|hours?|h|seconds?|secs?|s)(?![a-z])\s*)+)",
    re.IGNORECASE,
)
_PART_OF_TIME = re.compile(r"([\d.]+)\s*(ms|mil|m|h|s)", re.IGNORECASE)
_UNITS_S = {"ms": 0.001, "mil": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SECONDS = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*s?\s*", re.ASCII)


class Instant(Protocol):
    """A moment; an aware `datetime` is one."""

    def timestamp(self) -> float:
        """Give the seconds since 1970 in UTC."""
        ...


class Fault(Value, frozen=True, kw_only=True):
    """What an endpoint's refusal means for the one who asked."""

    kind: FaultKind
    message: str
    """What the endpoint said: its codes and at most 200 characters, without anything that looks like a key."""
    wait_s: float | None = None
    """How long it asks to wait, for `retry` and `throttled`."""
    parameter: str | None = None
    """The field of our request at fault: `max_tokens`, `max_completion_tokens`, `temperature`, `seed`, `stream`,
    `stream_options`, `response_format` or `system_role`; another where asking without it is no use."""
    window: int | None = None
    """Of the model in tokens, for `overflow`, where it is said."""


class _Said(Value, frozen=True, kw_only=True):
    """What an endpoint said, whatever the shape."""

    status: int
    """Of the reply, or of the error inside a 2xx."""
    names: tuple[str, ...]
    """Type and code."""
    message: str
    searched: str
    """The message with all that is beside it."""
    parameter: str | None
    window: int | None


def fault(status: int, headers: Mapping[str, str], body: bytes, *, now: Instant | None) -> Fault:
    """Tell what a refusal means: a reply that is not 2xx, or an error object within one that is.

    `now` is what a `retry-after` that is a date is counted from; without it dates are not read.
    """
    said = _read(status, body)
    kind, parameter = _judge(said)
    waits = kind in ("retry", "throttled")
    return Fault(
        kind=kind,
        message=_message(status, said),
        wait_s=_wait_s(headers, said.searched, now) if waits else None,
        parameter=parameter,
        window=said.window if kind == "overflow" else None,
    )


def named_error(fault: Fault) -> EndpointError:
    """Give the error that a refusal ends as, when nothing more is tried."""
    if fault.kind == "overflow":
        return ContextOverflow(f"{fault.message} Split the text into smaller chunks.", window=fault.window)
    if fault.kind == "refused":
        return CompletionRefused(f"{fault.message} This is final for this text.")
    if fault.kind == "throttled":
        return EndpointThrottled(f"{fault.message} Wait, or send less at a time.", wait_s=fault.wait_s or 0.0)
    if fault.kind == "retry":
        return EndpointUnavailable(f"{fault.message} Try again later.")
    advice = {
        "credentials": "Check PRECIS_API_KEY.",
        "model": "Check PRECIS_MODEL against the models that the endpoint lists.",
    }.get(fault.kind, "Asking again is no use: check the endpoint's settings and account.")
    return EndpointRejected(f"{fault.message} {advice}")


def _judge(said: _Said) -> tuple[FaultKind, str | None]:
    """Tell what was said from what it means: the first rule that fits, and the parameter at fault."""
    for rule in _RULES:
        found = rule(said)
        if found is not None:
            return found, None
    asked_otherwise = _parameter(said)
    if asked_otherwise == "response_format":
        return "response_format", asked_otherwise
    if asked_otherwise is not None:
        return "parameter", asked_otherwise
    if said.status == 429:  # noqa: PLR2004 - Too Many Requests
        return "throttled", None
    return ("retry" if said.status in _RETRIED else "final"), said.parameter


def _parameter(said: _Said) -> str | None:
    """Give the field of ours that was refused: as it is named beside the message, or else in it."""
    if said.status in (400, 422):
        for text in (said.parameter, said.searched):
            if text and (named := _PARAMETER.search(text)):
                return named.lastgroup
    named = _PARAMETER.search(said.searched) if said.status == 500 else None  # noqa: PLR2004 - llama-cpp-python's way
    return named.lastgroup if named and named.lastgroup == "response_format" else None


def _without_credit(said: _Said) -> FaultKind | None:
    """Credit is spent: 402, or a 429 that no waiting helps."""
    return "final" if said.status == 402 or "insufficient_quota" in said.searched else None  # noqa: PLR2004


def _filtered(said: _Said) -> FaultKind | None:
    """A filter declined the prompt."""
    by_name = any(name.lower() in _FILTERS for name in said.names)
    return "refused" if by_name or (said.status in (400, 403) and _FILTERED.search(said.searched)) else None


def _without_key(said: _Said) -> FaultKind | None:
    """The key is missing, wrong, or not allowed to."""
    bad = said.status in (401, 403) or (said.status == 400 and _BAD_KEY.search(said.searched))  # noqa: PLR2004
    return "credentials" if bad else None


def _overflowing(said: _Said) -> FaultKind | None:
    """The prompt does not fit."""
    return "overflow" if _OVERFLOW.search(said.searched) else None


def _without_model(said: _Said) -> FaultKind | None:
    """There is no such model; some say so with 400."""
    named = said.parameter == "model" or any(name.lower() in _NO_MODEL_CODES for name in said.names)
    told = said.status in (400, 404) and (named or (not said.parameter and _NO_MODEL.search(said.searched)))
    return "model" if told else None


_RULES: tuple[Callable[[_Said], FaultKind | None], ...] = (
    _without_credit,
    _filtered,
    _without_key,
    _overflowing,
    _without_model,
)


def _read(status: int, body: bytes) -> _Said:
    """Read what was said, in any of the shapes."""
    reply = read_json(body)
    error = error_in(reply)
    error = reply if error is None else error
    inner = at(error, "message") if isinstance(at(error, "message"), dict) else error
    details = at(inner, "detail")
    first = at(details, 0)
    location = at(first, "loc")
    names = tuple(
        text
        for text in (as_text(at(error, "type")) or as_text(at(error, "status")), as_text(at(error, "code")))
        if text
    )
    message = _first_text(
        error, at(error, "message"), at(inner, "message"), details, at(first, "msg"), at(error, "error")
    )
    beside = (at(error, "metadata", "raw"), *(_retry_delays(at(error, "details"))), *names)
    if reply is None and not _is_page(body):
        message = body[:_MOST_SEARCHED].decode("utf-8", "replace")
    elif reply is None:
        message = "an HTML page"
    window = as_count(at(error, "n_ctx"))
    searched = " ".join(
        [message[:_MOST_SEARCHED], *(text[:_MOST_SEARCHED] for text in beside if isinstance(text, str))]
    )
    told = _WINDOW.search(searched)
    if window is None and told:
        window = int((told["after"] or told["before"]).replace(",", ""))
    parameter = as_text(at(error, "param"))
    if parameter is None and isinstance(location, list):
        parameter = ".".join(str(part) for part in location[:8] if part != "body") or None
    return _Said(
        status=_meant_status(status, error, names),
        names=names,
        message=message,
        searched=searched,
        parameter=parameter[:_MOST_SHOWN_NAME] if parameter else None,
        window=window,
    )


def _first_text(*candidates: object) -> str:
    """Give the first of several values that is a text with something in it."""
    return next((text for text in candidates if isinstance(text, str) and text.strip()), "")


def _retry_delays(details: object) -> list[str]:
    """Give the delays that Google's error details hold, as the sentence that others write."""
    found = [at(detail, "retryDelay") for detail in details[:8]] if isinstance(details, list) else []
    return [f"try again in {delay}" for delay in found if isinstance(delay, str)]


def _is_page(body: bytes) -> bool:
    """Tell a page from a plain message."""
    return body.lstrip()[:1] == b"<"


def _meant_status(status: int, error: object, names: tuple[str, ...]) -> int:
    """Give the status that an error means: its own within a 2xx, else that of the reply."""
    if not 200 <= status < 300:  # noqa: PLR2004 - successes
        return status
    code = at(error, "code")
    number = int(code) if isinstance(code, str) and re.fullmatch(r"\d{3}", code, re.ASCII) else as_count(code)
    if number is not None and 400 <= number < 600:  # noqa: PLR2004 - errors
        return number
    words = " ".join(names).lower()
    meanings = {
        "rate_limit": 429,
        "too_many": 429,
        "overloaded": 529,
        "auth": 401,
        "permission": 403,
        "not_found": 404,
        "invalid": 400,
        "bad_request": 400,
        "unsupported": 400,
    }
    return next((meant for word, meant in meanings.items() if word in words), 500)


def _message(status: int, said: _Said) -> str:
    """Say what the endpoint said, without keys and at no length."""
    names = ", ".join(_shown(name, _MOST_SHOWN_NAME) for name in said.names)
    answered = f"The endpoint answered {status}" + (f" ({names})" if names else "")
    shown = _shown(said.message, _MOST_SHOWN)
    if not shown:
        return f"{answered} and said nothing more."
    return f"{answered}: {shown}" + ("" if shown.endswith((".", "!", "?", "…")) else ".")


def _shown(text: str, most: int) -> str:
    r"""Make a foreign text fit to be shown: one line, no keys, nothing unprintable, a bound on its length.

    >>> _shown("Incorrect API key provided: sk-proj-abc*****xyz.\nSee https://x.test", 80)
    'Incorrect API key provided: [removed] See https://x.test'
    """
    line = " ".join(_SECRET.sub("[removed]", text[:_MOST_SEARCHED]).split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= most else line[: most - 1] + "…"


def _wait_s(headers: Mapping[str, str], text: str, now: Instant | None) -> float | None:
    """Give how long an endpoint asks to wait, in the order of how exactly it can be said."""
    named = {name.lower(): value for name, value in headers.items()}
    thousandths = _seconds(named.get("retry-after-ms", ""))
    if thousandths is not None:
        return min(thousandths / 1000, _LONGEST_WAIT_S)
    for name in ("retry-after", "llm_provider-retry-after"):
        value = named.get(name, "")
        found = _seconds(value)
        found = _until(value, now) if found is None and now is not None else found
        if found is not None:
            return min(found, _LONGEST_WAIT_S)
    again = _AGAIN.search(text)
    if again is None:
        return None
    parts = _PART_OF_TIME.findall(again["time"].lower())
    return min(sum(float(number) * _UNITS_S[unit] for number, unit in parts), _LONGEST_WAIT_S)


def _seconds(value: str) -> float | None:
    """Read a number of seconds."""
    found = _SECONDS.fullmatch(value)
    return float(found[1]) if found else None


def _until(value: str, now: Instant) -> float | None:
    """Read an HTTP date (RFC 9110, 5.6.7) as seconds from now; what is past is now."""
    try:
        parsed = parsedate_tz(value)
        if parsed is None:
            return None
        # Without a zone `mktime_tz` would ask this machine for its own; HTTP dates are in UTC.
        moment = mktime_tz((*parsed[:9], parsed[9] or 0))
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return max(0.0, moment - now.timestamp())
