"""Careful reading of replies of which nothing can be taken for granted: any member may be missing or of any type."""

import json
import re

_COMMENTS = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf|:[^\r\n]*(?:[\r\n]|$))*")
_MOST_COUNTED = 10**12


def read_json(data: bytes) -> object:
    r"""Read the JSON of a reply, past blank lines and `:` comments; None where there is none.

    Bytes that are not UTF-8 become U+FFFD, as in a stream. What a model answered inside it is read by `parse_json`,
    which is strict.

    >>> read_json(b': PROCESSING\n\n{"choices": []}')
    {'choices': []}
    """
    begin = _COMMENTS.match(data)
    text = data[begin.end() if begin else 0 :].decode("utf-8", "replace")
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read


def at(value: object, *path: str | int) -> object:
    """Give the member of a JSON value at a path, or None where the path ends early.

    >>> at({"choices": [{"index": 0}]}, "choices", 0, "index"), at([], 0), at("text", "error")
    (0, None, None)
    """
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def as_text(value: object) -> str | None:
    """Give a name or code as text, whether it came as a string or as a number; None for anything else, "" included."""
    if isinstance(value, str):
        return value.strip() or None
    count = as_count(value)
    return None if count is None else str(count)


def as_count(value: object) -> int | None:
    """Give a whole number that something can be counted in, or None.

    >>> as_count(12), as_count(12.0), as_count(-1), as_count(True), as_count("12")
    (12, 12, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_COUNTED:
        return None
    return int(value) if value == int(value) else None


def error_in(reply: object) -> object:
    """Give the error that a reply holds, whatever its status: an object or a text; None where it is no error.

    Errors are under `error`, in an array, in a choice, flat (`object`, `message`), or a `detail`.

    >>> error_in([{"error": {"code": 400}}]), error_in({"error": None, "choices": [{}]})
    ({'code': 400}, None)
    """
    if isinstance(reply, list):
        reply = at(reply, 0)
    if not isinstance(reply, dict):
        return None
    named = reply.get("error") or at(reply, "choices", 0, "error")
    if named:
        return named
    is_flat = reply.get("object") == "error" or (
        "choices" not in reply and (reply.get("detail") or reply.get("message"))
    )
    return reply if is_flat else None
