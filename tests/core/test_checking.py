"""What keeps a point from being shown, and what a reader is warned of: a claim against its own quotes."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.checking import blocking, warnings
from service.core.grounding import Index, build_index, locate
from service.core.types import (
    Attribution,
    Check,
    Date,
    Document,
    DraftPoint,
    DraftQuote,
    Evidence,
    Match,
    Polarity,
    Sentence,
    Source,
    Stance,
)


def read(text: str, name: str = "d", language: str | None = "en") -> Source:
    """Read a text naively: a paragraph a line, a sentence ends at ". "."""
    sentences: list[Sentence] = []
    for paragraph, line in enumerate(re.finditer(r"[^\n]*[^\n\s][^\n]*", text), start=1):
        for found in re.finditer(r"\S.*?(?:\. |$)", line.group()):
            start, end = line.start() + found.start(), line.start() + len(line.group()[: found.end()].rstrip())
            sentences.append(Sentence(number=len(sentences) + 1, start=start, end=end, paragraph=paragraph))
    return Source(document=Document(id=name, text=text), language=language, sentences=tuple(sentences))


def cite(index: Index, *quotes: str) -> list[Evidence]:
    """Locate quotes of the only document; each stands there."""
    found = [locate(DraftQuote(quote=quote, document="d"), index) for quote in quotes]
    return [place for place in found if isinstance(place, Evidence)]


def blocked(claim: str, quote: str, text: str = "", language: str | None = "en") -> list[str]:
    """Codes that block a claim; the text is the quote where none is given."""
    index = build_index([read(text or quote, language=language)])
    places = cite(index, quote)
    assert places
    return [check.code for check in blocking(DraftPoint(text=claim, quotes=()), places, index)]


def warned(  # noqa: PLR0913 - the fields of a point, by name
    claim: str,
    quote: str | Sequence[str],
    text: str = "",
    *,
    stance: Stance = "asserted",
    polarity: Polarity = "affirmed",
    who: Attribution | None = None,
    dates: tuple[Date, ...] = (),
    forms: dict[str, frozenset[str]] | None = None,
    language: str | None = "en",
) -> list[str]:
    """Codes that a claim is flagged with."""
    quotes = [quote] if isinstance(quote, str) else list(quote)
    index = build_index([read(text or " ".join(quotes), language=language)])
    places = cite(index, *quotes)
    assert len(places) == len(quotes)
    point = DraftPoint(
        text=claim, quotes=(), stance=stance, polarity=polarity, attribution=who or Attribution(), dates=dates
    )
    return [check.code for check in warnings(point, places, index, forms or {})]


# --- what blocks -----------------------------------------------------------------------------------------------------


def test_a_number_or_a_url_beyond_the_evidence_blocks() -> None:
    """How they compare is told by `figures`."""
    assert blocked("It took 340 days.", "It took 340 days, see t.co/x.") == []
    assert blocked("It took 430 days.", "It took 340 days, see t.co/x.") == ["number_mismatch"]
    assert blocked("It took days, see t.co/y.", "It took 340 days, see t.co/x.") == ["url_not_in_source"]


def test_a_number_cut_by_its_quote_is_whole_again() -> None:
    """The source says "£5 million", and a quote that ends before the last word does not make it £5."""
    text = "It cost £5 million for twenty-two men."
    assert blocked("It cost £5.", "It cost £5", text) == ["number_mismatch"]
    assert blocked("It cost £5 million.", "It cost £5", text) == []
    assert blocked("It cost $5 million.", "5 million", text) == ["number_mismatch"]
    assert blocked("Two men came.", "two men", text) == ["number_mismatch"]


# --- hedges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "quote", "text"),
    [
        ("The film is set in space.", "The film is reportedly set in space.", ""),
        ("The film is set in space.", "the film is set in space", "According to insiders, the film is set in space."),
        ("It reshapes cinema.", "reshape cinema", "The film could reshape cinema."),
        ("Talks are at an advanced stage.", "talks are at an advanced stage",
         "Sources say talks are at an advanced stage."),
        ("The bridge opens on time.", "The bridge opens on time if the weather holds.", ""),
    ],
)  # fmt: skip
def test_a_hedge_that_is_left_out_is_missed(claim: str, quote: str, text: str) -> None:
    """In the quote, or in its sentence where it governs the quote."""
    assert warned(claim, quote, text) == ["hedge_dropped"]


@pytest.mark.parametrize(
    ("claim", "quote", "text"),
    [
        ("The film is said to be set in space.", "The film is reportedly set in space.", ""),
        ("The film may be set in space.", "The film could be set in space.", ""),
        ("Not all scenes are filmed in orbit.", "not all scenes are filmed in orbit",
         "While some footage will likely be shot in space, not all scenes are filmed in orbit."),
        ("The mayor opened the bridge.", "The mayor opened the bridge in May 2020.", ""),
        ("The mayor opened the bridge.", "The mayor opened the bridge, best known for its lamps.", ""),
        ("Those people saw the ground.", "the people who could see the ground",
         "It asked the people who could see the ground."),
        ("The film is set in space.", "the film is set in space",
         "“He reportedly left,” Ann added, as the film is set in space."),
    ],
)  # fmt: skip
def test_a_hedge_that_is_kept_or_of_another_clause_is_not_missed(claim: str, quote: str, text: str) -> None:
    """Nor is the month of May one, nor a word that only somebody quoted has."""
    assert warned(claim, quote, text, polarity="negated" if "Not" in claim else "affirmed") == []


def test_one_flat_quote_is_enough() -> None:
    """Where the source says it as a fact elsewhere, nothing was dropped."""
    quotes = ["The film is reportedly set in space.", "The film is set in space, the studio shows."]
    assert warned("The film is set in space.", quotes) == []


def test_a_point_that_says_that_it_is_reported_drops_nothing() -> None:
    """The field says it, if the words do not."""
    assert warned("The film is set in space.", "The film is reportedly set in space.", stance="reported") == []


# --- negations and superlatives --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The film will be part of the series.", "The film won’t be a part of the series."),
        ("The film is not part of the series.", "The film is a part of the series."),
        ("The project has materialised.", "The project has yet to materialise."),
    ],
)
def test_the_same_words_with_and_without_a_negation_are_flagged(claim: str, quote: str) -> None:
    """Whichever side has it."""
    assert "negation" in warned(claim, quote, polarity="negated" if " not " in claim else "affirmed")


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The project has not materialised.", "The project has yet to materialise."),
        ("Details have not been disclosed.", "Details remain under wraps."),
        ("No studio has signed on.", "A studio has yet to sign on."),
        ("The Authority did nothing with the warning.", "The Authority owned a warning and did nothing with it."),
        ("The bridge is not open.", "The bridge is closed and nobody may open it."),
        ("The two men, who came late, did not see it.", "The two men had not been present, and came late."),
        ("It has not delayed the machine.", "The delay to the machine was nil."),
        ("It is not a finding of the board.", "It should not be repeated as a finding of the board."),
    ],
)
def test_a_negation_may_be_put_in_other_words(claim: str, quote: str) -> None:
    """What is under wraps is not disclosed."""
    assert "negation" not in warned(claim, quote, polarity="negated")


REVERSED = [
    ("The script is not being written by Andrew Schneider and Diane Frolov.",
     "The script is being written by husband-and-wife team Andrew Schneider and Diane Frolov"),
    ("The film is not produced by Andrea Iervolino.",
     "The movie is being produced by Andrea Iervolino, an Italian-Canadian film producer and entrepreneur"),
    ("Iervolino has denied that he will travel to space himself when filming begins next year.",
     "Iervolino has confirmed that he will travel to space himself when filming begins next year"),
    ("All scenes will be filmed in orbit.",
     "While some footage will likely be shot in space, not all scenes will be filmed in orbit."),
    ("Details about the director, cast, plot and release date have been disclosed.",
     "details about the director, cast, plot, and release date remain under wraps"),
    ("The Cruise and Liman project has materialized.", "that project has yet to materialize"),
    ("Prices fell in the old town.", "Prices rose in the old town."),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "quote"), REVERSED)
def test_a_claim_that_says_the_opposite_of_its_quote_is_flagged(claim: str, quote: str) -> None:
    """By a negation, an idiom of not being so, or the opposite word; the polarity that is given does not matter."""
    assert "negation" in warned(claim, quote, polarity="affirmed")
    assert "negation" in warned(claim, quote, polarity="negated")


def test_the_words_of_a_reversed_claim_may_stand_in_several_quotes() -> None:
    """One quote has the verb, another one who did it."""
    claim = "Retired NASA astronaut Scott Kelly has not joined I See You as a script advisor, according to Deadline."
    quotes = ["has joined the *I See You* project as a script advisor, according to Deadline",
              "Retired NASA astronaut Scott Kelly, a veteran of four space flights"]  # fmt: skip
    assert "negation" in warned(claim, quotes, polarity="negated")


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("His ambitions have a precedent.", "His ambitions are not without precedent."),
        ("The rules would apply without a flood too.", "The rules would apply whether or not it flooded."),
        ("The lamp was known to the board.", "The lamp was not unknown to the board."),
        ("A fee of 9 crowns instead of 6 crowns is due.", "A fee of 9 crowns is due, and of 6 crowns before."),
        ("The firm accepts the bonus but denies that the bonus swayed it.",
         "The firm does not dispute the bonus, but it denies that the bonus swayed it."),
    ],
)  # fmt: skip
def test_two_negations_and_other_wordings_of_the_same_are_not_flagged(claim: str, quote: str) -> None:
    """What is not without precedent has one."""
    assert "negation" not in warned(claim, quote)


def test_some_is_not_all_without_a_not() -> None:
    """A claim of some scenes agrees with a source that says not all; a roof may fall and nobody be hurt."""
    assert warned("Some scenes are filmed in orbit.", "Not all scenes are filmed in orbit.") == []
    assert warned("The old roof fell in.", "No one was hurt when the old roof fell in.") == []


def test_the_polarity_of_a_point_is_that_of_its_words() -> None:
    """Only where the claim is one clause; a longer one has several."""
    assert warned("The film is not a series.", "The film is not a series.", polarity="affirmed") == ["negation"]
    assert warned("The film is a series.", "The film is a series.", polarity="negated") == ["negation"]
    assert warned("The film is late, and it is not a series.", "The film is late, and it is not a series.") == []


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("It is the first film shot in space.", "It is a film shot in space."),
        ("It is the only film shot in space.", "It is a film shot in space."),
        ("It is the largest film studio.", "It is a large film studio."),
        ("It has never flown before launch.", "It has flown before launch."),
        ("All scenes were shot in space.", "Scenes were shot in space."),
        ("It is an unprecedented film in space.", "It is a new film in space."),
        ("It is the most costly film.", "It is a costly film."),
    ],
)
def test_a_claim_of_uniqueness_needs_one_in_the_evidence(claim: str, quote: str) -> None:
    """First, only, never, largest, all: a word of that sort stands in the sentences that are cited."""
    assert "superlative" in warned(claim, quote)


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("It is the first film shot in space.", "It is the first-ever film shot in space."),
        ("It is unprecedented in film.", "It is the first of its kind in film."),
        ("He first said so in the film.", "He said so in the film."),
        ("It is only at an early stage.", "It is at an early stage."),
        ("The first half of the film is late.", "Half of the film is late."),
        ("It is the biggest studio of the film.", "It is the largest studio of the film."),
        ("Its writer is best known for films.", "Its writer is known for films."),
        ("All scenes were shot in space.", "Every scene was shot in space."),
        ("The hole was never revisited.", "The hole was not revisited."),
    ],
)
def test_a_word_of_order_or_of_the_same_sort_is_none(claim: str, quote: str) -> None:
    """What comes first in a row is not the first of all."""
    assert warned(claim, quote, polarity="negated" if "never" in claim else "affirmed") == []


# --- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("It opened in 2016.", "It opened in March 2016."),
        ("It opened on 5 May 2020.", "It opened on May 5th, 2020."),
        ("It opened on May 5, 2020.", "It opened 2020-05-05."),
        ("It opened on 5 May 2020.", "It opened 5/5/2020."),
        ("It opened in March.", "It opened on 3 March."),
        ("It may open to 2000 guests.", "It may open to 2,000 guests."),
        ("It opened in May 2020.", "It opened on the 5th of May, 2020."),
        ("It opened next year.", "It opened then."),
        ("It opened on 3 March 2021.", "It opened on the third of March 2021."),
        ("It opened on 23 March.", "It opened on the twenty-third of March."),
    ],
)
def test_a_date_may_be_written_in_another_way(claim: str, quote: str) -> None:
    """Only what the claim states is asked of the evidence."""
    assert warned(claim, quote) == []


@pytest.mark.parametrize(
    "claim", ["It opened in 2017.", "It opened in April 2016.", "It opened on 6 March 2016.", "It opened since April."]
)
def test_a_date_that_the_evidence_does_not_hold_is_flagged(claim: str) -> None:
    """A year, a month or a day."""
    assert warned(claim, "It opened on 5 March 2016.") == ["date"]


def test_a_date_that_is_called_inferred_is_not_missed() -> None:
    """The reader is told that it was worked out."""
    dates = (Date(text="next year", iso="2026-11", basis="inferred"),)
    assert warned("It opens in November 2026.", "It opens next year.", dates=dates) == []
    assert warned("It opens in November 2027.", "It opens next year.", dates=dates) == ["date"]


def test_a_stated_date_of_a_point_has_its_year_in_the_evidence() -> None:
    """What the point lists counts as what it says."""
    dates = (Date(text="then", iso="2020-05-05", basis="stated"),)
    assert warned("It opened then.", "It opened then.", dates=dates) == ["date"]
    assert warned("It opened then.", "It opened then, in 2020.", dates=dates) == []


# --- names and speakers ----------------------------------------------------------------------------------------------

STORY = (
    "Ann Lee leads the firm. It is old. He met Bo Ray there. He said that they plan a film.\nRussian Cy Fox flew home."
)


def test_a_name_stands_in_the_evidence_or_near_it() -> None:
    """In its paragraph and the two sentences before it; a "he" has a name there."""
    quote = "they plan a film"
    assert warned("The firm of Ann Lee and Bo Ray, he said, plans a film.", quote, STORY) == []
    assert warned("The firm of Ann Lee and Cy Fox, he said, plans a film.", quote, STORY) == ["name"]
    assert warned("The firm of Dee Poe, he said, plans a film.", quote, STORY) == ["name"]


def test_a_name_may_have_another_form() -> None:
    """An alias, initials, a possessive, and the adjective of a country."""
    forms = {form: frozenset({"Ann Lee", "Lee"}) for form in ("Ann Lee", "Lee")}
    assert warned("It is Ann Lee who flew home.", "Lee flew home.", forms=forms) == []
    assert warned("It is Ann Lee who flew home.", "Lee flew home.") == ["name"]
    assert warned("He left the International Space Station today.", "He left the ISS today.") == []
    assert warned("He left the ISS today.", "He left the International Space Station today.") == []
    assert warned("A man from Russia flew home.", "A Russian man flew home.") == []


def test_an_institution_may_call_itself_we() -> None:
    """The words "the Inquiry" name what the whole document speaks for; a name without an article is one."""
    text = "The inquiry sat for a year.\nIt rained.\nIt snowed.\nWe make no finding."
    claim = "On that the Inquiry says: we make no finding."
    assert warned(claim, "We make no finding.", text, polarity="negated") == []
    assert warned(claim.replace("Inquiry", "Court"), "We make no finding.", text, polarity="negated") == ["name"]


def test_a_name_that_opens_a_claim_is_known_from_the_sources() -> None:
    """Any word may have a capital there."""
    text = "Ann flew home today.\nIt rained there.\nIt rained again.\nIt rained there.\nBo flew home today."
    assert warned("Bo flew home today.", "Ann flew home today.", text, forms={"Bo": frozenset({"Bo"})}) == ["name"]
    assert warned("Flying home today, she flew.", "Ann flew home today.", text) == []


def test_a_speaker_is_named_within_one_sentence() -> None:
    """By any word of the name, or of another form of it."""
    text = "Ann Lee spoke. It is late. “It is old,” she said. It rained. It snowed."
    named = Attribution(who="Ann Lee", type="named")
    assert warned("It is late, she said.", "It is late.", text, who=named) == []
    assert warned("It rained, she said.", "It rained.", text, who=named) == ["speaker"]
    assert warned("It rained, she said.", "It rained.", text, who=Attribution(who="Ann Lee")) == []


@pytest.mark.parametrize("who", ["insiders", "Unnamed sources", "Skeptics and others"])
def test_anonymous_speakers_are_known_by_their_kind(who: str) -> None:
    """Whatever they are called, somebody unnamed speaks there."""
    anonymous = Attribution(who=who, type="anonymous")
    assert warned("The talks are late, insiders say.", "The talks are late, insiders say.", who=anonymous) == []
    assert warned("The talks are late, it says.", "The talks are late.", who=anonymous) == ["speaker"]


# --- posts, words in common, nearly matched quotes -------------------------------------------------------------------

POST = (
    "It rained.\nProducer: We film in space.\n"
    "Tom: We leave the globe. https://t.co/x — Stew (@stew) May 5, 2020\nIt is late."
)


def test_a_post_is_no_report() -> None:
    """What stands in one, its dialogue included, is said so, or a joke."""
    claim, quote = "They film in space.", "We film in space."
    assert warned(claim, quote, POST) == ["social"]
    assert warned(claim, quote, POST, stance="joke") == []
    assert warned(claim, quote, POST, who=Attribution(who="Stew", type="social")) == ["speaker"]
    assert warned("It is late.", "It is late.", POST) == []


def test_a_claim_shares_words_with_its_evidence() -> None:
    """A paraphrase does; what is about something else does not."""
    quote = "The board paid the builder after the flood."
    text = f"{quote}\nA film was shot by a crew in orbit."
    assert warned("After flooding, the builder was given money by the board.", quote, text) == []
    assert warned("A film was shot by a crew in orbit.", quote, text) == ["support"]


@pytest.mark.parametrize("match", ["exact", "normalised", "ellipsis"])
def test_only_a_nearly_matched_quote_is_flagged_for_it(match: Match) -> None:
    """In any language."""
    index = build_index([read("Es ist alt.", language="de")])
    (place,) = cite(index, "Es ist alt.")
    near = Evidence(**{**{name: getattr(place, name) for name in place.__struct_fields__}, "match": "fuzzy"})
    other = Evidence(**{**{name: getattr(place, name) for name in place.__struct_fields__}, "match": match})
    point = DraftPoint(text="Es ist sehr alt.", quotes=())
    assert [check.code for check in warnings(point, [other, near], index, {})] == ["fuzzy"]
    assert warnings(point, [other], index, {}) == ()


# --- in general ------------------------------------------------------------------------------------------------------


def test_what_needs_word_lists_is_left_out_for_other_languages() -> None:
    """Of the source, or of the claim."""
    assert warned("It is the first film, by Ann Lee.", "Es ist ein Film.", language="de") == []
    assert warned("Le film est le premier de la ville, dans une salle.", "It is a film.") == []


def test_warnings_say_what_is_wrong_and_are_no_two_of_a_kind() -> None:
    """One a code, in a sentence."""
    index = build_index([read("It is a film.")])
    point = DraftPoint(text="It is the first, the only film by Bo Ray and Cy Fox in 2019 and 2020.", quotes=())
    found: tuple[Check, ...] = warnings(point, cite(index, "It is a film."), index, {})
    codes = [check.code for check in found]
    assert len(set(codes)) == len(codes)
    assert {"superlative", "date", "name"} <= set(codes)
    assert all(check.severity == "warning" and check.detail.endswith(".") for check in found)


@given(st.text(max_size=80), st.text(min_size=1, max_size=80))
def test_any_claim_can_be_checked(claim: str, text: str) -> None:
    """Nothing that stands in one is an error, and a copy never blocks."""
    index = build_index([read(text)])
    place = Evidence(
        document="d", sentence=1, quote=text, start=0, end=len(text), prefix="", suffix="", match="exact"
    )  # fmt: skip
    point = DraftPoint(text=claim, quotes=(), attribution=Attribution(who=claim, type="named"))
    warnings(point, [place], index, {})
    blocking(point, [place], index)
    assert blocking(DraftPoint(text=text, quotes=()), [place], index) == ()
