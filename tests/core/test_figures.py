"""Numbers compare by value and URLs by host and path, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.figures import figures, foreign_url, uncut, unsupported
from service.core.grounding import Index, build_index
from service.core.types import Document, Evidence, Sentence, Source


def indexed(text: str, language: str | None = "en", url: str | None = None) -> Index:
    """Index one document of one sentence."""
    whole = Sentence(number=1, start=0, end=len(text), paragraph=1)
    return build_index([Source(document=Document(id="d", text=text, url=url), language=language, sentences=(whole,))])


def missing(claim: str, quote: str, text: str = "", language: str | None = "en") -> str | None:
    """The code of what a claim has beyond its quote; the text is the quote where none is given."""
    found = unsupported(claim, [quote], indexed(text or quote, language))
    return found.code if found else None


def test_an_accent_of_its_own_character_begins_no_name() -> None:
    """A sentence holds the name that it has, however its accents are written."""
    assert missing("The e\u0301A0 ran.", "The e\u0301A0 ran.") is None
    assert missing("The \u00e9A0 ran.", "The e\u0301A0 ran.") is None


def test_a_name_with_a_number_in_words_is_looked_for_as_it_is() -> None:
    """That the Fantastic Four are back is not borne out by a quote that says the heroes; where they are named it is."""
    assert missing("The film brings the Fantastic Four back.", "The heroes are back.") == "number_mismatch"
    assert missing("The film brings the Fantastic Four back.", "The Fantastic Four are back.") is None
    assert missing("Fantastic Four is a film.", "It is a film.", text="Fantastic Four. It is a film.") is None


def test_letters_that_patterns_take_for_others_are_read() -> None:
    """The long s and the dotless i, which have no case of their own."""
    assert missing("The twenty-fırſt man fled.", "The 21st man fled.") is None
    assert missing("The firſt man lost half a mıllion.", "He lost 500,000.") is None


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("It cost $1,600.", "It cost $1, 600 in all."),
        ("It weighs 1.3 tons.", "It weighs 1. 3 tons."),
        ("Some 5,000,000 people saw it.", "It was seen by five million people."),
        ("It was seen by 5 million.", "It was seen by five million people."),
        ("It cost £5 million.", "It cost £5m to build."),
        ("The price is $2bn.", "The price is 2 billion dollars."),
        ("It rose by 5 percent.", "It rose 5% on the year."),
        ("The man is 48.", "The 48-year-old wore a shirt."),
        ("Four flights were made.", "He is a veteran of 4 flights."),
        ("He made 4 flights.", "He is a veteran of four flights."),
        ("Two-thirds of it is done.", "About 2/3 of it is done."),
        ("Half, or 50%, is done.", "Half of it is done."),
        ("Three quarters agreed.", "Of them, 75% agreed."),
        ("The 3rd man fled.", "The third man fled."),
        ("The third man fled.", "The 3rd man fled."),
        ("The twenty-third man fled.", "The 23rd man fled."),
        ("A third says that he fled, and a fourth article reports it.", "He fled."),
        ("It was half a million.", "It was 500,000 in all."),
        ("It took 10 years.", "It took a decade."),
        ("Two were hurt.", "Both were hurt."),
        ("It runs 30 km.", "It runs 30km along the shore."),
        ("It begins at 6:30 pm.", "It begins at 6.30 pm each day."),
        ("He died on the 17th.", "He died on 17 November 2022."),
        ("One of them fled.", "They fled."),
        ("No one was hurt, and zero was the goal.", "Nobody was hurt."),
        ("The two signed.", "Ann and Bo signed."),
        ("It was set in March 2016.", "It was set then."),
        ("The plan is 34 million.", "The plan is 34.0 million."),
    ],
)
def test_a_number_may_be_written_in_another_way(claim: str, quote: str) -> None:
    """What compares is the value; years are another check's business, "one" and "the two" are no counts."""
    assert missing(claim, quote) is None


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("It took 430 days.", "It took 340 days."),
        ("It was seen by 5 million.", "It was seen by 5 people."),
        ("It cost £5.", "It cost $5 at the door."),
        ("It cost 5 euros.", "It cost 5 dollars at the door."),
        ("Two-thirds agreed.", "Two men agreed."),
        ("It is the third largest city.", "It is the second largest city."),
        ("A third of them fled.", "Many of them fled."),
        ("Two actors will fly.", "Ann Lee and Bo Ray will fly."),
        ("It rose 15%.", "It rose 5% on the year."),
        ("The number was 600.", "The number was 1,600 then."),
    ],
)
def test_a_number_of_another_value_blocks(claim: str, quote: str) -> None:
    """However alike the words are; to count what is only listed is a number that the evidence does not hold."""
    assert missing(claim, quote) == "number_mismatch"


def test_a_number_of_a_name_stands_in_the_source_as_that_name() -> None:
    """Whether the quote has the name or a pronoun; joined with a hyphen, a space or nothing."""
    text = "Space11 and Apollo 11 are old. The son is X Æ A-12. The firm flew in May. A V-2 No. 13 rocket rose."
    for claim in ("Space11 flew in May.", "Apollo 11 flew.", "A-12 was born.", "The V-2 No. 13 flew.", "The A12 flew."):
        assert missing(claim, "The firm flew in May.", text) is None
    for claim in ("Space12 flew in May.", "Apollo 12 flew.", "A-1 was born."):
        assert missing(claim, "The firm flew in May.", text) == "number_mismatch"


def test_other_languages_compare_digits() -> None:
    """Separators are taken off; what may be a word there is only missed where another figure was left out."""
    german = "Es kostete 1.600 Euro und dauerte fünf Tage im Mai 2020."
    assert missing("Der Film hat 1 600 Euro gekostet, und das in 5 Tagen im Jahr 2021.", german, language="de") is None
    assert missing("Der Film hat 1.700 Euro gekostet.", german, language="de") == "number_mismatch"
    assert missing("Es kostete 5 Millionen.", "Es kostete 6 Millionen.", language="de") == "number_mismatch"
    assert missing("Le film a coûté 5 millions et une maison.", "It cost five million, in all.") is None


def test_a_number_of_prose_may_stand_in_any_of_its_quotes() -> None:
    """The abstract and the headline rest on the quotes of several points; without any they hold no number."""
    index = indexed("It took 3 days.")
    assert unsupported("It took 3 days and 4 nights.", ["3 days", "four nights"], index) is None
    found = unsupported("It took 3 days.", [], index)
    assert found is not None
    assert (found.code, found.severity) == ("number_mismatch", "blocking")
    assert "“3”" in found.detail


# --- URLs ------------------------------------------------------------------------------------------------------------

LINKS = "Read https://T.co/SLmxERObrZ. Or www.example.org/a_(b), or Amazon.com; write to ann@example.net."


@pytest.mark.parametrize(
    "claim",
    [
        "See https://t.co/SLmxERObrZ.",
        "See t.co/SLmxERObrZ!",
        "See (http://example.org/a_(b)).",
        "It is on amazon.com.",
        "Write to ann@example.net.",
        "The U.S. said so, e.g. on Monday, i.e. late. Mr. Co. left it.In time.",
        "It costs 3.5 and 1.2.",
    ],
)
def test_a_url_may_be_written_in_another_way(claim: str) -> None:
    """Without its scheme, with punctuation after it, its host in any case; abbreviations are no hosts."""
    assert foreign_url(claim, indexed(LINKS)) is None


@pytest.mark.parametrize(
    "claim",
    [
        "See https://t.co/slmxerobrz.",
        "See https://t.co/SLmx for more.",
        "See https://t.co/SLmxERObrZ/more",
        "See https://evil.example/",
        "See example.org/a.",
        "It is on mazon.com.",
        "It is on amazon.co.",
        "Write to bob@example.net.",
    ],
)
def test_a_url_that_no_source_holds_blocks(claim: str) -> None:
    """Whatever part of it differs; the case of a path counts."""
    found = foreign_url(claim, indexed(LINKS))
    assert found is not None
    assert (found.code, found.severity) == ("url_not_in_source", "blocking")
    assert unsupported(claim, [LINKS], indexed(LINKS)) == found


def test_the_url_of_a_document_is_no_foreign_one() -> None:
    """A model was told it, and may give it."""
    index = indexed("It flew.", url="https://example.org/news/1")
    assert foreign_url("See example.org/news/1.", index) is None


# --- a quote as it stands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "quote", "suffix", "whole"),
    [
        ("It cost ", "£5", " million.", "£5 million"),
        ("It cost £", "5 million", ".", "£5 million"),
        ("for twenty-", "two men", " only", "twenty-two men"),
        ("Some ", "five men", " came.", "five men"),
        ("", "", "", ""),
    ],
)
def test_a_number_at_the_end_of_a_quote_is_read_as_a_whole(prefix: str, quote: str, suffix: str, whole: str) -> None:
    """What stands beside it in the source is part of it, and nothing else is."""
    place = Evidence(
        document="d", sentence=1, quote=quote, start=0, end=len(quote), prefix=prefix, suffix=suffix, match="exact"
    )
    assert uncut(place) == whole


# --- in general ------------------------------------------------------------------------------------------------------


@given(st.text(max_size=60))
def test_any_text_has_figures(text: str) -> None:
    """Each with a value at least; nothing in a text is an error."""
    assert all(figure.text and figure.values for figure in figures(text))


@given(
    st.lists(
        st.sampled_from(
            (
                "the two third 5 5m $5 £5 1,600 1. 3 million half a one-third 2/3 % U.S. t.co/x A-12 Apollo 11 May "
                "2020 . , “ ”"
            ).split()
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_copy_has_no_number_or_url_of_its_own(words: list[str]) -> None:
    """Whatever it consists of: prose may repeat what a quote says."""
    text = " ".join(words)
    assert unsupported(text, [text], indexed(text)) is None
