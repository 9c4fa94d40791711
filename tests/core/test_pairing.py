"""Which key points of two summaries are one claim, beyond what evidence and words alone say."""

import pytest
from making import digest, point, summary
from msgspec.structs import replace

from service.core.errors import InvalidRequest
from service.core.pairing import Pair, in_english, language, pairs, places, positions
from service.core.types import KeyPoint, Options, SummaryResult

SOURCE = (
    "The reporter said on Monday that the film will be an adventure and that it will not belong to the series. "
    "A fan wrote that no words would describe this greatness. Nobody else wrote anything. "
    "The inquiry was set up in January to examine the tunnel and the flood in which Brandt died. "
    "Somebody wrote that no words could ever describe such greatness."
)
SERIES, ADVENTURE = "it will not belong to the series", "The reporter said on Monday that the film will be an adventure"
BOTH = f"{ADVENTURE} and that {SERIES}"
TUNNEL = "The inquiry was set up in January to examine the tunnel and the flood in which Brandt died"


def claim(name: str, text: str, *quotes: str) -> KeyPoint:
    """A key point with quotes of the source."""
    return point(name, text, *quotes, source=SOURCE)


def result(*points: KeyPoint) -> SummaryResult:
    """A summary of the source."""
    return summary(*points, source=SOURCE)


def found(a: SummaryResult, b: SummaryResult) -> list[tuple[str, str, str]]:
    """Pairs by the ids of their points, and how they were found; the same from both sides."""
    one, other = pairs(a, b), pairs(b, a)
    assert sorted((pair.b, pair.a, pair.by, pair.score) for pair in other) == [
        (pair.a, pair.b, pair.by, pair.score) for pair in one
    ]
    return [(a.key_points[pair.a].id, b.key_points[pair.b].id, pair.by) for pair in one]


def test_two_claims_of_one_sentence_are_not_crossed() -> None:
    """Their evidence alone would pair what one says of the series with what the other says of the adventure."""
    adventure, series = "The reporter announced an adventure.", "The film will not belong to the series."
    a = result(claim("k1", adventure, BOTH), claim("k2", series, SERIES))
    b = result(claim("k1", series, BOTH), claim("k2", f"On Monday, {adventure}", ADVENTURE))
    assert [(one, other) for one, other, _ in found(a, b)] == [("k1", "k2"), ("k2", "k1")]


def test_a_claim_takes_the_place_of_one_that_only_cites_the_same() -> None:
    """What the other summary does not say is lost, although it cites the passage."""
    adventure, series = "The reporter announced an adventure.", "The film will not belong to the series."
    a = result(claim("k1", adventure, BOTH), claim("k2", series, SERIES))
    b = result(claim("k1", series, BOTH))
    assert [(one, other) for one, other, _ in found(a, b)] == [("k2", "k1")]


def test_claims_of_two_places_need_more_words_in_common() -> None:
    """What is said twice in a source may be said twice in summaries; what is only alike is not the same."""
    first, last = "no words would describe this greatness", "no words could ever describe such greatness"
    a = result(claim("k1", "A fan found no words for this greatness.", first), claim("k2", "It rained.", SERIES))
    near = result(claim("k1", "Somebody found no words for such greatness.", last))
    far = result(claim("k1", "Somebody else wrote of a greatness that words could never describe.", last))
    assert found(a, near) == [("k1", "k1", "text")]
    assert found(a, far) == []


def test_what_a_longer_claim_holds_is_not_lost() -> None:
    """A version that makes one claim of two still says both."""
    whole = claim("k1", "The inquiry was to examine the tunnel and the flood in which Brandt died.", TUNNEL)
    a = result(
        claim("k1", "The inquiry was set up to examine the tunnel.", TUNNEL[:70]),
        claim("k2", "Brandt died in the flood.", "the flood in which Brandt died"),
    )
    assert found(a, result(whole)) == [("k1", "k1", "evidence"), ("k2", "k1", "evidence")]
    assert found(result(whole), a) == [("k1", "k1", "evidence"), ("k1", "k2", "evidence")]


def test_what_a_longer_claim_leaves_out_is_lost() -> None:
    """Although it cites the passage."""
    a = result(
        claim("k1", "The inquiry was set up to examine the tunnel.", TUNNEL),
        claim("k2", "Brandt died in the flood.", "the flood in which Brandt died"),
    )
    assert found(a, result(claim("k1", "The inquiry was set up to examine the tunnel.", TUNNEL))) == [
        ("k1", "k1", "evidence")
    ]


def test_claims_without_words_are_paired_by_what_they_cite() -> None:
    """And by nothing else."""
    a = result(claim("k1", "—", BOTH), claim("k2", "", SERIES))
    assert found(a, a) == [("k1", "k1", "evidence"), ("k2", "k2", "evidence")]
    assert found(a, result()) == found(result(), result()) == []


def test_a_pair_says_how_alike_it_is() -> None:
    """By the share of what both cite, or by the words."""
    a = result(claim("k1", "It will be an adventure.", BOTH))
    assert pairs(a, a) == [Pair(a=0, b=0, by="evidence", score=1.0)]


def test_documents_are_numbered_over_all_summaries() -> None:
    """By their digests, whatever ids they have."""
    one = result(claim("k1", "It rained.", SERIES))
    other = replace(one, documents=(replace(one.documents[0], id="x", sha256=digest("other")), *one.documents))
    assert positions(one, other) == [{"d1": 0}, {"x": 1, "d1": 0}]
    assert places(one, other) == [[(0, SOURCE.index(SERIES))]] * 2


def test_a_place_that_is_none_is_refused() -> None:
    """By an error that names it."""
    one = result(claim("k1", "It rained.", SERIES))
    broken = replace(one, documents=())
    for wrong in (lambda: places(broken), lambda: pairs(one, broken), lambda: pairs(broken, one)):
        with pytest.raises(InvalidRequest, match="no such place"):
            wrong()


@pytest.mark.parametrize(
    ("of_document", "asked", "text", "expected"),
    [
        ("en", None, "Es regnet nicht.", True),
        ("de", None, "It rains.", False),
        (None, None, "It rains.", True),
        (None, None, "Der Film ist nicht mit dem Haus.", False),
        ("de", "en", "It rains.", True),
        ("en", "de", "Es regnet.", False),
    ],
)
def test_a_claim_is_in_the_language_asked_for_or_that_of_its_source(
    of_document: str | None, asked: str | None, text: str, *, expected: bool
) -> None:
    """Where neither is known, its words tell."""
    one = result(claim("k1", text, SERIES))
    documents = (replace(one.documents[0], language=of_document),)
    one = replace(one, documents=documents, manifest=replace(one.manifest, parameters=Options(language=asked)))
    assert in_english(one.key_points[0], one) == expected
    assert language(one) == (asked or of_document or "en")


def test_documents_in_two_languages_make_a_summary_of_none() -> None:
    """Stems of one would be wrong in the other."""
    one = result()
    assert language(replace(one, documents=(*one.documents, replace(one.documents[0], id="d2", language="de")))) is None
