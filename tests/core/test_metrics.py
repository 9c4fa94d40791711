"""What each metric counts, and that it is silent where there is nothing to count."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from service.core.errors import InvalidRequest
from service.core.metrics import (
    METRICS_VERSION,
    Share,
    evaluate,
)
from service.core.references import (
    MustNot,
    Reference,
    ReferenceConflict,
    ReferenceDocument,
    ReferenceFact,
    ReferenceSpan,
)
from service.core.types import (
    OFFSET_UNIT,
    SCHEMA_VERSION,
    AbstractSentence,
    Attribution,
    Conflict,
    ConflictSide,
    Coverage,
    Date,
    DocumentCoverage,
    DocumentFacts,
    Dropped,
    Evidence,
    Importance,
    KeyPoint,
    LengthReport,
    Manifest,
    MaskedSpan,
    Options,
    Stance,
    SummaryResult,
    Usage,
    Verification,
)

TEXT = (
    "Kelly flew to the station in 2015. He reportedly stayed for 340 days. Critics said it cost $5 million. "
    "The film is set for 2027. Elsewhere it was never planned. Read more of this."
)
FLEW, STAYED, COST, FILM, NEVER, MORE = (f"{sentence.strip(' .')}." for sentence in TEXT.split(". "))
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


def quote(words: str, document: str = "d1") -> Evidence:
    """Evidence: words where they stand in the text."""
    start = TEXT.index(words)
    end = start + len(words)
    return Evidence(
        document=document, sentence=1, quote=words, start=start, end=end, prefix="", suffix="", match="exact"
    )


def point(text: str, *quotes: str, stance: Stance = "asserted", document: str = "d1") -> KeyPoint:
    """A key point that rests on quotes."""
    return KeyPoint(
        id="k",
        text=text,
        importance="must",
        kind="fact",
        stance=stance,
        polarity="affirmed",
        attribution=Attribution(),
        evidence=tuple(quote(words, document) for words in quotes),
    )


def facts(name: str = "d1", digest: str = DIGEST, language: str | None = "en") -> DocumentFacts:
    """A document."""
    start = TEXT.index(MORE)
    masked = (MaskedSpan(start=start, end=len(TEXT), reason="teasers"),)
    return DocumentFacts(
        id=name, sha256=digest, characters=len(TEXT), language=language, date=Date(text=""), masked=masked
    )


def summary(
    *points: KeyPoint,
    abstract: tuple[str, ...] = (),
    conflicts: tuple[Conflict, ...] = (),
    documents: tuple[DocumentFacts, ...] = (facts(),),
    verification: Verification | None = None,
    language: str | None = None,
) -> SummaryResult:
    """A summary of the text, its points numbered."""
    numbered = tuple(replace(one, id=f"k{number}") for number, one in enumerate(points, 1))
    nothing = Verification(
        points_given=0,
        points_kept=0,
        quotes_given=0,
        exact=0,
        normalised=0,
        ellipsis=0,
        fuzzy=0,
        repaired=0,
        dropped=(),
    )
    return SummaryResult(
        schema_version=SCHEMA_VERSION,
        offset_unit=OFFSET_UNIT,
        engine="llm",
        headline="",
        abstract=tuple(AbstractSentence(text=text, key_points=()) for text in abstract),
        key_points=numbered,
        entities=(),
        conflicts=conflicts,
        caveats=(),
        documents=documents,
        coverage=Coverage(documents=()),
        verification=verification or nothing,
        length=LengthReport(
            asked="standard",
            max_words=120,
            abstract_words=sum(len(text.split()) for text in abstract),
            key_point_words=sum(len(one.text.split()) for one in points),
            within=True,
        ),
        usage=Usage(),
        manifest=Manifest(
            engine="llm",
            service_version="0",
            prompt=None,
            endpoint=None,
            model=None,
            parameters=Options(language=language),
            versions={},
        ),
    )


def span(words: str, document: str = "000") -> ReferenceSpan:
    """Words where they stand in the text, as the reference cites them: its own ids for documents."""
    start = TEXT.index(words)
    return ReferenceSpan(document=document, start=start, end=start + len(words), quote=words)


def fact(name: str, text: str, *quotes: str, importance: Importance = "must", also: str | None = None) -> ReferenceFact:
    """A fact of the reference."""
    spans = tuple(span(words) for words in quotes)
    return ReferenceFact(id=name, text=text, importance=importance, spans=spans, also=also)


def known(name: str, *sides: str) -> ReferenceConflict:
    """A conflict of the reference."""
    return ReferenceConflict(id=name, kind="status", note=name, sides=tuple((span(words),) for words in sides))


def reference(*found: ReferenceFact, conflicts: tuple[ReferenceConflict, ...] = ()) -> Reference:
    """A reference of the text."""
    return Reference(documents=(ReferenceDocument(id="000", sha256=DIGEST),), facts=found, conflicts=conflicts)


def conflict(name: str, *sides: str) -> Conflict:
    """A conflict of the summary."""
    found = tuple(ConflictSide(key_points=(), evidence=(quote(words),)) for words in sides)
    return Conflict(id=name, scope="within", kind="status", sides=found, note=name)


def share(count: int, of: int) -> Share:
    """So many of so many."""
    return Share(value=count / of, count=count, of=of)


# --- without material ------------------------------------------------------------------------------------------------


def test_what_has_no_material_is_none() -> None:
    """An empty summary scores neither 0 nor 1; only what is counted outright is 0."""
    found = asdict(evaluate(summary()).metrics)
    assert {name for name, value in found.items() if value is not None} == {"conflicts_found", "words"}


def test_an_empty_summary_recalls_nothing_of_a_reference() -> None:
    """Here there is material: facts that no point covers."""
    found = evaluate(summary(), reference(fact("f1", "Kelly flew.", FLEW), conflicts=(known("c1", FLEW, NEVER),)))
    assert (found.metrics.must_recall, found.metrics.conflict_recall) == (share(0, 1), share(0, 1))
    assert found.metrics.conflict_precision is None


def test_a_reference_without_facts_measures_none() -> None:
    """It may hold nothing, and a fact no words or spans."""
    one = point("Kelly flew.", FLEW)
    assert evaluate(summary(one), reference()).metrics.must_recall is None
    assert evaluate(summary(one), reference(fact("f1", ""))).metrics.must_recall == share(0, 1)


# --- of the summary alone --------------------------------------------------------------------------------------------

GIVEN = Verification(
    points_given=10,
    points_kept=6,
    quotes_given=20,
    exact=10,
    normalised=3,
    ellipsis=2,
    fuzzy=4,
    repaired=1,
    dropped=(
        Dropped(text="a", reason="not_found", detail=""),
        Dropped(text="b", reason="number_mismatch", detail=""),
        Dropped(text="c", reason="lost_support", detail="", part="abstract"),
        Dropped(text="d", reason="not_found", detail="", part="quote"),
    ),
    merged_away=2,
)


def test_quotes_are_valid_that_differ_in_nothing_that_counts() -> None:
    """Exact, normalised and by ellipsis: 15 of 20. Nearly is not valid, and neither is nowhere."""
    assert evaluate(summary(verification=GIVEN)).metrics.quote_validity == share(15, 20)


def test_points_are_cited_that_were_not_dropped() -> None:
    """Two of ten were; a lost sentence or quote is no lost point, and one merged with another stood up."""
    assert evaluate(summary(verification=GIVEN)).metrics.cited_points == share(8, 10)


def test_operations_count_what_was_dropped_by_reason() -> None:
    """Of every part of the summary, the commonest first."""
    found = evaluate(summary(verification=GIVEN)).operations
    assert list(found.dropped.items()) == [("not_found", 2), ("number_mismatch", 1), ("lost_support", 1)]
    assert (found.repaired, found.merged_away) == (1, 2)


@pytest.mark.parametrize(
    ("one", "dropped"),
    [
        (point("He stayed for 340 days.", STAYED), True),
        (point("He stayed for 340 days.", STAYED, stance="reported"), False),
        (point("He is said to have reportedly stayed.", STAYED), False),
        (point("He flew and stayed for 340 days.", FLEW, STAYED), None),
        (point("Kelly flew.", FLEW), None),
    ],
)
def test_a_hedge_is_dropped_where_every_quote_has_one_and_the_point_has_none(
    one: KeyPoint, dropped: bool | None
) -> None:
    """Neither its stance nor its words hold back; a flat quote beside the hedged one is ground enough to assert."""
    assert evaluate(summary(one)).metrics.hedge_drop == (None if dropped is None else share(int(dropped), 1))


@pytest.mark.parametrize(
    ("one", "exact"),
    [
        (point("It cost 5,000,000 dollars.", COST), share(1, 1)),
        (point("It took 430 days and five million.", STAYED, COST), share(1, 2)),
        (point("He stayed for 340 days.", FLEW), share(0, 1)),
        (point("Kelly flew in 2014.", FLEW), None),
    ],
)
def test_numbers_are_compared_by_value_with_the_quotes_of_their_point(one: KeyPoint, exact: Share | None) -> None:
    """However they are written; years are dates, and no numbers."""
    assert evaluate(summary(one)).metrics.numbers_exact == exact


def test_a_number_within_a_date_of_the_quote_is_held() -> None:
    """“Two years ago” holds two years, and “May 5” the 5 of “5 May”."""
    text = "It came two years ago, on May 5."
    place = replace(quote(FLEW), quote=text)
    one = replace(point("It took two years, until 5 May."), evidence=(place,))
    assert evaluate(summary(one)).metrics.numbers_exact == share(2, 2)


@pytest.mark.parametrize("how", [{"language": "de"}, {"documents": (facts(language="de"),)}])
def test_word_lists_are_asked_about_english_alone(how: dict[str, str]) -> None:
    """A summary in another language, or of a text in one, has neither hedges nor numbers measured."""
    found = evaluate(summary(point("He stayed for 340 days.", STAYED), **how)).metrics  # type: ignore[arg-type]
    assert (found.hedge_drop, found.numbers_exact) == (None, None)


def test_a_quote_from_a_masked_span_leaks() -> None:
    """One of three reaches into what is not the article."""
    found = evaluate(summary(point("a", FLEW, f"{NEVER} Read"), point("b", FILM)))
    assert found.metrics.masked_leak == share(1, 3)


def test_coverage_and_the_middle_are_summed_over_documents() -> None:
    """3 of 8 quotes begin in a middle third, where 8/3 would be even; 5 of 20 sentences are cited."""
    parts = [
        DocumentCoverage(
            document=name,
            characters=100,
            read=100,
            cited=10,
            masked=0,
            unread=0,
            thirds=thirds,
            sentences=10,
            sentences_cited=cited,
            words=50,
        )
        for name, thirds, cited in (("d1", (3, 1, 1), 4), ("d2", (1, 2, 0), 1))
    ]
    result = replace(summary(abstract=("Four words are here.",)), coverage=Coverage(documents=tuple(parts)))
    found = evaluate(result).metrics
    assert found.middle_share == pytest.approx(9 / 8)
    assert found.coverage == share(5, 20)
    assert (found.words, found.compression) == (4, 25.0)


def test_claims_count_for_their_length() -> None:
    """Two points in ten words, of which one is flagged: ten supported claims for 100 words."""
    flagged = replace(point("He stayed for so many days.", STAYED), verdict="flagged")
    result = summary(point("Kelly flew in fact.", FLEW), flagged)
    assert evaluate(result).metrics.claims_per_100_words == 10.0


def test_copying_is_measured_where_the_texts_are_given() -> None:
    """Context, and no score."""
    result = summary(abstract=("Kelly flew to the moon.",))
    found = evaluate(result, texts={"d1": TEXT}).metrics
    assert found.novel_bigrams == share(1, 4)
    assert found.fragment_density == pytest.approx(16 / 5)
    assert evaluate(result).metrics.novel_bigrams is None


# --- facts -----------------------------------------------------------------------------------------------------------


def test_a_fact_is_covered_by_a_point_that_cites_it() -> None:
    """Whatever the point's words: half of one of the fact's spans is enough."""
    found = evaluate(summary(point("Something else.", FLEW)), reference(fact("f1", "Unlike.", COST, FLEW[:20])))
    assert [(one.by, one.key_points) for one in found.facts] == [("evidence", ("k1",))]
    assert (found.metrics.must_recall, found.metrics.must_cited) == (share(1, 1), share(1, 1))


def test_a_fact_is_covered_by_a_point_that_says_it_elsewhere() -> None:
    """By words it counts in the recall, not among what is cited."""
    found = evaluate(summary(point("Kelly flew to the station.", FILM)), reference(fact("f1", "Kelly flew.", FLEW)))
    assert [(one.by, one.key_points) for one in found.facts] == [("text", ("k1",))]
    assert (found.metrics.must_recall, found.metrics.must_cited) == (share(1, 1), share(0, 1))


def test_another_wording_of_a_fact_counts_as_well() -> None:
    """The better of the two."""
    one = summary(point("Kelly flew to the station.", FILM))
    assert evaluate(one, reference(fact("f1", "An astronaut went up.", COST))).facts[0].by is None
    assert evaluate(one, reference(fact("f1", "An astronaut went up.", COST, also="Kelly flew."))).facts[0].by == "text"


def test_one_point_may_cover_several_facts() -> None:
    """Facts are not paired with points."""
    found = evaluate(summary(point("Both.", FLEW)), reference(fact("f1", "x", FLEW), fact("f2", "y", FLEW[:10])))
    assert found.metrics.must_recall == share(2, 2)


def test_facts_that_should_be_there_are_shown_and_not_scored() -> None:
    """A should is no must."""
    found = evaluate(summary(point("x", FLEW)), reference(fact("f1", "y", FLEW, importance="should")))
    assert (found.metrics.must_recall, found.facts[0].by) == (None, "evidence")


def test_facts_of_the_same_id_are_still_two() -> None:
    """They are told apart by their place."""
    found = evaluate(summary(point("x", FLEW)), reference(fact("f", "y", FLEW), fact("f", "z", COST)))
    assert [one.by for one in found.facts] == ["evidence", None]


def test_what_must_not_be_said_is_handed_on_unjudged() -> None:
    """Whether the summary says it, a reader has to see."""
    held = replace(reference(), must_not=(MustNot(text="Kelly never flew."),))
    assert evaluate(summary(), held).must_not == (MustNot(text="Kelly never flew."),)


# --- conflicts -------------------------------------------------------------------------------------------------------


def test_a_conflict_is_found_with_both_sides_cited_either_way_round() -> None:
    """Part of a side is enough, of each; one side alone is not."""
    held = reference(conflicts=(known("c1", FILM, NEVER), known("c2", FLEW, COST)))
    found = evaluate(summary(conflicts=(conflict("c9", NEVER[:20], FILM), conflict("c8", FLEW, STAYED))), held)
    assert [one.found for one in found.conflicts] == [("c9",), ()]
    assert found.metrics.conflict_recall == share(1, 2)
    assert found.metrics.conflict_precision == share(1, 2)
    assert (found.metrics.conflicts_found, found.other_conflicts) == (2, ("c8",))


def test_what_two_readers_list_is_one_conflict() -> None:
    """So that a conflict that everybody sees weighs no more than another."""
    held = reference(conflicts=(known("c1", FILM, NEVER), known("c2", FLEW, COST), known("c3", NEVER, FILM)))
    found = evaluate(summary(conflicts=(conflict("c9", FILM, NEVER),)), held)
    assert [(one.ids, one.found) for one in found.conflicts] == [(("c1", "c3"), ("c9",)), (("c2",), ())]


def test_without_a_reference_no_conflict_is_wrong() -> None:
    """They are counted, and that is all."""
    found = evaluate(summary(conflicts=(conflict("c1", FILM, NEVER),)))
    assert (found.metrics.conflicts_found, found.metrics.conflict_precision, found.other_conflicts) == (1, None, ())


# --- the same documents ----------------------------------------------------------------------------------------------


def test_a_reference_of_other_documents_is_refused() -> None:
    """By digest, never by name; both are named."""
    other = Reference(documents=(ReferenceDocument(id="d1", sha256="f" * 64),), facts=())
    with pytest.raises(InvalidRequest, match=rf"d1 \({DIGEST[:12]}\), the reference of d1 \(ffffffffffff\)"):
        evaluate(summary(), other)


def test_a_text_that_was_given_twice_is_one() -> None:
    """What is cited from the copy is cited."""
    found = evaluate(
        summary(point("x", FLEW, document="d2"), documents=(facts(), facts("d2"))), reference(fact("f1", "y", FLEW))
    )
    assert found.metrics.must_cited == share(1, 1)


def test_evidence_in_no_document_is_refused() -> None:
    """A broken summary is not measured."""
    with pytest.raises(InvalidRequest, match="of 'd7', and there is no such place"):
        evaluate(summary(point("x", FLEW, document="d7")))


# --- any summary -----------------------------------------------------------------------------------------------------

QUOTES = st.lists(st.sampled_from([FLEW, STAYED, COST, FILM, NEVER, MORE]), min_size=1, max_size=3)
POINTS = st.lists(st.builds(lambda text, quotes: point(text, *quotes), st.sampled_from(["", FLEW, "5 …"]), QUOTES))
FACTS = st.lists(st.builds(lambda quotes: fact("f", quotes[0], *quotes), QUOTES))


@given(POINTS, FACTS)
def test_shares_are_shares(points: list[KeyPoint], wanted: list[ReferenceFact]) -> None:
    """Of whatever there is; what is cited is recalled; and the version is named."""
    found = evaluate(summary(*points), reference(*wanted))
    shares = [value for value in asdict(found.metrics).values() if isinstance(value, Share)]
    assert all(0 <= one.count <= one.of and one.value == one.count / one.of for one in shares)
    recall, cited = found.metrics.must_recall, found.metrics.must_cited
    assert recall is None or cited is None or cited.count <= recall.count
    assert found.metrics_version == METRICS_VERSION


@given(POINTS, POINTS, FACTS)
def test_more_points_never_cite_fewer_facts(
    points: list[KeyPoint], more: list[KeyPoint], wanted: list[ReferenceFact]
) -> None:
    """A longer summary is fairly ahead here; that is what the metric for its length is beside it for."""
    held = reference(*wanted)
    fewer, all_ = (evaluate(summary(*each), held).metrics.must_cited for each in (points, [*points, *more]))
    assert (fewer.count if fewer else 0) <= (all_.count if all_ else 0)
