"""Which names mean one person, work, place or organisation."""

from collections.abc import Callable

import msgspec

from service.core.entities import entities
from service.core.types import Entity, Source

Read = Callable[..., tuple[Source, ...]]


def named(*read: Source) -> dict[str, Entity]:
    """Entities by name, every sentence being cited, so that none is left out."""
    cited = [(source.document.id, 0, len(source.text)) for source in read]
    return {entity.name: entity for entity in entities(read, cited)}


def test_the_two_iervolinos_are_one_entity_with_a_name_conflict(sources: Read, see_you: str) -> None:
    """The article gives its producer two first names and one surname."""
    found = named(*sources(see_you))["Andrea Iervolino"]
    assert set(found.name_conflict) == {"Andrea Iervolino", "Domenico Iervolino"}
    assert set(found.aliases) == {"Domenico Iervolino", "Iervolino"}
    assert found.type == "person"


def test_nobody_else_in_the_seeds_has_a_name_conflict(sources: Read, cruise: str, see_you: str, musk: str) -> None:
    """Across all three articles, one conflict."""
    found = named(*sources(cruise, see_you, musk))
    assert [entity.name for entity in found.values() if entity.name_conflict] == ["Andrea Iervolino"]


def test_mentions_are_the_names_as_they_stand(sources: Read, see_you: str) -> None:
    """Every mention is a name or alias of its entity, letter for letter."""
    for entity in named(*sources(see_you)).values():
        for mention in entity.mentions:
            assert see_you[mention.start : mention.end] in (entity.name, *entity.aliases)


def test_a_couple_with_two_surnames_is_two_people(sources: Read, see_you: str) -> None:
    """Andrew Schneider and Diane Frolov."""
    found = named(*sources(see_you))
    assert {"Andrew Schneider", "Diane Frolov"} <= found.keys()


def test_a_couple_with_one_surname_is_two_people(sources: Read) -> None:
    """A sentence that sets two names side by side says that they are two."""
    found = named(*sources("John Smith and Mary Smith wrote the film together. Smith said that it was good."))
    assert found.keys() >= {"John Smith", "Mary Smith"}
    assert not any(entity.name_conflict for entity in found.values())


def test_a_couple_stays_two_people_when_they_are_also_named_apart(sources: Read) -> None:
    """One sentence with both is enough, and a word that opens a sentence is no part of a name."""
    text = "John Smith wrote the film. Later Mary Smith came. John Smith and Mary Smith married. Smith was glad."
    found = named(*sources(text))
    assert found.keys() >= {"John Smith", "Mary Smith"}
    assert not any(entity.name_conflict for entity in found.values())


def test_iss_is_the_international_space_station(sources: Read, cruise: str) -> None:
    """A short form in brackets after its long form."""
    assert "ISS" in named(*sources(cruise))["International Space Station"].aliases


def test_a_surname_is_the_person_who_has_it(sources: Read, cruise: str) -> None:
    """Cruise is Tom Cruise, and Musk is Elon Musk."""
    found = named(*sources(cruise))
    assert found["Tom Cruise"].aliases == ("Cruise",)
    assert found["Elon Musk"].aliases == ("Musk",)


def test_a_first_name_is_the_only_person_who_has_it(sources: Read, musk: str) -> None:
    """Tom is Tom Cruise where there is no other Tom."""
    assert "Tom" in named(*sources(musk))["Tom Cruise"].aliases


def test_names_are_one_across_documents(sources: Read, cruise: str, musk: str) -> None:
    """Tom Cruise of one article is Tom Cruise of the other."""
    found = named(*sources(cruise, musk))["Tom Cruise"]
    assert {mention.document for mention in found.mentions} == {"d1", "d2"}


def test_works_stand_in_emphasis_or_quotation_marks(sources: Read, see_you: str, musk: str) -> None:
    """And are not people."""
    assert named(*sources(see_you))["I See You"].type == "work"
    assert named(*sources(musk))["Mission: Impossible"].type == "work"


def test_names_in_masked_parts_are_not_read(sources: Read, cruise: str) -> None:
    """The stars of the teasers are no part of the article."""
    assert not {"Rihanna", "Stefon Diggs", "Cardi B", "NFL"} & named(*sources(cruise)).keys()


def test_an_office_is_no_name(sources: Read, musk: str) -> None:
    """The words "the SpaceX CEO" name SpaceX."""
    assert "CEO" not in named(*sources(musk))
    assert "SpaceX" in named(*sources(musk))


def test_only_english_texts_are_searched_for_names(sources: Read, see_you: str) -> None:
    """The rules know English; German writes every noun with a capital."""
    (read,) = sources(see_you)
    assert entities([msgspec.structs.replace(read, language="de")]) == ()


def test_a_name_used_once_is_left_out_unless_it_is_cited(sources: Read) -> None:
    """The list is of what matters, not of all capitals."""
    read = sources("The ship met Ada Lovelace at noon. It was late.")
    assert entities(read) == ()
    assert [entity.name for entity in entities(read, [("d1", 0, 30)])] == ["Ada Lovelace"]


def test_a_long_word_of_capitals_is_searched_at_once(sources: Read) -> None:
    """Time grows with the text, not with its square: this would take hours."""
    assert entities(sources("A" * 300_000 + " and the ship left at noon.")) == ()
