"""Names in claims, and when one stands in the place of another."""

import pytest
from making import point, summary
from msgspec.structs import replace

from service.core.called import Known, Naming, called, differing, known
from service.core.lexicon import tokenise
from service.core.types import Entity, EntityType

SOURCE = "The council closed the bridge. Insiders said little."


def entity(name: str, *aliases: str, kind: EntityType = "person", split: tuple[str, ...] = ()) -> Entity:
    """An entity of a summary."""
    return Entity(id="e1", name=name, aliases=aliases, type=kind, name_conflict=split, mentions=())


def names_known(*entities: Entity, texts: tuple[str, ...] = ()) -> Known:
    """What a summary with these entities and claims knows."""
    points = (point(f"k{n}", text, "The council", source=SOURCE) for n, text in enumerate(texts))
    return known([replace(summary(*points, source=SOURCE), entities=entities)])


def differ(
    a: str, b: str, *entities: Entity, quotes: tuple[str, str] = ("", ""), alike: bool = False
) -> list[tuple[str, str]]:
    """The names that differ between two claims, as they are written."""
    about = names_known(*entities)
    one, other = (
        Naming(names=called(text, about), tokens=tokenise(text), quotes=quote)
        for text, quote in zip((a, b), quotes, strict=True)
    )
    there = [(x.shown, y.shown) for x, y in differing(one, other, about, alike=alike)]
    assert {(y.shown, x.shown) for x, y in differing(other, one, about, alike=alike)} == set(there)
    return there


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Kelly flew with Scott Hansen.", ["Kelly", "Scott Hansen"]),
        ("According to Deadline, it is late.", ["Deadline"]),
        ("Elon Musk’s SpaceX launched it.", ["Elon Musk", "SpaceX"]),
        ("Deadline reporter Mike Fleming Jr. said so.", ["Deadline", "Mike Fleming Jr"]),
        ("J. R. Smith left.", ["J. R. Smith"]),
        ("Skeptics question it. Filming is late. Following that, nothing was said.", []),
        ("Two of them left on Monday, 5 May. I saw it.", []),
        ("The council met.", []),
        ("", []),
        ("🚀 — ’s", []),
    ],
)
def test_names_are_words_with_capitals_that_only_names_have(text: str, names: list[str]) -> None:
    """At the start of a sentence, words that are no names by their shape or use are left out."""
    assert [name.shown for name in called(text, names_known())] == names


def test_how_a_word_is_written_elsewhere_tells_whether_it_is_a_name() -> None:
    """Where it begins a sentence: “Boeing” is one if it has a capital within another sentence, too."""
    assert called("Boeing built it.", names_known()) == ()
    assert [name.shown for name in called("Boeing built it.", names_known(texts=("It is by Boeing.",)))] == ["Boeing"]
    assert called("Council met.", names_known(texts=("The council met.",))) == ()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Kelly flew.", "Wiseman flew."),
        ("It was built by NASA.", "It was built by ESA."),
        ("Astronaut Scott Kelly has joined.", "Astronaut Scott Wiseman has joined."),
        ("It is by Andrea Rossi.", "The film of Domenico Rossi is late."),
    ],
)
def test_another_name_in_the_same_place_differs(a: str, b: str) -> None:
    """The word before or after is the same, or the surname is."""
    assert len(differ(a, b)) == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Scott Kelly flew.", "Kelly flew."),
        ("S. Kelly flew.", "Scott Kelly flew."),
        ("Professor Soule thinks so.", "Dr Henrik Soule thinks so."),
        ("It was built by NASA.", "It was built by the National Aeronautics and Space Administration."),
        ("Kelly flew.", "The astronaut flew with Wiseman."),
        ("Kelly flew to Mars.", "Nobody drove with Wiseman."),
        ("Retired NASA astronaut Kelly left.", "Former NASA astronaut Kelly left."),
        ("Director Doug Liman left.", "Filmmaker Doug Liman left."),
    ],
)
def test_a_name_in_another_form_or_another_place_does_not(a: str, b: str) -> None:
    """Given less fully, with another title, as an acronym, or beside other words."""
    assert differ(a, b) == []


def test_entities_tell_which_names_are_one() -> None:
    """And which cannot be, as they are of another type."""
    claims = "It is carried by Dragon.", "It is carried by Resilience."
    assert differ(*claims) == [("Dragon", "Resilience")]
    assert differ(*claims, entity("Dragon", "Resilience", kind="other")) == []
    assert differ(*claims, entity("Dragon", kind="work"), entity("Resilience", kind="person")) == []


def test_names_that_the_sources_give_differently_differ() -> None:
    """Although they are of one person."""
    both = entity("Andrea Rossi", "Domenico Rossi", "Rossi", split=("Andrea Rossi", "Domenico Rossi"))
    claims = "It is by Andrea Rossi.", "It is by Domenico Rossi."
    assert differ(*claims, both) == [("Andrea Rossi", "Domenico Rossi")]
    assert differ(*claims, entity("Andrea Rossi", "Domenico Rossi")) == []


def test_the_only_name_that_each_has_alone_stands_for_the_others() -> None:
    """Where the claims are otherwise alike."""
    claims = "A spacewalk that Kelly would do.", "A spacewalk done, if all is well, by Wiseman."
    assert differ(*claims) == []
    assert differ(*claims, alike=True) == [("Kelly", "Wiseman")]


def test_names_that_the_sources_of_both_have_need_more_in_common() -> None:
    """One passage may name several."""
    quotes = ("Kelly flew with Wiseman", "Kelly flew with Wiseman")
    assert differ("Yesterday Kelly flew home.", "Today Wiseman flew.", quotes=("", "")) == [("Kelly", "Wiseman")]
    assert differ("Then Kelly flew.", "Before, it was Wiseman that flew.", quotes=quotes) == []
    assert differ("Kelly flew.", "Wiseman flew.", quotes=quotes) == [("Kelly", "Wiseman")]
