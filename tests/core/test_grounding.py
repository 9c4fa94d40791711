"""How a quote is verified. Read from the top: it is the ladder that every quote climbs, and where it must fall off."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from service.core.grounding import Index, Missing, build_index, locate
from service.core.lexicon import (
    HEDGES,
    MODALS,
    NEGATIONS,
    NUMBER_WORDS,
    OPPOSITES,
    QUANTIFIERS,
    protected_difference,
    tokenise,
)
from service.core.types import Document, DraftQuote, Evidence, MaskedSpan, Sentence, Source

SEEDS = Path(__file__).parents[2] / "seeds"
CRUISE, SEE_YOU, MUSK = (
    SEEDS.joinpath(name).read_text(encoding="utf-8")
    for name in ("000_b955a2e84f27efdf.txt", "002_88dcc4990b9baeb7.txt", "004_71949b67d0e150d2.txt")
)
TEASERS = CRUISE.index("News\nStefon Diggs")
PROTECTED = sorted(word for word in NEGATIONS | MODALS | HEDGES | QUANTIFIERS if " " not in word)


def read(text: str, name: str = "d", language: str | None = "en", masked_from: int | None = None) -> Source:
    """Read a text naively: a paragraph a line, a sentence ends at ". "."""
    sentences: list[Sentence] = []
    for paragraph, line in enumerate(re.finditer(r"[^\n]*[^\n\s][^\n]*", text), start=1):
        for found in re.finditer(r"\S.*?(?:\. |$)", line.group(), flags=re.DOTALL):
            start, end = line.start() + found.start(), line.start() + len(line.group()[: found.end()].rstrip())
            sentence = Sentence(number=len(sentences) + 1, start=start, end=end, paragraph=paragraph)
            sentences.append(sentence)
    masked = () if masked_from is None else (MaskedSpan(start=masked_from, end=len(text), reason="teasers"),)
    document = Document(id=name, text=text)
    return Source(document=document, language=language, sentences=tuple(sentences), masked=masked)


SEED_SOURCES = build_index([read(CRUISE, "cruise", masked_from=TEASERS), read(SEE_YOU, "see-you"), read(MUSK, "musk")])
SEED_SENTENCES = [
    (sentence, source)
    for source in (entry.source for entry in SEED_SOURCES.documents.values())
    for sentence in source.sentences
    if len(source.text[sentence.start : sentence.end].split()) >= 8 and not source.masked
]


def find(quote: str, sources: Index | str, document: str = "d", sentence: int | None = None) -> Evidence | Missing:
    """Locate a quote in the seeds, or in a text of its own."""
    index = build_index([read(sources)]) if isinstance(sources, str) else sources
    return locate(DraftQuote(quote=quote, document=document, sentence=sentence), index)


def found(quote: str, sources: Index | str, document: str = "d", sentence: int | None = None) -> Evidence:
    """Locate a quote that is there."""
    result = find(quote, sources, document, sentence)
    assert isinstance(result, Evidence), result
    return result


def missing(quote: str, sources: Index | str, document: str = "d", sentence: int | None = None) -> Missing:
    """Locate a quote that cannot be verified."""
    result = find(quote, sources, document, sentence)
    assert isinstance(result, Missing), result
    return result


# --- 1. as it stands -------------------------------------------------------------------------------------------------


def test_a_copied_quote_is_exact() -> None:
    """A quote that stands in the source letter for letter is found with its place, sentence and surroundings."""
    evidence = found("340 days, set in March 2016", SEED_SOURCES, "see-you")
    assert evidence.match == "exact"
    assert SEE_YOU[evidence.start : evidence.end] == evidence.quote == "340 days, set in March 2016"
    assert evidence.prefix == "gle spaceflight by a NASA astronaut—340"[-3 - 32 : -3]
    assert evidence.suffix == SEE_YOU[evidence.end : evidence.end + 32]
    sentence = SEED_SOURCES.documents["see-you"].source.sentences[evidence.sentence - 1]
    assert sentence.start <= evidence.start < sentence.end


def test_of_several_places_the_one_nearest_to_the_named_sentence_is_taken() -> None:
    """The same words may stand twice; the engine says which it read."""
    text = "He will fly to space. Nothing here. Nothing there. He will fly to space. He left."
    first, second = text.index("He will"), text.rindex("He will")
    starts = [found("He will fly to space", text, sentence=number).start for number in (1, 2, 3, 4, 5)]
    assert starts == [first, first, second, second, second]
    sentences = [Sentence(number=n, start=4 * n - 4, end=4 * n, paragraph=1) for n in (1, 2)]
    adjoining = Source(document=Document(id="d", text="他会飞。" * 2), language="zh", sentences=tuple(sentences))
    assert found("他会飞", build_index([adjoining]), sentence=2).start == 4


def test_without_a_named_sentence_the_first_place_is_taken() -> None:
    """So it is for a sentence number that does not exist."""
    text = "He will fly to space. He left. He will fly to space."
    assert found("He will fly to space", text).start == 0
    assert found("He will fly to space", text, sentence=99).start == 0


def test_a_wrong_sentence_number_does_not_hide_a_quote() -> None:
    """After the neighbourhood of the named sentence the whole document is searched."""
    text = "He left. " * 1_000 + "He will fly to space."
    assert found("He will fly to space", text, sentence=1).start == text.index("He will fly")


def test_white_space_around_a_quote_is_none_of_it() -> None:
    """It is neither looked for nor stored."""
    assert found("  He will fly\n", "Now He will fly there").quote == "He will fly"


def test_a_quote_is_not_found_inside_words_or_numbers() -> None:
    """The letters are there, the words are not."""
    text = "It sold 1,600.5 copies because restart artists can't fly home."
    for part in ("art artists", "600.5 copies because", "It sold 1", "It sold 1,600", "start artists can't fly"):
        assert missing(part, text).reason == "not_found"


def test_a_quote_does_not_stop_before_an_nt() -> None:
    """What "Cruise won't" says is not "Cruise won", though the letters are there."""
    for mark in "'’":
        assert missing("the actor Tom Cruise won", f"Now the actor Tom Cruise won{mark}t fly.").reason == "not_found"
        assert missing("the actor can", f"Now the actor can{mark}t fly.").reason == "not_found"
    assert found("the actor Tom Cruise", "Now the actor Tom Cruise’s film").match == "exact"


def test_scripts_without_spaces_have_borders_everywhere() -> None:
    """In Chinese a quote begins and ends between any two signs."""
    evidence = found("演员将在国际空间站", "据报道演员将在国际空间站拍摄电影。")
    assert (evidence.match, evidence.quote) == ("exact", "演员将在国际空间站")


def test_a_very_long_quote_is_found() -> None:
    """Length is no reason to refuse an exact copy."""
    assert found(SEE_YOU[:5_000], SEED_SOURCES, "see-you").match == "exact"


# --- very short quotes -----------------------------------------------------------------------------------------------


def test_a_short_quote_must_be_unique_or_stand_in_the_named_sentence() -> None:
    """One or two words say little about where they were read."""
    text = "The film is new. The film is long. NASA helps."
    assert found("NASA", text).quote == "NASA"
    assert found("film", text, sentence=2).start == text.rindex("film")
    assert "too short to be placed" in missing("film", text).detail
    assert "too short to be placed" in missing("film", text, sentence=3).detail


def test_a_short_quote_that_stands_here_too_often_is_not_sent_to_another_document() -> None:
    """It is ambiguous, not misplaced."""
    index = build_index([read("The film is new. The film is long."), read("A film.", "other")])
    assert missing("film", index).reason == "not_found"


# --- 2. in other typography ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quote", "document", "stored"),
    [
        ('"If the audience knows it\'s real," he has said', "cruise", "“If the audience knows it’s real,” he has said"),
        ("a NASA astronaut-340 days, set", "see-you", "a NASA astronaut—340 days, set"),
        ("a romantic space drama titled I See You, is", "see-you", "a romantic space drama titled *I See You*, is"),
        ("titled *I See You*, is reportedly", "see-you", "titled *I See You*, is reportedly"),
        ("starting from next year. This ambitious", "see-you", "starting from next year.\n\nThis ambitious"),
        ("HOLLYWOOD IS ABOUT TO TAKE one giant leap", "see-you", "Hollywood is about to take one giant leap"),
        ("“Occupy Mars”", "musk", "Occupy Mars"),
        ("Hollywood is about to take one giant leap.", "see-you", "Hollywood is about to take one giant leap"),
        ("... is about to take one giant leap …", "see-you", "is about to take one giant leap"),
    ],
)
def test_typography_may_differ_and_the_source_is_what_is_stored(quote: str, document: str, stored: str) -> None:
    """Curly marks, dashes, asterisks, line breaks, case, marks and dots around: none of it is the wording."""
    evidence = found(quote, SEED_SOURCES, document)
    assert evidence.quote == stored
    assert evidence.match == ("exact" if quote == stored else "normalised")


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("a 340 days flight", "a\u00a0340\u2009days flight"),
        ("the film café opens", "the ﬁlm cafe\u0301 opens"),
        ("NASA has 16 rockets", "ＮＡＳＡ has １６ rockets"),
        ("super-long co-operation", "super\u00ad-long co\u2011operation"),
        ("I See You...", "I See You…"),
    ],
)
def test_compatible_characters_are_the_same(quote: str, text: str) -> None:
    """No-break spaces, ligatures, combining marks, full-width letters and soft hyphens are only other ways to write."""
    evidence = found(quote, text)
    assert (evidence.match, evidence.quote) == ("normalised", text)


def test_the_case_as_written_is_preferred() -> None:
    """A place that agrees in case comes before one that does not, however near that is."""
    text = "IT'S ALL REAL said he. It's all real said she."
    assert found("It’s all real said", text, sentence=1).quote == "It's all real said"


# --- 3. with an ellipsis ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dots", [" … ", "...", " [...] ", " […] ", "… "])
def test_an_ellipsis_stands_for_the_sources_own_words(dots: str) -> None:
    """The parts are found in order, and all that lies between them is stored."""
    evidence = found(f"Kelly holds the record{dots}by a NASA astronaut", SEED_SOURCES, "see-you")
    assert evidence.match == "ellipsis"
    assert evidence.quote == "Kelly holds the record for the longest single spaceflight by a NASA astronaut"


def test_an_ellipsis_may_end_with_a_stop_that_the_source_has_not() -> None:
    """So does a quote without one."""
    assert found("Kelly holds the record … 340 days.", SEED_SOURCES, "see-you").quote.endswith("340 days")


def test_an_ellipsis_stays_in_its_paragraph() -> None:
    """What two paragraphs say is not one statement, not even where they meet."""
    assert missing("giant leap with … a romantic space drama", SEED_SOURCES, "see-you").reason == "not_found"
    assert missing("movie shot in space. … The project, a romantic", SEED_SOURCES, "see-you").reason == "not_found"


def test_an_ellipsis_reaches_400_characters() -> None:
    """Beyond that, parts of different statements would be joined."""
    near, far = ("It was made here, " + "long " * count + "before he was born." for count in (70, 90))
    assert found("It was made … he was born", near).match == "ellipsis"
    assert missing("It was made … he was born", far).reason == "not_found"


def test_the_parts_of_an_ellipsis_keep_their_order() -> None:
    """Turned round they are not a quote."""
    assert missing("by a NASA astronaut … Kelly holds the record", SEED_SOURCES, "see-you").reason == "not_found"


def test_the_parts_of_an_ellipsis_are_not_single_short_words() -> None:
    """One short word before the dots could be anywhere."""
    assert missing("holds … by a NASA astronaut", SEED_SOURCES, "see-you").reason == "not_found"


def test_dots_of_the_source_are_not_an_ellipsis() -> None:
    """Where the source itself has the dots, nothing was left out."""
    assert found("World began… and it ends", "My World began… and it ends").match == "exact"
    assert found("World began... and it ends", "My World began… and it ends").match == "normalised"


# --- 4. nearly the same ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quote", "stored"),
    [
        (
            "emotional truth and scientific realism to our vision, reminding us love and humanity transcend",
            "emotional truth and scientific realism to our vision, reminding us that love and humanity transcend",
        ),
        (
            "Iervolino has assembled the team that includes an experienced NASA astronaut",
            "Iervolino has assembled a team that includes an experienced NASA astronaut",
        ),
        (
            "discussions to secure a rocket for this project are in advanced stages, signalling a potential leap",
            "discussions to secure a rocket for the project are in ‘advanced stages,’ signaling a potential leap",
        ),
    ],
)
def test_a_slip_of_the_pen_is_forgiven(quote: str, stored: str) -> None:
    """An article, a "that", a spelling: the source's own words are stored, and the match is called fuzzy."""
    evidence = found(quote, SEED_SOURCES, "see-you")
    assert (evidence.match, evidence.quote) == ("fuzzy", stored)


@pytest.mark.parametrize(
    ("difference", "quote"),
    [
        ("number", "Kelly holds the record for the longest single spaceflight by a NASA astronaut—430 days"),
        ("number", "In 2024, Russian filmmaker Klim Shipenko released *The Challenge*"),
        ("number word", "a veteran of three space flights and now a public speaker and author"),
        ("negation", "While some footage will likely be shot in space, all scenes will be filmed in orbit"),
        ("negation", "The idea of filming in space is entirely new, though Iervolino’s ambitions are arguably"),
        ("modal", "Iervolino has confirmed that he would travel to space himself when filming begins next year"),
        ("hedge", "is set to be filmed more than 60 miles above the Earth starting from next year"),
        ("hedge", "a script advisor, confirmed by Deadline"),
        ("quantifier", "the film’s production team has remained tight-lipped about most details, but the sheer scale"),
        ("opposite", "The history of space-related filmmaking dates forward before further"),
        ("name", "‘Having Mark Kelly on board is an extraordinary honour,’ Iervolino said"),
        ("name", "Shipenko has assembled a team that includes an experienced NASA astronaut"),
        ("name", "who had announced plans in Moscow for a space action movie several years ago"),
    ],
)
def test_a_word_that_changes_the_claim_is_never_forgiven(difference: str, quote: str) -> None:
    """Numbers, negations, modals, hedges, quantifiers, opposites and names must be copied."""
    result = missing(quote, SEED_SOURCES, "see-you")
    assert result.reason == "not_found"
    assert difference in result.detail or "near enough" in result.detail


def test_a_refusal_names_the_place_and_the_kind_of_word() -> None:
    """The one who repairs the quote learns where to look; the text itself is not repeated."""
    quote = "Kelly holds the record for the longest single spaceflight by a NASA astronaut—430 days"
    detail = missing(quote, SEED_SOURCES, "see-you").detail
    start = SEE_YOU.index("Kelly holds")
    assert f"[{start}:{start + len(quote)})" in detail
    assert "(number)" in detail
    assert "Kelly" not in detail


@given(st.sampled_from(SEED_SENTENCES), st.sampled_from(PROTECTED), st.data())
def test_a_protected_word_put_in_anywhere_is_never_verified(
    place: tuple[Sentence, Source], word: str, data: st.DataObject
) -> None:
    """A "not", "may", "reportedly" or "all" that the source has not is never overlooked."""
    sentence, source = place
    words = source.text[sentence.start : sentence.end].split()
    words.insert(data.draw(st.integers(0, len(words))), word)
    named = data.draw(st.sampled_from([None, sentence.number]))
    assert isinstance(find(" ".join(words), SEED_SOURCES, source.document.id, named), Missing)


@given(st.sampled_from(SEED_SENTENCES), st.data())
def test_a_protected_word_left_out_is_never_verified(place: tuple[Sentence, Source], data: st.DataObject) -> None:
    """Nor is one of the source that the quote drops from its middle."""
    sentence, source = place
    words = source.text[sentence.start : sentence.end].split()
    droppable = [at for at in range(1, len(words) - 1) if words[at].strip(".,").lower() in PROTECTED]
    assume(droppable)
    del words[data.draw(st.sampled_from(droppable))]
    assert isinstance(find(" ".join(words), SEED_SOURCES, source.document.id, sentence.number), Missing)


@given(
    st.lists(st.text("abcdefghij", min_size=1, max_size=8), min_size=6, max_size=40),
    st.integers(0, 10**9),
    st.integers(0, 40),
    st.data(),
)
def test_a_changed_digit_is_never_verified(words: list[str], number: int, at: int, data: st.DataObject) -> None:
    """However long the quote is, and wherever the number stands in it."""
    words.insert(min(at, len(words)), str(number))
    text = " ".join(words)
    digits = [at for at, char in enumerate(text) if char.isdigit()]
    changed = data.draw(st.sampled_from(digits))
    digit = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != text[changed]]))
    quote = text[:changed] + digit + text[changed + 1 :]
    assert isinstance(find(quote, f"Before. {text} After.", sentence=1), Missing)


def test_a_changed_beginning_is_held_against_what_stands_in_its_place() -> None:
    """A quote cannot hide a "not" of the source by other words at its edge."""
    text = "Now she is not coming to the big space party tonight."
    assert missing("he was coming to the big space party tonight", text).reason == "not_found"


def test_a_negative_prefix_is_a_negation() -> None:
    """A word and its opposite differ by two letters."""
    text = "He thought that such a flight was impractical in the near future of film."
    result = missing("He thought that such a flight was practical in the near future of film", text)
    assert "(negation)" in result.detail


def test_a_fuzzy_quote_needs_four_tokens_and_four_fifths_of_them() -> None:
    """Fewer words, or more other ones, are another statement."""
    text = "It is a bold experiment at the intersection of art, technology, and the ultimate frontier."
    assert found("a bold experiment at an intersection of art", text).match == "fuzzy"
    assert missing("a bold experimant", text).reason == "not_found"
    assert missing("a brave experiment near the crossing of arts, technologies", text).reason == "not_found"


def test_a_fuzzy_quote_stays_in_its_paragraph() -> None:
    """A quantifier put in at its end is not held by a next paragraph that holds it."""
    text = "The strategy is also being carefully considered.\nWhile some footage will be shot, not all will."
    assert missing("The strategy is also being carefully considered. some", text).reason == "not_found"
    assert found("The strategy is also carefully considered", text).match == "fuzzy"


def test_other_languages_are_only_found_as_written() -> None:
    """What a changed word does to the meaning is only known for English."""
    text = "Der Schauspieler wird den Flug nach Angaben der Firma im Herbst antreten."
    quote = "Der Schauspieler wird diesen Flug nach Angaben der Firma im Herbst antreten"
    index = build_index([read(text, language="de")])
    assert missing(quote, index).reason == "not_found"
    assert found(text.upper(), index).match == "normalised"


def test_a_fuzzy_quote_is_found_far_from_the_sentence_it_names() -> None:
    """Its rarest words lead there."""
    text = SEE_YOU + "He left again. " * 2_000
    quote = "Iervolino has assembled the team that includes an experienced NASA astronaut"
    assert found(quote, text, sentence=3_000).match == "fuzzy"


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ("set in March", "set in March", None),
        ("aboard a station", "aboard the station", None),
        ("The film opens", "A film opens", None),
        ("IT IS REAL", "it is real", None),
        ("60 miles up", "62 miles up", "number"),
        ("rose by 5%", "rose by 5", "number"),
        ("at -5 degrees", "at 5 degrees", "number"),
        ("costs $5 now", "costs £5 now", "number"),
        ("two films", "three films", "number word"),
        ("he isn't in", "he is in", "negation"),
        ("it is legal", "it is illegal", "negation"),
        ("he'll fly", "he fly", "modal"),
        ("he is going to fly", "he is off to fly", "modal"),
        ("according to Deadline", "as in Deadline", "hedge"),
        ("at least it flew", "and it flew", "quantifier"),
        ("prices rose again", "prices fell again", "opposite"),
        ("with Kelly aboard", "with him aboard", "name"),
        ("Kelly flew", "Musk flew", "name"),
        ("the 片 film", "the 电 film", "other script"),
    ],
)
def test_the_first_protected_difference_is_named(one: str, other: str, difference: str | None) -> None:
    """Both ways round, as either side may be the source."""
    assert protected_difference(tokenise(one), tokenise(other)) == difference
    assert protected_difference(tokenise(other), tokenise(one)) == difference


def test_the_word_lists_are_in_the_form_that_is_looked_up() -> None:
    """Lower case, single spaces, straight apostrophes; an entry in another form would never be found."""
    entries = NEGATIONS | MODALS | HEDGES | QUANTIFIERS | NUMBER_WORDS | OPPOSITES
    assert {entry for entry in entries if entry != " ".join(entry.casefold().split()) or "’" in entry} == set()


# --- 5. in another document ------------------------------------------------------------------------------------------


def test_a_quote_of_another_document_is_named_as_such() -> None:
    """The place is given, so that the caller can say so; it is not evidence for this document."""
    result = missing("The proud dad shared a photo of his son", SEED_SOURCES, "see-you")
    assert result.reason == "wrong_document"
    assert result.document == "musk"
    assert result.span is not None
    assert MUSK[result.span.start : result.span.end] == "The proud dad shared a photo of his son"


def test_other_documents_are_not_searched_for_something_similar() -> None:
    """Exact and normalised only: a wrong document is said where it is certain."""
    assert missing("THE PROUD DAD shared a photo", SEED_SOURCES, "see-you").reason == "wrong_document"
    assert missing("The proud dad has shared a photo of his son", SEED_SOURCES, "see-you").reason == "not_found"


def test_an_unknown_document_is_no_document() -> None:
    """The quote may still stand in one that exists."""
    assert missing("The proud dad shared a photo", SEED_SOURCES, "nowhere").reason == "wrong_document"
    assert "No document has that id" in missing("He never said anything like it", SEED_SOURCES, "nowhere").detail


# --- 6. in a masked span ---------------------------------------------------------------------------------------------


def test_a_teaser_is_boilerplate() -> None:
    """What the page says around the article is not evidence, and is named as what it is."""
    result = missing("Rihanna has heard it all.", SEED_SOURCES, "cruise")
    assert (result.reason, result.document) == ("boilerplate", "cruise")
    assert result.span is not None
    assert CRUISE[result.span.start : result.span.end] == "Rihanna has heard it all."
    assert missing("Rihanna has heard nearly it all", SEED_SOURCES, "cruise").reason == "not_found"
    nearly = "Special operations group police officers swarmed the remote rural station on Saturday"
    assert missing(nearly, SEED_SOURCES, "cruise").reason == "boilerplate"


def test_a_quote_that_reaches_into_a_masked_span_is_boilerplate() -> None:
    """Overlapping it is enough."""
    assert missing("risk everything to make it real.\nNews", SEED_SOURCES, "cruise").reason == "boilerplate"
    assert found("risk everything to make it real.", SEED_SOURCES, "cruise").match == "exact"


def test_a_place_outside_the_mask_is_preferred() -> None:
    """Even when the named sentence is masked."""
    text = "He will fly to space. It is late. He will fly to space."
    index = build_index([read(text, masked_from=text.rindex("He will"))])
    assert found("He will fly to space", index, sentence=3).start == 0
    assert found("fly", index, sentence=3).start == text.index("fly")


# --- degenerate quotes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quote", ["", "  \n", "...", "“”", "—", "*", "\u200b", "?!"])
def test_a_quote_without_words_is_empty(quote: str) -> None:
    """Punctuation is everywhere and says nothing."""
    assert missing(quote, SEED_SOURCES, "cruise").reason == "empty"


def test_a_document_without_text_holds_nothing() -> None:
    """No error, no evidence."""
    assert missing("Rihanna has heard it all", "").reason == "not_found"


# --- whatever the characters -----------------------------------------------------------------------------------------

pieces = st.text(
    st.one_of(
        st.sampled_from("ab1,.“”’—*👩🚀\u200d\ufe0f\u0301天气שׁا\ufeff"), st.characters(exclude_categories=("Cs", "Z"))
    ),
    min_size=1,
    max_size=10,
).filter(lambda piece: not any(map(str.isspace, piece)))
separators = st.sampled_from([" ", "\n", "\r\n", "\n\n", "  ", "\u00a0", ", ", " — "])


@given(st.lists(st.tuples(pieces, separators), min_size=4, max_size=30), st.data())
@example([("א", " "), ("ב", " "), ("ג", " ")] * 3, None)
def test_whatever_is_copied_at_word_borders_is_exact(words: list[tuple[str, str]], data: st.DataObject | None) -> None:
    """Emoji, Chinese, right to left, combining marks, Windows line ends: a copy is a copy."""
    text = "".join(piece + separator for piece, separator in words)
    first = data.draw(st.integers(0, len(words) - 3)) if data else 0
    last = data.draw(st.integers(first + 3, len(words))) if data else len(words)
    start = len("".join(piece + separator for piece, separator in words[:first]))
    end = len("".join(piece + separator for piece, separator in words[:last])) - len(words[last - 1][1])
    quote = text[start:end]
    assume(any(map(str.isalnum, quote)))
    whole = Sentence(number=1, start=0, end=len(text), paragraph=1)
    source = Source(document=Document(id="d", text=text), language=None, sentences=(whole,))
    evidence = found(quote, build_index([source]), sentence=1)
    assert (evidence.match, evidence.quote) == ("exact", quote)


@given(st.text(st.sampled_from("ab'.… \n*-“12n’t天\u0301"), max_size=40), st.text(max_size=20), st.integers(-1, 4))
@example("a b c d e f g", "a b … f g", 1)
def test_evidence_is_always_the_sources_own_text(text: str, quote: str, sentence: int) -> None:
    """For any quote and any text: what is returned can be looked up, or a reason is given; nothing is raised."""
    for asked in (quote, text[: len(quote)], text[3:]):
        result = find(asked, text, sentence=sentence)
        if isinstance(result, Evidence):
            assert text[result.start : result.end] == result.quote != ""
            assert text.startswith(result.prefix + result.quote + result.suffix, result.start - len(result.prefix))
        else:
            assert result.detail
