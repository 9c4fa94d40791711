"""What the words of a sentence give away: numbers, dates, stance, polarity, kind, speaker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.cues import attribution, dates, hedges, is_quotation, is_social, kind, numbers, polarity, stance
from service.core.types import Attribution, Kind, Polarity, SpeakerType, Stance

HINTED = (
    "While the plot remains a closely guarded secret, Iervolino has hinted at themes centered around ‘human endurance, "
    "isolation, and emotional connection.’"
)
KELLY = (
    "Retired NASA astronaut Scott Kelly, a veteran of four space flights and now a public speaker and author, has "
    "joined the *I See You* project as a script advisor, according to Deadline."
)
FLEMING = (
    "Deadline reporter Mike Fleming Jr. announced the news on Monday, saying that while the film will be an “action "
    "adventure,” it won’t be a part of the “Mission: Impossible” franchise."
)
TWEET = "https://t.co/SLmxERObrZ — Stew Smith (@StewbieDoo) May 5, 2020"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("filmed more than 60 miles above the Earth", ["60"]),
        ("by a NASA astronaut—340 days, set in March 2016.", ["340"]),
        ("a veteran of four space flights", ["4"]),
        ("As the 100th anniversary approaches", ["100"]),
        ("It cost $1, 600.", ["1600"]),
        ("It weighs 1. 3 kg.", ["1.3"]),
        ("It cost 2.5 million.", ["2500000"]),
        ("It rose 5%.", ["5"]),
        ("two hundred and twenty-five thousand people", ["225000"]),
        ("the 48-year-old", ["48"]),
        ("son X Æ A-12 of Space11", []),
        ("one of them, in zero gravity", []),
        ("1" * 60 + " grains", ["1" * 60]),
    ],
)
def test_numbers_have_values_in_plain_digits(text: str, values: list[str]) -> None:
    """However they are written; digits that belong to a name are none, and nothing is rounded."""
    assert [number.value for number in numbers(text)] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5 \nfive", ["5"]),
        ("5\nfive", ["5"]),
        ("5-five", ["5"]),
        ("5  five", ["5", "5"]),
        ("5 - five", ["5", "5"]),
        ("two years ago, two", ["2"]),
        ("May 5, 2020, 2020-05-05, five, 1999, six", ["5", "6"]),
    ],
)
def test_a_number_word_right_behind_digits_or_in_a_date_is_none(text: str, values: list[str]) -> None:
    """A space, a hyphen or a line break is between them, and after it the end of the line at the most."""
    assert [number.value for number in numbers(text)] == values


@given(st.lists(st.sampled_from(["one", "two", "3", "five", "1999", "May 5, 2020", "-", "\n", ","]), max_size=12))
def test_numbers_do_not_depend_on_what_stands_far_before_them(words: list[str]) -> None:
    """A text said over and over has its numbers over and over."""
    text = " ".join(words) + " . "
    assert numbers(text * 3) == numbers(text) * 3


def test_a_text_of_nothing_but_numbers_is_read_to_its_end() -> None:
    """A million characters give what ten give, over and over; words right behind digits stay none."""
    unit = "one two 3 "
    first, *others = numbers(unit)
    assert numbers(unit * 100_000) == (first, *(others * 100_000))
    assert numbers("1999 two years ago " * 50_000) == ()


def test_number_words_without_end_are_several_numbers() -> None:
    """A model that stammers gives no value that cannot be written."""
    found = numbers("hundred " * 3_000)
    assert len(found) > 1
    assert all(len(number.value or "") < 100 for number in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("set in March 2016.", [("March 2016", "2016-03")]),
        ("captured in October 1946, a milestone", [("October 1946", "1946-10")]),
        ("(@StewbieDoo) May 5, 2020", [("May 5, 2020", "2020-05-05")]),
        ("on 5 May 2020", [("5 May 2020", "2020-05-05")]),
        ("on 2020-05-05", [("2020-05-05", "2020-05-05")]),
        ("In 2023, Russian filmmaker", [("2023", "2023")]),
        ("starting from next year", [("next year", None)]),
        ("a Russian effort two years ago", [("two years ago", None)]),
        ("announced the news on Monday", [("Monday", None)]),
        ("on May 5", [("May 5", None)]),
        ("it may 5 times", []),
        ("for $2023", []),
    ],
)
def test_dates_are_given_as_far_as_the_text_gives_them(text: str, found: list[tuple[str, str | None]]) -> None:
    """A year is a year; what counts from an unknown day has no ISO form."""
    assert [(date.text, date.iso) for date in dates(text)] == found


@pytest.mark.parametrize("text", ["2020-13-45", "May 45, 2020", "99 May 2020"])
def test_there_is_no_iso_form_of_a_day_that_cannot_be(text: str) -> None:
    """At most the part that can be remains."""
    assert {date.iso for date in dates(text)} <= {"2020", "2020-05"}


def test_a_year_of_a_date_is_not_a_number_too() -> None:
    """What is a date is no quantity."""
    assert numbers("set in March 2016, in 2023 and on May 5, 2020") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*I See You* is reportedly set to be filmed.", "reported"),
        (KELLY, "reported"),
        ("According to insiders, discussions are in ‘advanced stages,’ signaling a leap.", "reported"),
        ("Iervolino has confirmed that he will travel to space himself.", "confirmed"),
        (HINTED, "claimed"),
        ("Musk has long argued that space is key.", "claimed"),
        ("It could reshape public perception of space.", "conditional"),
        ("SpaceX would provide launch capabilities.", "conditional"),
        ("This film will be shot in space.", "planned"),
        ("Fans look forward to stunts going to even greater heights.", "asserted"),
        ("He is going to film in space.", "planned"),
        ("The studio denied the report.", "denied"),
        ("Another fan joked about Tom’s dedication.", "joke"),
        ("At the heart of it is a stunt that sounds almost unbelievable.", "opinion"),
        ("Kelly holds the record for the longest single spaceflight.", "asserted"),
        ("Engineer Ana Ruiz said the repairs would cost $1.2 million.", "reported"),
        ("The repairs would cost $1.2 million, she told the council.", "reported"),
        ("He said that it could be late.", "conditional"),
        ("Critics question whether it is safe.", "asserted"),
        ("It is open whether it is safe.", "conditional"),
        ("The mayor did not comment on that claim.", "asserted"),
        ("The mayor claims that it is safe.", "claimed"),
        ("The two had announced plans to film in space years ago.", "asserted"),
        ("The two have announced plans to film in space.", "planned"),
        ("He had reportedly planned to fly.", "reported"),
        ("They were to examine the planning of it.", "asserted"),
        ("They are planning it.", "planned"),
    ],
)
def test_the_weakest_word_decides_the_stance(text: str, expected: Stance) -> None:
    """A sentence asserts only where no word of it holds back."""
    assert stance(text) == expected


def test_what_is_only_quoted_is_reported() -> None:
    """The author reports that it was said, not that it is so."""
    assert stance("‘Having Scott Kelly on board is an extraordinary honour,’ Iervolino said.") == "reported"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it won’t be a part of the franchise", "negated"),
        ("not all scenes will be filmed in orbit", "negated"),
        ("that project has yet to materialize", "negated"),
        ("not only bold but new", "affirmed"),
        ("Kelly holds the record", "affirmed"),
        ("It isn't never done.", "affirmed"),
        ("“I can’t even think,” one fan said.", "affirmed"),
        ("He flew without a helmet.", "affirmed"),
        ("He keeps to it: do it for real, or don’t do it at all.", "affirmed"),
        ("They don’t do it at all.", "negated"),
    ],
)
def test_an_odd_number_of_negations_negates(text: str, expected: Polarity) -> None:
    """The words "not only" are none, and what somebody is quoted for does not count."""
    assert polarity(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("‘It is an extraordinary honour to fly,’ Iervolino said.", "quote"),
        ("Fans quickly expressed their excitement over the project.", "reaction"),
        ("The crew will travel to space.", "plan"),
        ("Cruise, known for his roles, has long been associated with space.", "background"),
        ("In 2023, Klim Shipenko released *The Challenge*.", "fact"),
    ],
)
def test_sentences_are_of_a_kind(text: str, expected: Kind) -> None:
    """A quotation, a reaction, a plan, background, or a fact."""
    assert kind(text) == expected


@pytest.mark.parametrize(
    ("text", "who", "speaker"),
    [
        (HINTED, "Iervolino", "named"),
        (FLEMING, "Mike Fleming Jr.", "named"),
        ("‘It is an honour,’ Iervolino said.", "Iervolino", "named"),
        ("Musk has long argued that space is key.", "Musk", "named"),
        ("Sources close to the production say it is late.", "Sources close to the production", "anonymous"),
        ("According to insiders, it is late.", "insiders", "anonymous"),
        ("Officials have emphasized that safety comes first.", "Officials", "anonymous"),
        ("“It is great,” one fan said of it.", "one fan", "anonymous"),
        ("The report adds that a studio has yet to sign on.", "The report", "anonymous"),
        (TWEET, "@StewbieDoo", "social"),
        ("It is late, according to a leaked memo.", "a leaked memo", "anonymous"),
        ("It is late, according to a leaked draft report seen by the BBC.", "a leaked draft report", "anonymous"),
        ("According to U.S. officials, it is late.", "U.S. officials", "anonymous"),
        ("According to a person familiar with the matter, no.", "a person familiar with the matter", "anonymous"),
        ("According to police the man fled.", "police", "anonymous"),
        ("Two men were held, police said.", "police", "anonymous"),
        ("It is late, the mayor said.", "the mayor", "anonymous"),
        ("The coach said that it was late.", "The coach", "anonymous"),
        ("“It is great,” said one fan at the gate.", "one fan", "anonymous"),
        ("The mayor of Lisbon said that it was late.", "The mayor of Lisbon", "anonymous"),
        ("A spokesman for NASA said that it was late.", "A spokesman for NASA", "anonymous"),
        ("The mayor, Ana Ruiz, said that it was late.", "Ana Ruiz", "named"),
        ("The Ministry and the council each told us that it was late.", "the council", "anonymous"),
        ("The BBC said that it was late.", "BBC", "named"),
        ("He said it was late.", None, "author"),
        ("Kelly holds the record.", None, "author"),
    ],
)
def test_the_speaker_is_whom_the_sentence_names(text: str, who: str | None, speaker: SpeakerType) -> None:
    """The author where nobody else is named; a pronoun names nobody."""
    found = attribution(text)
    assert (found.who, found.type) == (who, speaker)


def test_the_one_who_passes_it_on_is_not_the_speaker() -> None:
    """The words "according to Deadline" say whom we have it from."""
    assert attribution(KELLY) == Attribution(via="Deadline")
    assert attribution("According to the Guardian, it is late.") == Attribution(via="Guardian")


def test_a_signature_makes_a_social_post() -> None:
    """A dash, a name and a handle."""
    assert is_social(TWEET)
    assert not is_social("Stew Smith wrote to us.")


def test_only_a_whole_sentence_in_quotation_marks_is_a_quotation() -> None:
    """Words beside it name who says so."""
    assert is_quotation("‘His experience brings truth to our vision.’")
    assert not is_quotation("‘It is real,’ he said.")


def test_hedges_are_reports_claims_conditions_and_opinions() -> None:
    """Plans and assertions are none."""
    assert hedges("He is rumored to fly.")
    assert not hedges("He will fly.")


@given(
    st.lists(st.sampled_from("the a of said According to mayor “ ” , had plans would A.B. Ann".split()), max_size=300)
)
def test_a_speaker_is_found_in_the_words_of_the_sentence(words: list[str]) -> None:
    """Whoever is named stands there, in one piece."""
    found = attribution(" ".join(words))
    assert (found.who or "") in " ".join(words)
    assert (found.via or "") in " ".join(words)


@given(st.text(max_size=200))
def test_any_text_has_cues(text: str) -> None:
    """Nothing that stands in a sentence is an error; numbers and dates are words of it."""
    assert all(number.text in text for number in numbers(text))
    assert all(date.text in text for date in dates(text))
    assert hedges(text) == (stance(text) in ("reported", "claimed", "conditional", "joke", "opinion"))
    assert polarity(text) in ("affirmed", "negated")
    assert kind(text) in ("fact", "quote", "plan", "reaction", "background")
    assert attribution(text).type in ("author", "named", "anonymous", "social")
