"""The contract key-points/1: schemas that strict endpoints take, and replies that are read or refused."""

import json
from collections.abc import Iterator, Mapping
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import contract
from service.core.contract import ORDERS, REPLIES, Order, schema
from service.core.errors import MalformedCompletion
from service.core.types import Stage

STAGES: tuple[Stage, ...] = get_args(Stage)
POINT: dict[str, object] = {
    "id": 1,
    "claim": "It took 340 days.",
    "importance": "must",
    "kind": "fact",
    "stance": "asserted",
    "polarity": "affirmed",
    "who": None,
    "who_type": "author",
    "via": None,
    "numbers": ["340"],
    "dates": [{"text": "in May", "iso": None, "basis": "relative"}],
    "entities": ["Kelly"],
    "quotes": [{"sentence": 1, "quote": "340 days"}],
}
EXAMPLES: Mapping[Stage, dict[str, object]] = {
    "map": {
        "headline": "A flight",
        "abstract": [{"text": "It took long.", "points": [1]}],
        "points": [POINT],
        "entities": [{"name": "Kelly", "aliases": ["Scott Kelly"], "type": "person"}],
        "caveats": [{"code": "stale", "text": "Old.", "sentence": None}],
        "document_date": None,
    },
    "merge": {
        "points": [{"ids": [1, 2]}],
        "headline": "A flight",
        "abstract": [{"text": "It took long.", "points": [1]}],
    },
    "repair": {"points": [{"id": 1, "action": "withdraw", "quotes": [], "claim": None}]},
    "conflicts": {"conflicts": [{"kind": "number", "a": [1], "b": [2], "note": "340 or 430 days."}]},
}


def nodes(node: object, depth: int = 1) -> Iterator[tuple[dict[str, object], int]]:
    """Every schema in a schema, with its level of nesting."""
    assert isinstance(node, dict)
    yield node, depth
    for option in node.get("anyOf", ()):
        yield from nodes(option, depth)
    for inner in node.get("properties", {}).values():
        yield from nodes(inner, depth + 1)
    if "items" in node:
        yield from nodes(node["items"], depth)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("order", ORDERS)
def test_schemas_keep_to_the_strict_subset(stage: Stage, order: Order) -> None:
    """Every property required, nothing additional, at most five levels, no keyword that strict endpoints refuse."""
    for node, depth in nodes(schema(stage, order)):
        assert depth <= 5
        assert set(node) <= {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf"}
        if node.get("type") == "object":
            properties = node["properties"]
            assert isinstance(properties, dict)
            assert node["required"] == list(properties)
            assert node["additionalProperties"] is False


@pytest.mark.parametrize("stage", STAGES)
def test_orders_differ_in_nothing_but_order(stage: Stage) -> None:
    """Sorted, both schemas are the same; only as they are written they may differ."""
    one, other = (json.dumps(schema(stage, order), sort_keys=True) for order in ORDERS)
    assert json.loads(one.replace('"required"', '"x"')).keys() == json.loads(other.replace('"required"', '"x"')).keys()
    assert sorted(one) == sorted(other)
    assert {order: list(_properties("map", order)) for order in ORDERS}["claim_first"][0] == "headline"


def test_evidence_comes_before_the_claim_or_after_it() -> None:
    """That is what the orders are for."""
    for stage in ("map", "repair"):
        for order, first in (("claim_first", "claim"), ("evidence_first", "quotes")):
            names = list(_point(stage, order))
            assert min(("claim", "quotes"), key=names.index) == first


def _properties(stage: Stage, order: Order) -> dict[str, object]:
    found = schema(stage, order)["properties"]
    assert isinstance(found, dict)
    return found


def _point(stage: str, order: str) -> dict[str, object]:
    one = next(stage_ for stage_ in STAGES if stage_ == stage)
    points = _properties(one, next(order_ for order_ in ORDERS if order_ == order))["points"]
    assert isinstance(points, dict)
    found = points["items"]["properties"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_an_example_of_every_reply_is_read(stage: Stage) -> None:
    """A reply with all its fields is a value of the stage's type, and names exactly the schema's properties."""
    assert isinstance(contract.read(stage, EXAMPLES[stage]), REPLIES[stage])
    assert set(_properties(stage, "claim_first")) == set(EXAMPLES[stage])


@pytest.mark.parametrize("stage", STAGES)
def test_a_reply_without_one_of_its_fields_is_refused(stage: Stage) -> None:
    """Every property is required, and the message names the one that is missing."""
    for name in EXAMPLES[stage]:
        less = {key: value for key, value in EXAMPLES[stage].items() if key != name}
        with pytest.raises(MalformedCompletion, match=rf"key-points/1 \({stage}\).*`{name}`"):
            contract.read(stage, less)


@given(st.text(min_size=1), st.sampled_from(("stance", "kind", "importance", "polarity", "who_type")))
def test_no_error_quotes_a_value(text: str, field: str) -> None:
    """A model may put text of the document anywhere; the message says where, and no more."""
    secret = f"s3cret' - at `{text}' - at `$.x`"
    reply = {**EXAMPLES["map"], "points": [{**POINT, field: secret}]}
    with pytest.raises(MalformedCompletion) as raised:
        contract.read("map", reply)
    assert "s3cret" not in raised.value.detail
    assert f"$.points[0].{field}" in raised.value.detail


@pytest.mark.parametrize("value", [None, [], "s3cret", 5, {"s3cret": 1}, {"points": {"s3cret": 1}}])
def test_what_is_no_reply_is_refused_without_a_word_of_it(value: object) -> None:
    """Whatever came."""
    for stage in STAGES:
        with pytest.raises(MalformedCompletion) as raised:
            contract.read(stage, value)
        assert "s3cret" not in raised.value.detail


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_line_is_no_claim(blank: str) -> None:
    """Claims, quotes and headlines hold something."""
    for reply in ({**EXAMPLES["map"], "points": [{**POINT, "claim": blank}]}, {**EXAMPLES["map"], "headline": blank}):
        with pytest.raises(MalformedCompletion):
            contract.read("map", reply)


def test_a_group_or_side_without_numbers_is_refused() -> None:
    """Nothing is joined out of nothing."""
    with pytest.raises(MalformedCompletion):
        contract.read("merge", {**EXAMPLES["merge"], "points": [{"ids": []}]})
    with pytest.raises(MalformedCompletion):
        contract.read("conflicts", {"conflicts": [{"kind": "number", "a": [], "b": [2], "note": "x"}]})


def test_fields_that_were_not_asked_for_are_passed_over() -> None:
    """An endpoint that ignores the schema may say more than was asked."""
    assert contract.read("repair", {**EXAMPLES["repair"], "thoughts": "hm"}) == contract.read(
        "repair", EXAMPLES["repair"]
    )
