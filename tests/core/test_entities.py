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


def typed(*read: Source) -> dict[str, str]:
    """The type of each name."""
    return {name: entity.type for name, entity in named(*read).items()}


def test_a_title_is_no_part_of_a_name(sources: Read) -> None:
    """It says that the name is a person's, and names nobody by itself."""
    text = (
        "Councillor Jo Ray met Deputy Mayor Ana Ruiz of Lisbon and Prime Minister Keir Starmer. Detective Sergeant "
        "Chan and Dr. Mary Wells came late. City Council Leader Jane Doe and the Mayor left with President Trump."
    )
    people = {"Jo Ray", "Ana Ruiz", "Keir Starmer", "Chan", "Mary Wells", "Jane Doe", "Trump"}
    assert typed(*sources(text)) == dict.fromkeys(people, "person") | {
        "Lisbon": "other",
        "City Council": "organisation",
    }


def test_an_office_with_its_place_is_no_name(sources: Read) -> None:
    """The Mayor of Port Sarn is somebody, and Port Sarn somewhere else."""
    found = named(*sources("Then the Mayor of Port Sarn met the Minister of Works at Port Sarn. Sarn is small."))
    assert found.keys() == {"Port Sarn"}
    assert (found["Port Sarn"].type, found["Port Sarn"].name_conflict) == ("place", ())


def test_relatives_and_namesakes_are_two_people(sources: Read) -> None:
    """A text that calls somebody a widow, or no relation, says that there are two."""
    text = (
        "The segment erector Eskil Brandt died. Brandt was 31. His widow, Karin Brandt, came. Brandt is missed. "
        "We heard Miriam Harrod. Harrod was late. We heard Tomas Harrod, who is no relation of hers. Harrod left."
    )
    found = named(*sources(text))
    assert found.keys() >= {"Eskil Brandt", "Karin Brandt", "Miriam Harrod", "Tomas Harrod"}
    assert not any(entity.name_conflict for entity in found.values())


def test_what_takes_an_article_is_no_person(sources: Read) -> None:
    """The Sound is a water, whoever has it for a surname."""
    found = typed(
        *sources("We crossed Kelder Sound. The Sound is deep, and the Sound is wide. We met Ada Byron. Byron left.")
    )
    assert (found["Kelder Sound"], found["Ada Byron"]) == ("other", "person")


def test_a_common_word_that_has_or_was_is_no_person(sources: Read) -> None:
    """Words do what people do; what is said is said by somebody."""
    found = typed(*sources("In the end Deadline has it, and Hollywood was glad. Ada Lovelace has it too."))
    assert (found["Deadline"], found["Hollywood"], found["Ada Lovelace"]) == ("other", "other", "person")


def test_shouting_and_currencies_are_no_organisations(sources: Read) -> None:
    """An organisation of capitals has five letters at most, and euros are none."""
    found = typed(*sources("The BBC and the TIMELESS show paid EUR 5 and the USD 7."))
    assert found == {"BBC": "organisation", "TIMELESS": "other"}


def test_months_cut_short_and_the_capital_s_district_are_no_names(sources: Read) -> None:
    """A month stands for itself only as a first name."""
    found = named(*sources("It came to Washington, D.C., on Oct. 5 and by Sept. 7, said Jan Smith on Jan. 9."))
    assert found.keys() == {"Washington", "Jan Smith"}


def test_papers_and_bodies_are_organisations(sources: Read) -> None:
    """By the word that ends their name; a licence is neither."""
    text = "The Lisbon Gazette, the Evening Herald, the Harbour Trust, the Port Authority and the Home Office have it."
    assert set(typed(*sources(text)).values()) == {"organisation"}
    assert typed(*sources("The code is under the MIT License.")) == {"MIT License": "other"}


def test_long_names_that_share_words_are_two(sources: Read) -> None:
    """Of institutions, each word counts; and they never are one person under two names."""
    text = "The Royal Harbour Trust met. The Royal Harbour Preservation Trust did not. The Trust is old."
    found = named(*sources(text))
    assert found.keys() == {"Royal Harbour Trust", "Royal Harbour Preservation Trust"}
    assert not any(entity.name_conflict for entity in found.values())


def test_a_middle_name_and_jr_make_no_other_person(sources: Read) -> None:
    """A name of a person that leaves out parts of another is the other."""
    found = named(*sources("Robert John Downey Jr. came. Then Robert Downey smiled. Downey left."))
    assert found["Robert John Downey Jr."].aliases == ("Downey", "Robert Downey")


def test_tom_cruise_is_a_person_in_every_seed(sources: Read, cruise: str, see_you: str, musk: str) -> None:
    """Whether his surname stands alone, his first name, or neither."""
    for texts in ((cruise,), (see_you,), (musk,), (cruise, see_you, musk)):
        assert typed(*sources(*texts))["Tom Cruise"] == "person"


def test_the_space_station_has_one_type(sources: Read, cruise: str, see_you: str) -> None:
    """Spelled out or not, more often the one or the other."""
    name = "International Space Station"
    assert {typed(*sources(*texts))[name] for texts in ((cruise,), (see_you,), (cruise, see_you))} == {"place"}
    assert typed(*sources("They love the ISS. The ISS is old."))["ISS"] == "place"


def test_whom_the_text_calls_by_role_is_a_person(sources: Read) -> None:
    """Even with the name of a place."""
    assert (
        typed(*sources("We met filmmaker Diane Lake. Later Diane Lake left for the coast."))["Diane Lake"] == "person"
    )


def test_headings_and_marks_of_lists_are_not_searched_for_names(sources: Read) -> None:
    """Headings capitalise every word; a mark hides where a sentence begins."""
    found = named(*sources("# What Comes Next For The Bridge\n\n* Is it old?\n\n- Is it? We ask Ana Ruiz."))
    assert found.keys() == {"Ana Ruiz"}


def test_mentions_in_a_list_are_where_the_names_stand(sources: Read) -> None:
    """The marks before a sentence shift nothing."""
    text = "> 1. We ask Ana Ruiz about it."
    (mention,) = named(*sources(text))["Ana Ruiz"].mentions
    assert text[mention.start : mention.end] == "Ana Ruiz"


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
