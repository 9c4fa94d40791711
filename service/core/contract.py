"""The contract `key-points/1`: what a model replies at each stage, and the strict JSON Schema that asks for it.

Fields and types are fixed; the order of properties belongs to the prompt version, because strict endpoints write in
that order. Schemas keep to the subset that strict endpoints take: every property required, nullable in place of
optional, no additional properties, no `oneOf`, no `default`, no `$ref`, at most five levels.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from service.core.errors import MalformedCompletion
from service.core.types import (
    ConflictKind,
    DateBasis,
    EntityType,
    Importance,
    Kind,
    Polarity,
    SpeakerType,
    Stage,
    Stance,
    Value,
)

NAME = "key-points/1"
MAX_OUTPUT_TOKENS = 4_000

Order = Literal["claim_first", "evidence_first"]
ORDERS: tuple[Order, ...] = get_args(Order)
RepairAction = Literal["requote", "reword", "withdraw"]

# As `repr` writes it: in double quotation marks where it holds a single one.
_QUOTED = re.compile(r""" (['"]).*\1(?= - at `|$)""", re.DOTALL)

Line = Annotated[str, Meta(pattern=r"\S")]
Said = Annotated[str, Meta(pattern=r"[^\W_]", max_length=2_000)]
"""What a reader is shown as the model's own words: some of them, and no article."""
Who = Annotated[str, Meta(max_length=500)]
Reworded = Annotated[str, Meta(max_length=2_000)]
Json = dict[str, object]


class QuoteReply(Value, frozen=True, kw_only=True):
    """Words copied from a numbered sentence."""

    sentence: int
    quote: Line


class DateReply(Value, frozen=True, kw_only=True):
    """A date of a point."""

    text: Line
    iso: str | None
    basis: DateBasis


class PointReply(Value, frozen=True, kw_only=True):
    """One claim with its evidence."""

    id: int
    quotes: tuple[QuoteReply, ...]
    who: Who | None
    who_type: SpeakerType
    via: Who | None
    stance: Stance
    polarity: Polarity
    claim: Said
    importance: Importance
    kind: Kind
    numbers: tuple[str, ...]
    dates: tuple[DateReply, ...]
    entities: tuple[str, ...]


class LineReply(Value, frozen=True, kw_only=True):
    """A sentence of the abstract, and the points that carry it."""

    text: Said
    points: tuple[int, ...]


class EntityReply(Value, frozen=True, kw_only=True):
    """A name with its other forms."""

    name: Line
    aliases: tuple[str, ...]
    type: EntityType


class CaveatReply(Value, frozen=True, kw_only=True):
    """What a reader should know, and the sentence that shows it."""

    code: Literal["undated", "stale", "hedged", "missing", "instructions"]
    text: Said
    sentence: int | None


class MapReply(Value, frozen=True, kw_only=True):
    """What a chunk holds."""

    points: tuple[PointReply, ...]
    entities: tuple[EntityReply, ...]
    caveats: tuple[CaveatReply, ...]
    document_date: DateReply | None
    headline: Said
    abstract: tuple[LineReply, ...]


class GroupReply(Value, frozen=True, kw_only=True):
    """Points that say the same; the first gives the words."""

    ids: Annotated[tuple[int, ...], Meta(min_length=1)]


class MergeReply(Value, frozen=True, kw_only=True):
    """Which points to keep, joined and in order, with a headline and an abstract over them."""

    points: tuple[GroupReply, ...]
    headline: Said
    abstract: tuple[LineReply, ...]


class MendedReply(Value, frozen=True, kw_only=True):
    """What to do with a point that did not stand up to its evidence."""

    id: int
    action: RepairAction
    quotes: tuple[QuoteReply, ...]
    claim: Reworded | None


class RepairReply(Value, frozen=True, kw_only=True):
    """The points of a repair call, each dealt with."""

    points: tuple[MendedReply, ...]


class ConflictReply(Value, frozen=True, kw_only=True):
    """Two sides that cannot both hold, each by the points that state it."""

    kind: ConflictKind
    a: Annotated[tuple[int, ...], Meta(min_length=1)]
    b: Annotated[tuple[int, ...], Meta(min_length=1)]
    note: Said


class ConflictsReply(Value, frozen=True, kw_only=True):
    """The conflicts found; none is an answer."""

    conflicts: tuple[ConflictReply, ...]


Reply = MapReply | MergeReply | RepairReply | ConflictsReply
REPLIES: Mapping[Stage, type[Reply]] = {
    "map": MapReply,
    "merge": MergeReply,
    "repair": RepairReply,
    "conflicts": ConflictsReply,
}

_CLAIM_FIRST: Mapping[str, tuple[str, ...]] = {
    "MapReply": ("headline", "abstract", "points", "entities", "caveats", "document_date"),
    "MergeReply": ("headline", "abstract", "points"),
    "PointReply": (
        "id",
        "claim",
        "importance",
        "kind",
        "stance",
        "polarity",
        "who",
        "who_type",
        "via",
        "numbers",
        "dates",
        "entities",
        "quotes",
    ),
    "MendedReply": ("id", "action", "claim", "quotes"),
    "ConflictReply": ("kind", "note", "a", "b"),
}
"""Where it differs from the order of the structs, which is evidence first."""


@cache
def schema(stage: Stage, order: Order) -> Json:
    """The strict JSON Schema of a stage's reply, its properties in the order that the prompt version wants.

    >>> list(schema("repair", "evidence_first")["properties"]["points"]["items"]["properties"])
    ['id', 'action', 'quotes', 'claim']
    """
    (root,), components = msgspec.json.schema_components((REPLIES[stage],), ref_template="{name}")
    return _strict(root, components, order)


def read(stage: Stage, value: object) -> Reply:
    """The reply of a stage from parsed JSON.

    Raises:
        MalformedCompletion: it does not fit the contract; the detail says where, and quotes nothing.
    """
    try:
        return msgspec.convert(value, REPLIES[stage])
    except msgspec.ValidationError as error:
        # msgspec quotes a value that is none of an enumeration, and that may be text of the document
        detail = _QUOTED.sub("", str(error))
        raise MalformedCompletion(f"The reply does not fit {NAME} ({stage}): {detail}.") from None


def _strict(node: Json, components: Mapping[str, Json], order: Order) -> Json:
    """A schema without references and with nothing that a strict endpoint refuses."""
    if "$ref" in node:
        name = str(node["$ref"])
        return _object(name, components[name], components, order)
    if "anyOf" in node:
        options = node["anyOf"]
        assert isinstance(options, list)  # noqa: S101 - for mypy: JSON Schema says so
        return {"anyOf": [_strict(option, components, order) for option in options]}
    if "enum" in node:
        return {"type": "string", "enum": node["enum"]}
    if node.get("type") == "array":
        items = node["items"]
        assert isinstance(items, dict)  # noqa: S101 - as above
        return {"type": "array", "items": _strict(items, components, order)}
    return {"type": node["type"]}


def _object(name: str, node: Json, components: Mapping[str, Json], order: Order) -> Json:
    properties = node["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - as above
    names = _CLAIM_FIRST.get(name, tuple(properties)) if order == "claim_first" else tuple(properties)
    return {
        "type": "object",
        "properties": {field: _strict(properties[field], components, order) for field in names},
        "required": list(names),
        "additionalProperties": False,
    }
