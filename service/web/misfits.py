"""What is wrong with a field of a request, in plain words: what msgspec finds, and what would have fitted."""

import difflib
import re
from typing import get_args

import msgspec
from msgspec import inspect

from service.adapters.store import Status
from service.core.errors import FieldError, InvalidRequest
from service.core.types import Length, Plan
from service.web.shapes import DocumentId, Label, Language

SHOWN = 200
"""Characters of what a caller sent that a message repeats."""

_PATTERNS = {
    get_args(Language)[1].pattern: "two or three small letters, such as en",
    get_args(Label)[1].pattern: "{text}, none of them NUL",
    get_args(DocumentId)[1].pattern: "1 to 200 characters, none of them white space, /, ? or #, and not only dots",
}
_IN_ORDER = {tuple(sorted(get_args(closed))): get_args(closed) for closed in (Length, Plan, Status)}
"""What msgspec sorts, in the order that says something."""
_GOT = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number with a fraction",
    "int": "a number",
    "null": "null",
    "object": "an object",
    "str": "a text",
}


def misfit(message: str, struct: type[msgspec.Struct], *, query: bool = False) -> InvalidRequest:
    """The error for what msgspec found wrong, with a pointer to it and what the field takes.

    An unknown field gets the nearest known one. In a query the pointer is the name of the parameter.
    """
    # the last one, since a name that the caller chose stands before it
    what, at, where = message.rpartition(" - at `$")
    what = what if at else message
    where = where if at else ""
    pointer = re.sub(r"\[(\d+|\.\.\.)\]", r"/\1", where.rstrip("`")).replace(".", "/")
    kind = _kind_at(struct, pointer)
    pointer = pointer.removeprefix("/") if query else pointer
    unknown = re.search(r"unknown field `(.*)`", what, re.DOTALL)
    if unknown:
        known = [field.encode_name for field in kind.fields] if isinstance(kind, inspect.StructType) else []
        return _unknown(cut(unknown[1]), known, pointer, query=query)
    detail = cut(_fault(what, pointer, kind, query=query))
    return InvalidRequest(f"A field does not fit: {detail}.", errors=(FieldError(pointer, detail),))


def cut(text: str) -> str:
    """As much of what a caller sent as a message repeats."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def escaped(name: str) -> str:
    """A name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _unknown(name: str, known: list[str], pointer: str, *, query: bool) -> InvalidRequest:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}."
    pointer = name if query else f"{pointer}/{escaped(name)}"
    return InvalidRequest(f"There is no field `{name}`; {advice}", errors=(FieldError(pointer, advice),))


def _fault(what: str, pointer: str, kind: inspect.Type | None, *, query: bool) -> str:
    """What the field takes, and what came instead where that is of another sort."""
    if missing := re.search(r"missing required field `(\w+)`", what):
        return f"`{missing[1]}` is missing"
    takes = _takes(kind) if kind else None
    if takes is None:
        return what[:1].lower() + what[1:]
    *above, name = [part for part in pointer.split("/") if part] or ["the body"]
    subject = f"each of `{above[-1]}`" if above and re.fullmatch(r"\d+|\.\.\.", name) else f"`{name}`"
    got = re.search(r"got `(\w+)`", what)
    instead = f", not {_GOT[got[1]]}" if got and got[1] in _GOT and not query else ""
    return f"{'the body' if name == 'the body' else subject} is {takes}{instead}"


def _kind_at(struct: type[msgspec.Struct], pointer: str) -> inspect.Type | None:
    """The type at a pointer; None where there is none."""
    kind = _bare(inspect.type_info(struct))
    for part in pointer.split("/")[1:]:
        if isinstance(kind, inspect.StructType):
            inner = next((field.type for field in kind.fields if field.encode_name == part), None)
        else:
            inner = kind.item_type if isinstance(kind, inspect.VarTupleType) else None
        if inner is None:
            return None
        kind = _bare(inner)
    return kind


def _bare(kind: inspect.Type) -> inspect.Type:
    """A type without its description and without null."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _bare(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    return kind


def _takes(kind: inspect.Type) -> str | None:
    """What fits a type."""
    takes = None
    match kind:
        case inspect.LiteralType(values=values):
            words = ", ".join(str(value) for value in _IN_ORDER.get(values, values))
            takes = f"one of {words}" if len(values) > 1 else f"{words}, or left out"
        case inspect.IntType(ge=least, le=most):
            takes = f"a whole number{_range(least, most)}"
        case inspect.FloatType(ge=least, le=most):
            takes = f"a number{_range(least, most)}"
        case inspect.BoolType():
            takes = "true or false"
        case inspect.StrType(min_length=least, max_length=most, pattern=pattern):
            takes = _PATTERNS.get(pattern, "{text}").format(text=_text(least, most))
        case inspect.VarTupleType(min_length=least):
            takes = "a list of at least one" if least else "a list"
        case inspect.StructType(fields=fields):
            takes = f"an object with {', '.join(field.name for field in fields)}"
    return takes


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return ""
    return f" from {least:g} up" if most is None else f" from {least:,} to {most:,}"


def _text(least: int | None, most: int | None) -> str:
    if most is None:
        return "a text"
    return f"a text of {least} to {most:,} characters" if least else f"a text of at most {most:,} characters"
