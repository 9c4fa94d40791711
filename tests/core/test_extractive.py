"""Which sentences are chosen, and how many."""

from collections.abc import Callable

import msgspec
import pytest

from service.core.extractive import MOST_POINTS, MOST_WORDS, draft, focus_found, readable_words, word_limit
from service.core.text import count_words
from service.core.types import Draft, Length, Options, Source

Read = Callable[..., tuple[Source, ...]]

LENGTHS: tuple[Length, ...] = ("brief", "standard", "detailed")


def word_count(drafted: Draft) -> int:
    """Words of all points."""
    return sum(count_words(point.text) for point in drafted.points)


def sentences_of(read: Source) -> list[str]:
    """The texts of the readable sentences."""
    return [read.text[sentence.start : sentence.end] for sentence in read.readable]


@pytest.mark.parametrize("length", LENGTHS)
def test_every_length_keeps_its_bounds(sources: Read, see_you: str, length: Length) -> None:
    """Words and points stay within what the length stands for."""
    read = sources(see_you)
    drafted = draft(read, Options(length=length))
    assert 0 < word_count(drafted) <= word_limit(Options(length=length), readable_words(read)) <= MOST_WORDS[length]
    assert len(drafted.points) <= MOST_POINTS[length]


def test_longer_summaries_have_more_points(sources: Read, see_you: str) -> None:
    """Brief, standard, detailed: each has more than the one before."""
    counts = [len(draft(sources(see_you), Options(length=length)).points) for length in LENGTHS]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("most", [7, 10, 20, 40, 75, 150, 400])
def test_max_words_is_kept_whenever_a_sentence_fits(sources: Read, see_you: str, most: int) -> None:
    """And there is a point then."""
    assert 0 < word_count(draft(sources(see_you), Options(max_words=most))) <= most


def test_where_no_sentence_fits_the_shortest_is_given_whole(sources: Read, see_you: str) -> None:
    """Nothing is ever cut; that it is too long is reported with the result."""
    read = sources(see_you)
    (point,) = draft(read, Options(max_words=1)).points
    assert point.quotes[0].quote in sentences_of(read[0])
    assert count_words(point.text) == 6


def test_a_very_short_sentence_serves_where_nothing_else_fits(sources: Read) -> None:
    """Sentences of under four words are left out otherwise."""
    read = sources("It rained hard. The long story of the rain began with a cloud over the sea.")
    assert [point.text for point in draft(read, Options(max_words=3)).points] == ["It rained hard."]
    assert "It rained hard." not in [point.text for point in draft(read, Options()).points]


def test_a_short_text_may_be_its_own_summary() -> None:
    """A sentence of six words is not over a bound that nobody asked for."""
    assert word_limit(Options(), 6) == 6
    assert word_limit(Options(length="brief"), 1) == 1


def test_points_are_sentences_of_the_source_in_its_order(sources: Read, see_you: str) -> None:
    """Each quotes one sentence whole, with its number."""
    (read,) = sources(see_you)
    text_of = {sentence.number: see_you[sentence.start : sentence.end] for sentence in read.readable}
    quotes = [point.quotes[0] for point in draft([read], Options()).points]
    assert all(quote.sentence is not None and text_of[quote.sentence] == quote.quote for quote in quotes)
    numbers = [quote.sentence or 0 for quote in quotes]
    assert numbers == sorted(numbers)


def test_a_point_is_one_line_without_emphasis_marks(sources: Read, see_you: str) -> None:
    """The quote keeps the marks that the source has."""
    points = draft(sources(see_you), Options(length="detailed")).points
    assert any("*I See You*" in point.quotes[0].quote and "I See You" in point.text for point in points)
    assert not any("*" in point.text or "\n" in point.text for point in points)


def test_tweets_and_their_jokes_are_never_points(sources: Read, musk: str) -> None:
    """Not the signed ones, and not the lines of dialogue before a signature, however long the summary."""
    for options in (
        Options(length="detailed", max_words=1_000),
        Options(max_words=3),
        Options(focus="Producer virus globe"),
    ):
        for point in draft(sources(musk), options).points:
            assert not point.text.startswith(("Producer:", "Tom Cruise:", "YO TOM", "https://", "& I CANT"))
            assert "@" not in point.text


def test_masked_sentences_are_never_points(sources: Read, cruise: str) -> None:
    """However long the summary, it ends where the article ends."""
    read = sources(cruise)
    tail = read[0].masked[0].start
    start_of = {sentence.number: sentence.start for sentence in read[0].sentences}
    points = draft(read, Options(length="detailed", max_words=2_000)).points
    assert all(start_of[point.quotes[0].sentence or 0] < tail for point in points)


def test_there_is_a_point_of_every_document(sources: Read, cruise: str, see_you: str, musk: str) -> None:
    """Even in a brief summary of three."""
    for length in LENGTHS:
        points = draft(sources(cruise, see_you, musk), Options(length=length)).points
        assert {point.quotes[0].document for point in points} == {"d1", "d2", "d3"}


def test_a_plain_document_beside_a_strong_one_has_a_point(sources: Read, see_you: str) -> None:
    """The best of each document comes first, even if all of another's are better."""
    points = draft(sources(see_you, "It was so then and it was so there!"), Options()).points
    assert "d2" in {point.quotes[0].document for point in points}


def test_a_focus_on_scott_kelly_puts_him_first(sources: Read, see_you: str) -> None:
    """The headline and the points that matter most are about him; without a focus the headline is not."""
    drafted = draft(sources(see_you), Options(focus="Scott Kelly", length="brief"))
    assert "Kelly" in drafted.headline
    assert all("Kelly" in point.text for point in drafted.points if point.importance == "must")
    assert "Kelly" not in draft(sources(see_you), Options(length="brief")).headline


def test_the_title_of_the_only_document_is_the_headline(sources: Read, musk: str) -> None:
    """Nobody knows better; several titles would be several headlines."""
    (read, other) = sources(musk, "It rained hard on the town today.")
    titled = msgspec.structs.replace(read, document=msgspec.structs.replace(read.document, title="A film in space"))
    assert draft([titled], Options()).headline == "A film in space"
    assert draft([titled, other], Options()).headline != "A film in space"
    assert draft(sources(f"# A *film* in space\n\n{musk}"), Options()).headline == "A film in space"


def test_a_headline_is_a_sentence_of_a_document(sources: Read, cruise: str, see_you: str, musk: str) -> None:
    """From its first five, and with a name, in all the seeds and over all of them, whatever the length."""
    for texts in ((cruise,), (see_you,), (musk,), (cruise, see_you, musk)):
        read = sources(*texts)
        tops = {" ".join(text.split()).replace("*", "") for source in read for text in sentences_of(source)[:5]}
        assert {draft(read, Options(length=length)).headline for length in LENGTHS} <= tops


@pytest.mark.parametrize(
    "bad",
    [
        "Will the old bridge of Lisbon in Portugal close, as Mayor Ana Ruiz of Lisbon told the Gazette?",
        "“We will close the old bridge of Lisbon in Portugal,” Mayor Ana Ruiz of Lisbon told the Lisbon Gazette.",
        "It will close the old bridge of Lisbon in Portugal in May 2027, Mayor Ana Ruiz told the Lisbon Gazette.",
        "In a letter to Mayor Ana Ruiz on Monday, it said that the bridge of Lisbon in Portugal would close in 2027.",
        "From next year the 340 people of the old town will walk for 5 miles, residents said of the 3 plans.",
        "By Ana Ruiz and Jo Ray of the Lisbon Gazette in Portugal",
        "- " + "Mayor Ana Ruiz of Lisbon in Portugal told the Gazette of the bridge and " * 5 + "left.",
    ],
)
def test_what_cannot_stand_alone_is_no_headline(sources: Read, bad: str) -> None:
    """Questions, quotations, sentences without a subject or a name, bylines and long ones; even if they score best."""
    good = "The council of the town voted to close an old bridge near Porto."
    assert draft(sources(f"{bad}\n\n{good}\n\nIt rained a bit today."), Options(max_words=200)).headline == good


def test_where_nothing_can_stand_alone_there_is_a_headline_all_the_same(sources: Read) -> None:
    """The best of what there is."""
    assert draft(sources("it was so then and it was so there"), Options()).headline


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- Mayor Ana Ruiz closed the bridge.", "Mayor Ana Ruiz closed the bridge."),
        ("> *The Gazette* reported it on Monday.", "The Gazette reported it on Monday."),
        ("1. Jo Ray was glad of it all.", "Jo Ray was glad of it all."),
    ],
)
def test_marks_of_lists_and_quotations_stay_in_the_quote(sources: Read, text: str, line: str) -> None:
    """The point is a sentence; what it quotes is the source's own text."""
    drafted = draft(sources(text), Options())
    (point,) = drafted.points
    assert (drafted.headline, point.text, point.numbers) == (line, line, ())
    assert point.quotes[0].quote == text


def test_headings_bylines_and_datelines_are_no_points(sources: Read) -> None:
    """They say nothing that happened."""
    text = (
        "## What comes next for the old bridge\n\nBy Ana Ruiz of the Gazette\n\n14 October 2025 at 10:30 in Lisbon\n\n"
        "It closed on Monday after a long dispute.\n"
    )
    points = draft(sources(text), Options(max_words=100)).points
    assert [point.text for point in points] == ["It closed on Monday after a long dispute."]


def test_words_like_the_are_no_focus(sources: Read, see_you: str) -> None:
    """A focus on what the text does not mention changes nothing, whatever small words it has."""
    read = sources(see_you)
    assert not focus_found(read, "the zebra in Berlin")
    assert draft(read, Options(focus="the zebra in Berlin")) == draft(read, Options())


def test_a_focus_that_only_tweets_mention_is_not_found(sources: Read, musk: str) -> None:
    """What can never be a point cannot be leaned towards."""
    assert not focus_found(sources(musk), "pandemic")
    assert focus_found(sources(musk), "franchise")


def test_the_same_sentence_is_chosen_once(sources: Read) -> None:
    """A text that repeats itself has one point."""
    assert len(draft(sources("It rained hard on the town today. " * 50), Options()).points) == 1


def test_the_same_sentence_in_two_documents_is_one_point_with_two_quotes(sources: Read, musk: str) -> None:
    """Two identical documents make the summary of one, cited from both."""
    points = draft(sources(musk, musk), Options()).points
    assert len({point.text for point in points}) == len(points)
    assert all([quote.document for quote in point.quotes] == ["d1", "d2"] for point in points)


def test_a_sentence_that_goes_on_quoting_has_the_speaker_of_the_one_before(sources: Read, see_you: str) -> None:
    """The second quotation of a paragraph is Iervolino's too."""
    points = draft(sources(see_you), Options(focus="emotional truth and scientific realism")).points
    (point,) = [point for point in points if point.text.startswith("‘His experience brings")]
    assert (point.kind, point.attribution.who) == ("quote", "Iervolino")


def test_the_rules_for_english_are_left_out_elsewhere(sources: Read) -> None:
    """In another language no stance, number or date is claimed to be known."""
    (read,) = sources("He reportedly denied that 340 people came in May 2020 to see the film.")
    (point,) = draft([msgspec.structs.replace(read, language="de")], Options()).points
    assert (point.stance, point.numbers, point.dates) == ("asserted", (), ())


def test_sources_without_sentences_give_an_empty_draft() -> None:
    """Nothing in, nothing out."""
    assert draft([], Options()) == Draft(headline="", abstract=(), points=())
