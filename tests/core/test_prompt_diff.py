"""How two prompt versions differ: part by part, and never more than they do."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.adapters import library
from service.core.prompt_diff import GAP, Line, diff, line_diff
from service.core.prompts import Parameters, Template

RELEASED = library.load(Path(__file__).parents[2] / "prompts").released
ONE, TWO, THREE, FOUR = RELEASED[:4]
LINES = st.lists(st.sampled_from(["a", "b", "c", "", "…", "- d", "{{x}}"]), max_size=30)


def side(lines: tuple[Line, ...], sign: str) -> list[str]:
    """The lines of one side, in order, gaps left out."""
    return [line for mark, line in lines if mark in (" ", sign) and (mark, line) != (" ", GAP)]


def within(part: list[str], whole: list[str]) -> bool:
    """Whether the lines stand in the whole in that order."""
    rest = iter(whole)
    return all(line in rest for line in part)


def test_versions_of_the_project_differ_in_what_they_say_they_do() -> None:
    """news@3 adds a stage to news@2, news@4 changes how news@3 merges: nothing else."""
    assert [(part.stage, part.part) for part in diff(TWO, THREE).parts] == [
        ("conflicts", "system"),
        ("conflicts", "user"),
    ]
    assert [(part.stage, part.part) for part in diff(THREE, FOUR).parts] == [("merge", "user")]
    assert (diff(ONE, TWO).parts[0].part, diff(ONE, TWO).parts[0].lines) == (
        "order",
        (("-", "claim_first"), ("+", "evidence_first")),
    )


def test_a_stage_that_one_of_them_has_is_whole() -> None:
    """All of its lines are added, or all are taken away, and none is a gap."""
    added = next(part for part in diff(TWO, THREE).parts if part.part == "user")
    assert {mark for mark, _ in added.lines} == {"+"}
    assert "\n".join(line for _, line in added.lines) == THREE.stages["conflicts"].user
    assert {mark for part in diff(THREE, TWO).parts for mark, _ in part.lines} == {"-"}


@pytest.mark.parametrize("version", RELEASED)
def test_a_version_does_not_differ_from_itself(version: Any) -> None:
    """There is no part then; nor for another reason, name or number."""
    assert diff(version, version).parts == ()
    front = replace(version.front, version=9, change="other words", parent=None)
    renamed = diff(version, replace(version, front=front))
    assert (renamed.parts, renamed.b, renamed.change) == ((), "news@9", "other words")


def test_parameters_are_compared_one_by_one() -> None:
    """The one that changed stands beside those that did not."""
    front = replace(ONE.front, params=Parameters(max_output_tokens=100, temperature=ONE.front.params.temperature))
    (part,) = diff(ONE, replace(ONE, front=front)).parts
    assert (part.stage, part.part) == ("", "params")
    assert part.lines == (
        ("-", "max_output_tokens: 4000"),
        ("+", "max_output_tokens: 100"),
        (" ", "temperature: 0.0"),
    )


def test_a_dirty_version_is_named_as_one() -> None:
    """So that nobody takes the difference for that of a release."""
    stages = {**FOUR.stages, "map": Template(system="Other.", user=FOUR.stages["map"].user)}
    edited = replace(FOUR, stages=stages, digest="0123456789abcdef", dirty=True)
    found = diff(FOUR, edited)
    assert (found.a, found.b) == ("news@4", "news@4+dirty.01234567")
    assert [(part.stage, part.part) for part in found.parts] == [("map", "system")]


def test_three_lines_around_a_change_are_shown_and_gaps_are_marked() -> None:
    """Before, between and behind."""
    before = [str(number) for number in range(30)]
    after = [*before[:10], "ten", *before[11:20], *before[21:]]
    shown = "".join(f"{mark}{line} " for mark, line in line_diff(before, after)).split()
    assert shown == (
        ["…", "7", "8", "9", "-10", "+ten", "11", "12", "13", "…", "17", "18", "19", "-20", "21", "22", "23", "…"]
    )


@given(LINES, LINES)
def test_what_is_shown_stands_in_the_versions_in_that_order(a: list[str], b: list[str]) -> None:
    """A line that is taken away is in the first, one that is added in the second, one without a sign in both."""
    lines = line_diff(a, b)
    assert within(side(lines, "-"), a)
    assert within(side(lines, "+"), b)
    assert (lines == ()) == (a == b)


@given(LINES, LINES)
def test_with_all_lines_around_the_changes_both_versions_can_be_read_from_a_diff(a: list[str], b: list[str]) -> None:
    """Nothing is lost and nothing is made up; so there is no gap."""
    lines = line_diff(a, b, context=100)
    if a != b:
        assert [line for mark, line in lines if mark != "+"] == a
        assert [line for mark, line in lines if mark != "-"] == b


def test_an_empty_text_has_no_lines_to_take_away() -> None:
    """A stage that was not there is not an empty line."""
    assert line_diff([], ["a", "b"]) == (("+", "a"), ("+", "b"))
    assert line_diff(["a"], []) == (("-", "a"),)
    assert line_diff([], []) == ()
