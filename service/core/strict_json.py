"""Strict JSON out of a model's answer: exactly one object, read as it stands or refused with its place.

Python's reader takes NaN, repeated keys and lone surrogates; each of them makes a value that is not what was written,
or that nothing downstream can store. Nothing is mended here.
"""

import json
import re
from collections.abc import Iterator

from service.core.errors import MalformedCompletion

_BOM = "\ufeff"
_MOST_DIGITS = 300
_DEEPEST = 100
"""Far more than any answer has, and far less than what ends a recursive reader of the value."""
_THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL | re.IGNORECASE)
_UNENDED_THOUGHT = re.compile(r"\s*<think>", re.IGNORECASE)
_THOUGHT_END = re.compile(r"</think>\s*", re.IGNORECASE)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|-?[A-Za-z]+|[{}\[\],:]', re.DOTALL)
_COLON = re.compile(r"\s*:")
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPEATED = "the object names a key twice"
_NO_NUMBER = "NaN and infinity are not JSON"
_TOO_LARGE = "a number is too large"
_LONE_SURROGATE = "a string holds half of a character (a lone surrogate)"
_TOO_DEEP = f"it is nested deeper than {_DEEPEST} levels"


class _Refused(Exception):
    """Python's reader would take it, and this one does not."""


def parse_json(text: str) -> object:
    r"""Read the one JSON object of an answer; prose, fences and `<think>` blocks around it are passed over.

    Raises MalformedCompletion, with the line and column in the answer, for no object or several, a cut or broken one,
    a piece of a list, NaN, infinity (1e999 too), numbers of hundreds of digits, repeated keys, lone surrogates and
    deep nesting. The message never holds text of the answer. `count_replacements` tells whether characters were lost.

    >>> parse_json('Sure:\n```json\n{"points": []}\n```')
    {'points': []}
    >>> parse_json('{"a": 1,\n "a": 2}')
    Traceback (most recent call last):
    service.core.errors.MalformedCompletion: The answer is not usable JSON: the object names a key twice (line 2, ...
    """
    start = _object_start(text)
    try:
        value, end = _READER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        # What follows a colon in the reader's messages may quote the text.
        raise _malformed(error.msg.split(":")[0].lower(), text, error.pos) from None
    except _Refused:
        reason, position = _first_flaw(text, start)
        raise _malformed(reason, text, position) from None
    except RecursionError:
        raise _malformed(_TOO_DEEP, text, start) from None
    _check_after(text, end)
    _check_strings(value, text, start)
    return value


def strip_reasoning(text: str) -> str:
    """Give an answer without its `<think>` blocks, or without what is before a lone `</think>`.

    An answer that begins with a brace is left alone: its strings may speak of such tags. A block without an end leaves
    nothing.

    >>> strip_reasoning("<think>hm</think> {}"), strip_reasoning("hm </think>{}"), strip_reasoning("<think>hm")
    ('{}', '{}', '')
    """
    if text.startswith("{", _skip_blank(text)):
        return text
    return text[_reasoning_end(text) :]


def count_replacements(value: object) -> int:
    """Count the characters of a JSON value that were lost on the way and replaced by U+FFFD.

    >>> count_replacements({"who": ["Zo\ufffd"]})
    1
    """
    return sum(string.count("\ufffd") for string, _ in _strings(value))


def _object_start(text: str) -> int:
    """Find the brace that opens the answer's object."""
    begin = _skip_blank(text)
    if not text.startswith("{", begin):
        begin = _reasoning_end(text)
    start = text.find("{", begin)
    if start < 0:
        raise _malformed("it holds no object", text, begin)
    before = text[begin:start].strip()
    if before.startswith("[") or before.endswith("["):
        raise _malformed("it is a list, and one object was asked for", text, begin)
    return start


def _reasoning_end(text: str) -> int:
    """Give where the answer begins: past leading thoughts, else past a lone end of one, else past BOM and blanks."""
    begin = end = _skip_blank(text)
    while thought := _THOUGHT.match(text, end):
        end = thought.end()
    if _UNENDED_THOUGHT.match(text, end):
        return len(text)
    lone = _THOUGHT_END.search(text, end) if end == begin else None
    if lone is None or _inside_object(text, end, lone.start()):
        return end
    return lone.end()


def _inside_object(text: str, begin: int, position: int) -> bool:
    """Tell whether a place is inside the first object: a tag there is a quotation, not the end of a thought."""
    start = text.find("{", begin, position)
    if start < 0:
        return False
    try:
        _, end = _READER.raw_decode(text, start)
    except (_Refused, ValueError, RecursionError):
        return False
    return end > position


def _skip_blank(text: str) -> int:
    """Give where a text begins, past a BOM and blanks."""
    return len(text) - len(text.lstrip(_BOM + " \t\r\n"))


def _integer(digits: str) -> int:
    """Read a whole number of a size that something is counted in."""
    if len(digits) > _MOST_DIGITS:
        raise _Refused
    return int(digits)


def _fraction(digits: str) -> float:
    """Read a number that is finite."""
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Refused
    return number


def _constant(_name: str) -> object:
    """Refuse what Python's reader takes beside JSON: NaN and the infinities."""
    raise _Refused


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object whose keys differ."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Refused
    return made


_READER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)


def _check_after(text: str, end: int) -> None:
    """Refuse a second object, and an object that something larger was cut around."""
    rest = text[end:].lstrip()
    if rest.startswith(("]", "}", ",", ":")):
        raise _malformed("the object is a piece of something larger", text, end)
    second = text.find("{", end)
    if second >= 0:
        raise _malformed("there is more than one object", text, second)


def _check_strings(value: object, text: str, start: int) -> None:
    """Refuse halves of characters, and depths that a later reader would not survive."""
    for string, depth in _strings(value):
        if depth > _DEEPEST:
            raise _malformed(_TOO_DEEP, text, start)
        # The stricter test only where it is needed: `isascii` is constant time.
        if not string.isascii() and _SURROGATE.search(string):
            raise _malformed(_LONE_SURROGATE, text, _first_flaw(text, start)[1])


def _strings(value: object) -> Iterator[tuple[str, int]]:
    """Give every string of a JSON value with its depth, keys included, and an empty one for every empty nest."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str):
            yield item, depth
        elif isinstance(item, dict):
            yield "", depth
            waiting.extend((inner, depth + 1) for pair in item.items() for inner in pair)
        elif isinstance(item, list):
            yield "", depth
            waiting.extend((inner, depth + 1) for inner in item)


def _first_flaw(text: str, start: int) -> tuple[str, int]:
    """Find what was refused in an object whose form is right, by reading its tokens once more."""
    keys: list[set[str]] = []
    last = start
    for token in _TOKEN.finditer(text, start):
        found, last = token[0], token.start()
        if found in "{[":
            keys.append(set())
        elif found in "}]":
            keys.pop()
        elif found[0] == '"':
            string: str = json.loads(found, strict=False)
            if _SURROGATE.search(string):
                return _LONE_SURROGATE, last
            if _COLON.match(text, token.end()):
                if string in keys[-1]:
                    return _REPEATED, last
                keys[-1].add(string)
        elif flaw := _number_flaw(found):
            return flaw, last
        if not keys:
            break
    return "it does not read as JSON", last


def _number_flaw(found: str) -> str | None:
    """Say what is wrong with a bare word or number of a text whose form is right."""
    if found.lstrip("-") in ("NaN", "Infinity"):
        return _NO_NUMBER
    if found[-1].isdigit() and (len(found) > _MOST_DIGITS or abs(float(found)) == float("inf")):
        return _TOO_LARGE
    return None


def _malformed(reason: str, text: str, position: int) -> MalformedCompletion:
    """Say what is wrong with an answer and where, without a word of it."""
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return MalformedCompletion(f"The answer is not usable JSON: {reason} (line {line}, column {column}).")
