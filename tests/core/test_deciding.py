"""What is held against a release or a label before it is made."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.core.catalogue import Catalogue
from service.core.deciding import check_label_new, release_notes, same_as
from service.core.errors import InvalidRequest
from service.core.prompts import FrontMatter, Parameters, PromptVersion, Template, digest

LABELS = st.from_regex("[a-z]{4,12}", fullmatch=True)


def version(number: int, *, up: int | None = None, change: str = "", text: str = "") -> PromptVersion:
    """A version whose text and change are its number, unless others are given."""
    front = FrontMatter(
        name="news",
        version=number,
        change=change or f"change {number}",
        output="key-points/1",
        order="claim_first",
        params=Parameters(max_output_tokens=9),
        parent=up,
    )
    stages: Any = {"map": Template(system="s", user=text or str(number))}
    return PromptVersion(front=front, stages=stages, digest=digest(front, stages))


ONE, TWO = version(1), version(2, up=1)
SHOP = Catalogue(released=(ONE, TWO))


def test_a_release_that_follows_the_last_one_needs_no_note() -> None:
    """Its number is the next, its parent is released and says something else."""
    assert release_notes(version(3, up=2), SHOP) == ()
    assert release_notes(version(1), Catalogue()) == ()


@pytest.mark.parametrize(
    ("number", "says"), [(4, "news@3 is skipped: not released."), (9, "news@3 to news@8 are skipped: not released.")]
)
def test_a_skipped_number_is_noted(number: int, says: str) -> None:
    """Readers look for what is not there."""
    assert release_notes(version(number, up=2), SHOP) == (says,)


def test_a_released_version_that_does_not_load_is_not_skipped() -> None:
    """It is there, and broken."""
    assert release_notes(version(4, up=2), replace(SHOP, broken={"news": {3: "released"}})) == ()


def test_a_change_that_repeats_the_parent_s_is_noted() -> None:
    """Word for word, however it is broken into lines; that of another version is not."""
    (note,) = release_notes(version(3, up=2, change="change\n  2 "), SHOP)
    assert "repeats that of its parent news@2 word for word" in note
    assert release_notes(version(3, up=2, change="change 1"), SHOP) == ()


def test_a_parent_that_is_a_draft_is_noted() -> None:
    """It may still change, and then nobody can say what the version was made from."""
    notes = release_notes(version(4, up=3), replace(SHOP, drafts=(version(3, up=2),)))
    assert notes[1:] == ("Its parent news@3 is a draft, and may still change.",)


def test_what_sends_the_same_is_found_by_its_digest() -> None:
    """The lowest number is named, and the version itself is not another one."""
    lock = {str(one.front.version): one.digest for one in (ONE, TWO)}
    assert same_as(version(3, text="1"), lock) == 1
    assert same_as(version(3), lock) is None
    assert same_as(ONE, lock) is None
    assert same_as(version(12, text="1"), {"10": ONE.digest, "9": ONE.digest}) == 9


@given(LABELS, st.data())
def test_one_typo_is_noticed_whatever_it_is(label: str, data: st.DataObject) -> None:
    """A letter too many, too few, another one, or two swapped."""
    at = data.draw(st.integers(0, len(label) - 2))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    typos = [
        label[:at] + letter + label[at:],
        label[:at] + label[at + 1 :],
        label[:at] + letter + label[at + 1 :],
        label[:at] + label[at + 1] + label[at] + label[at + 2 :],
    ]
    for typo in typos:
        if typo != label:
            with pytest.raises(InvalidRequest, match=f"Did you mean {label}"):
                check_label_new(typo, frozenset({label}))


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("production", {"production", "prodution"}),
        ("staging", {"production"}),
        ("candidate-2", {"candidate-1"}),
        ("candidate2", {"candidate"}),
        ("first", set()),
    ],
)
def test_a_label_that_is_there_or_is_another_one_is_taken(label: str, known: set[str]) -> None:
    """One that is there is never a typo of another; labels that are numbered differ in their numbers on purpose."""
    check_label_new(label, frozenset(known))
    with pytest.raises(InvalidRequest, match="Did you mean production or productions"):
        check_label_new("productionx", frozenset({"production", "productions", "staging"}))
