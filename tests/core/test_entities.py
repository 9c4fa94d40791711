"""Which names mean one person, work, place or organisation."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.core.entities import Mentions, entities
from service.core.types import DraftEntity, Entity, EntityType, Evidence, Mention, Source

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


# --- by rule: lists, posts, addresses --------------------------------------------------------------------------------


def test_a_role_of_several_is_that_of_each(sources: Read, see_you: str) -> None:
    """A team, or cosmonauts, are the people in the list that follows."""
    found = typed(*sources(see_you))
    assert {found[name] for name in ("Andrew Schneider", "Diane Frolov", "Yuliya Peresild", "Anton Shkaplerov")} == {
        "person"
    }
    text = "We met directors Ana Ruiz, Jo Ray and Kim Dunn. Actor Tom Day and Warner Bros met singers Bo Lee and NASA."
    found = typed(*sources(text))
    assert {found[name] for name in ("Ana Ruiz", "Jo Ray", "Kim Dunn", "Bo Lee")} == {"person"}
    assert (found["Warner Bros"], found["NASA"]) == ("other", "organisation")


def test_who_signs_a_post_is_a_person_and_a_handle_is_no_name(sources: Read, musk: str) -> None:
    """Nor is any part of an address."""
    found = typed(*sources(musk))
    assert found["Stew Smith"] == "person"
    assert not {"StewbieDoo", "SLmxERObrZ"} & found.keys()
    assert named(
        *sources("Write to Jo.Ray@Example.org or see www.x.org/Maps and bit.ly/AbCd, says Ana Ruiz.")
    ).keys() == {"Ana Ruiz"}


def test_shapes_and_models_are_no_organisations(sources: Read) -> None:
    """A T-shirt is no name, and a rocket is no firm."""
    assert typed(*sources("He wore a T-shirt, took an X-ray and flew the V-2 No. 13 for Space11.")) == {
        "V-2": "other",
        "Space11": "organisation",
    }


def test_a_common_word_that_opens_a_sentence_is_no_name(sources: Read) -> None:
    """Although a longer name holds it with a capital."""
    text = "Space is cold. He loves space and more space. They saw the International Space Station."
    assert named(*sources(text)).keys() == {"International Space Station"}


def test_a_name_ends_with_its_sentence(sources: Read) -> None:
    """Where a full stop was taken for that of a short form; real short forms go on."""
    found = named(*sources("It was done by Dr Fenella Marsh. Lindqvar delivered it to Robert F. Kennedy Jr. in May."))
    assert found.keys() >= {"Fenella Marsh", "Robert F. Kennedy Jr."}
    assert "Fenella Marsh. Lindqvar" not in found


def test_whom_the_text_calls_mr_or_ms_is_a_person(sources: Read) -> None:
    """As with any other title."""
    assert typed(*sources("We met Mr Lake and Ms Station.")) == {"Lake": "person", "Station": "person"}


# --- what a model gives ----------------------------------------------------------------------------------------------


def draft(name: str, *aliases: str, type: EntityType = "person") -> DraftEntity:  # noqa: A002 - as the field is called
    """A name as a model gives it."""
    return DraftEntity(name=name, aliases=aliases, type=type)


def told(read: tuple[Source, ...], *given: DraftEntity) -> dict[str, Entity]:
    """Entities by name, with what a model gives, nothing being cited."""
    return {entity.name: entity for entity in entities(read, given=given)}


def test_the_type_that_a_model_gives_goes_first(sources: Read, see_you: str) -> None:
    """Where the rules see nothing, or guess."""
    found = told(
        sources(see_you),
        draft("Deadline", type="organisation"),
        draft("Hollywood", type="place"),
        draft("The Challenge", type="work"),
    )
    assert (found["Deadline"].type, found["Hollywood"].type) == ("organisation", "place")


def test_a_title_or_a_role_in_the_text_goes_before_a_model(sources: Read, see_you: str) -> None:
    """A director is a person, whatever a model says; and "other" says nothing."""
    found = told(sources(see_you), draft("Doug Liman", type="place"), draft("NASA", type="other"))
    assert (found["Doug Liman"].type, found["NASA"].type) == ("person", "organisation")


def test_the_type_most_often_given_counts(sources: Read) -> None:
    """Each part of a text may be read by another call."""
    read = sources("They went to Deadline at noon.")
    given = (draft("Deadline", type=kind) for kind in ("place", "organisation", "organisation"))
    assert told(read, draft("Deadline", "the Deadline", type="organisation"), *given)["Deadline"].type == "organisation"


def test_a_given_name_is_shown_for_one_mention(sources: Read) -> None:
    """The model says that it matters."""
    read = sources("The ship met Ada Lovelace at noon. It was late for Bo Day.")
    assert told(read, draft("Ada Lovelace")).keys() == {"Ada Lovelace"}


def test_a_name_that_stands_nowhere_is_left_out(sources: Read) -> None:
    """So is such an alias, and a name that is only a part of a word or of a longer name."""
    read = sources("The ship met Ada Lovelace at noon in Smithtown.")
    assert told(read, draft("Bo Day", "Smith"), draft("Love"), draft("Smith", type="place")) == {}
    assert told(read, draft("Ada Lovelace", "the Countess", "Ada King"))["Ada Lovelace"].aliases == ()


def test_an_alias_that_stands_takes_the_place_of_a_name_that_does_not(sources: Read) -> None:
    """A model may know the full name of what the text only names in short."""
    assert told(sources("They went to the US by sea."), draft("United States", "the US", type="place")).keys() == {"US"}


def test_a_name_in_a_masked_part_is_left_out(sources: Read, cruise: str) -> None:
    """The stars of the teasers are no part of the article."""
    assert "Rihanna" not in told(sources(cruise), draft("Rihanna"), draft("Stefon Diggs"))


@pytest.mark.parametrize(
    "alias", ["he", "He", "the film", "The film", "the producer", "The Producer", "a", "", "The", "*"]
)
def test_what_anybody_may_be_called_is_no_alias(sources: Read, alias: str) -> None:
    """Pronouns and nouns, with an article or without."""
    read = sources("He is Ada Byron. The film is old, and the producer said that he saw the film. The producer left.")
    assert told(read, draft("Ada Byron", alias))["Ada Byron"].aliases == ()


@pytest.mark.parametrize("name", ["he", "film", "film set", "the contractor", "The contractor", "The Minister", "noon"])
def test_common_words_are_no_names(sources: Read, name: str) -> None:
    """What takes an article, or is an office, or is in small letters for no reason."""
    read = sources("He saw the film set of a film. The contractor left. The Minister came at noon. The noon was hot.")
    assert told(read, draft(name, type="organisation")) == {}


def test_names_may_be_in_small_letters(sources: Read) -> None:
    """Where the text never puts an article before them."""
    read = sources("It was read by bell hooks at noon. Then bell hooks left in an iPhone shop.")
    assert [len(entity.mentions) for entity in told(read, draft("bell hooks")).values()] == [2]
    assert told(read, draft("iPhone", type="other")).keys() == {"iPhone"}


def test_titles_and_articles_are_no_part_of_a_given_name(sources: Read) -> None:
    """The rules have it without them, and so has the result."""
    read = sources("We met Professor Henrik Soule of the Harbour Trust. Soule left. The Trust met.")
    found = told(read, draft("Prof. Soule", "Professor Henrik Soule"), draft("the Trust", type="organisation"))
    assert found.keys() == {"Henrik Soule", "Harbour Trust"}
    assert found["Henrik Soule"].aliases == ("Soule",)


def test_typography_is_forgiven(sources: Read) -> None:
    """What is shown is the name as it stands."""
    read = sources("They filmed *I See You* with Nic d’Arcy. It was good.")
    found = told(read, draft("*I See You*", type="work"), draft("Nic d'Arcy"))
    assert {"I See You", "Nic d’Arcy"} == found.keys()


def test_a_given_alias_joins_what_the_rules_cannot(sources: Read) -> None:
    """Initials, and forms of which nothing says that they are two."""
    read = sources("Rowan Thackrey wrote it. The note is signed RT. They call it the Big Smoke. It rains in London.")
    found = told(read, draft("Rowan Thackrey", "RT"), draft("London", "the Big Smoke", type="place"))
    assert "RT" in found["Rowan Thackrey"].aliases
    assert {"London", "Big Smoke"} == {found["Big Smoke"].name, *found["Big Smoke"].aliases}


def test_two_people_stay_two_whatever_a_model_says(sources: Read) -> None:
    """Full names that differ are never joined by an alias, nor is a surname with somebody else's."""
    read = sources("Ingrid Vasel spoke. Vasel left. Then Ingrid Pellow spoke. Pellow left. We met Tom Day.")
    found = told(read, draft("Ingrid Pellow", "Ms Vasel", "Ingrid Vasel"), draft("Tom Day", "Ingrid Pellow"))
    assert {name: entity.aliases for name, entity in found.items()} == {
        "Ingrid Vasel": ("Vasel",),
        "Ingrid Pellow": ("Pellow",),
        "Tom Day": (),
    }


def test_an_alias_swallows_no_name_conflict(sources: Read, see_you: str) -> None:
    """The model calls both names those of one man; that the article gives two stays said."""
    given = draft("Andrea Iervolino", "Iervolino", "Domenico Iervolino")
    assert told(sources(see_you), given)["Andrea Iervolino"].name_conflict == ("Andrea Iervolino", "Domenico Iervolino")


def test_an_alias_makes_no_name_conflict(sources: Read) -> None:
    """Only the text can give one person two names."""
    read = sources("John Smith and Mary Smith came. Smith was glad.")
    found = told(read, draft("John Smith", "Mary Smith"))
    assert (found["John Smith"].aliases, found["John Smith"].name_conflict) == (("Smith",), ())


def test_names_in_one_sentence_are_two(sources: Read) -> None:
    """Unless the sentence says that they are one."""
    read = sources(
        "SpaceX and NASA met. Lindqvar Ground Engineering trades as Aldane Geo here. Twitter, now X Corp, paid."
    )
    found = told(
        read,
        draft("SpaceX", "NASA", type="organisation"),
        draft("Aldane Geo", "Lindqvar Ground Engineering", type="organisation"),
        draft("X Corp", "Twitter", type="organisation"),
    )
    assert found.keys() >= {"SpaceX", "Lindqvar Ground Engineering", "X Corp"}
    assert found["Lindqvar Ground Engineering"].aliases == ("Aldane Geo",)
    assert found["X Corp"].aliases == ("Twitter",)
    assert found["SpaceX"].aliases == ()


def test_a_person_by_role_and_an_organisation_are_two(sources: Read) -> None:
    """Whatever a model calls them."""
    read = sources("We met astronaut Scott Kelly. Kelly left. Later NASA paid. Then NASA met.")
    assert told(read, draft("Scott Kelly", "NASA"))["Scott Kelly"].aliases == ("Kelly",)


def test_a_work_without_emphasis_is_found_by_its_name(sources: Read) -> None:
    """It holds names of the rules, and is one name all the same."""
    read = sources("He loved Charlie and the Chocolate Factory. She saw Finding Steve McQueen at noon.")
    found = told(
        read, draft("Charlie and the Chocolate Factory", type="work"), draft("Finding Steve McQueen", type="work")
    )
    assert found.keys() == {"Charlie and the Chocolate Factory", "Finding Steve McQueen"}


@pytest.mark.parametrize("lie", ["Tom Cruise and Elon Musk", "Elon Musk’s SpaceX", "Tom Cruise, Elon Musk"])
def test_several_names_are_not_one(sources: Read, lie: str) -> None:
    """A list and a possessive join nothing."""
    text = "Tom Cruise and Elon Musk met. Elon Musk’s SpaceX paid. Tom Cruise, Elon Musk and SpaceX left."
    (read,) = sources(text)
    assert lie not in told((read,), draft(lie, type="work"))
    assert told((read,), draft(lie, type="work")).keys() == told((read,)).keys()


def test_a_sentence_is_no_name(sources: Read) -> None:
    """Although it begins with a capital."""
    read = sources("Filming in space presents hurdles. It rains.")
    assert told(read, draft("Filming in space presents hurdles", type="work")) == {}


def test_in_another_language_a_model_s_names_are_all_there_are(sources: Read) -> None:
    """With the places where they stand, also of names that the rules find in an English text."""
    german, chinese = (
        "Angela Merkel traf gestern Tom Cruise in Berlin. Danach fuhr Merkel nach Hause.",
        "马斯克和汤姆去太空。",
    )
    english, *others = sources("Tom Cruise met them. Then Tom Cruise left.", german, chinese)
    read = (english, *(msgspec.structs.replace(o, language=k) for o, k in zip(others, ("de", "zh"), strict=True)))
    given = (draft("Angela Merkel", "Merkel"), draft("Tom Cruise"), draft("Berlin", type="place"), draft("马斯克"))
    found = told(read, *given)
    assert {name: [m.document for m in entity.mentions] for name, entity in found.items()} == {
        "Tom Cruise": ["d1", "d1", "d2"],
        "Angela Merkel": ["d2", "d2"],
        "Berlin": ["d2"],
        "马斯克": ["d3"],
    }
    assert found["Angela Merkel"].aliases == ("Merkel",)


def test_entities_stand_in_the_order_of_their_first_mention(sources: Read, cruise: str, musk: str) -> None:
    """Whoever found them; and they are numbered so."""
    found = entities(sources(cruise, musk), given=(draft("Burj Khalifa", type="place"), draft("Grimes")))
    firsts = [(entity.mentions[0].document, entity.mentions[0].start) for entity in found]
    assert firsts == sorted(firsts)
    assert [entity.id for entity in found] == [f"e{n}" for n in range(1, len(found) + 1)]


ODD = "the|he|*|é́|𝔄da|Day’s|ADA BYRON|Bo  Day|\n|Mr|Mr Byron|0"
NAMES = st.sampled_from(f"Ada Byron|Byron|Bo Day|NASA|Ada|Ada Byron and Bo Day|{ODD}".split("|"))
GIVEN = st.lists(
    st.builds(
        DraftEntity,
        name=NAMES | st.text(max_size=8),
        aliases=st.lists(NAMES, max_size=3).map(tuple),
        type=st.sampled_from(["person", "organisation", "place", "work", "other"]),
    ),
    max_size=4,
)


@example(given=[DraftEntity(name="Day’s", aliases=(), type="person")], text=["Bo Day"])
@given(given=GIVEN, text=st.lists(NAMES | st.sampled_from([". ", " met ", ", ", " and ", "s"]), max_size=30))
def test_whatever_is_given_names_stand_where_they_are_said_to(
    given: list[DraftEntity], text: list[str], sources: Read
) -> None:
    """No mention lies over another, each is a form of its entity, and giving all twice changes no mention."""
    joined = " ".join(text)
    if not joined.strip():
        return
    read = sources(joined)
    found = entities(read, given=given)
    mentions = sorted((m.start, m.end) for entity in found for m in entity.mentions)
    assert all(before[1] <= after[0] for before, after in pairwise(mentions))
    for entity in found:
        assert {joined[m.start : m.end] for m in entity.mentions} == {entity.name, *entity.aliases}
    assert [e.mentions for e in entities(read, given=[*given, *given])] == [e.mentions for e in found]


def test_thousands_of_names_are_no_burden(sources: Read) -> None:
    """Nor is a model that calls them all one."""
    names = [f"{one}{two}{three}a Corp" for one in "ABCDEFGHIJ" for two in "abcdefghij" for three in "abcdefghij"]
    text = " ".join(f"We saw {name} there." for name in names * 2)
    given = [draft(name, *names, type="organisation") for name in names[:20]]
    found = entities(sources(text), [("d1", at, at + 20) for at in range(0, len(text), 10)], given=given)
    assert [entity.name for entity in found] == names
    assert all(len(entity.mentions) == 2 for entity in found)


# --- what evidence names ---------------------------------------------------------------------------------------------

PLACES = st.tuples(st.sampled_from(["d1", "d2"]), st.integers(0, 20), st.integers(0, 5))


def evidence(document: str, start: int, length: int) -> Evidence:
    """Evidence at a place."""
    return Evidence(
        document=document, sentence=1, quote="", start=start, end=start + length, prefix="", suffix="", match="exact"
    )


@given(entity_places=st.lists(st.lists(PLACES, max_size=5), max_size=5), stretches=st.lists(PLACES, max_size=4))
def test_mentions_within_stretches_are_those_that_overlap_one(
    entity_places: list[list[tuple[str, int, int]]], stretches: list[tuple[str, int, int]]
) -> None:
    """As comparing each with each would find, in the order of the entities."""
    some = [
        Entity(
            id=f"e{n}",
            name="",
            aliases=(),
            type="other",
            name_conflict=(),
            mentions=tuple(Mention(document=d, start=s, end=s + length) for d, s, length in places),
        )
        for n, places in enumerate(entity_places)
    ]
    expected = tuple(
        entity.id
        for entity in some
        if any(
            m.document == document and m.start < start + length and start < m.end
            for m in entity.mentions
            for document, start, length in stretches
        )
    )
    assert Mentions(some).within(evidence(*one) for one in stretches) == expected


def test_a_name_of_thousands_of_titles_is_passed_over(sources: Read) -> None:
    """Titles are taken off in one pass, and nothing is left that could be a name."""
    titles = DraftEntity(name="Dr " * 100_000, aliases=("Dr " * 100_000,), type="person")
    assert not entities(sources("The council met. It was short."), given=[titles])
