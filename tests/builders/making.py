"""Summaries small enough to check by eye, for tests in several folders."""

import hashlib
from collections.abc import Mapping, Sequence

from service.core.comparison import ComparedVersion, DocumentSet, Experiment, Trial, TrialFailure
from service.core.types import (
    OFFSET_UNIT,
    SCHEMA_VERSION,
    Attribution,
    Coverage,
    Date,
    DocumentCoverage,
    DocumentFacts,
    Dropped,
    Evidence,
    KeyPoint,
    LengthReport,
    Manifest,
    Options,
    PromptRef,
    SummaryResult,
    Usage,
    Verification,
)

TEXT = (
    "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said the repairs would cost 340 million "
    "crowns. The mayor did not say when the bridge opens again. Buses will run over the new bridge until May 2027. "
    "Residents protested on the square. The last repair was in 1998."
)


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def point(name: str, text: str, *quotes: str, source: str = TEXT, **fields: object) -> KeyPoint:
    """A key point with quotes of the source, found where they stand; `must` unless it is said otherwise."""
    places = tuple(_place(quote, source) for quote in quotes)
    given: dict[str, object] = {
        "importance": "must",
        "kind": "fact",
        "stance": "asserted",
        "polarity": "affirmed",
        "attribution": Attribution(),
        **fields,
    }
    return KeyPoint(id=name, text=text, evidence=places, **given)  # type: ignore[arg-type]


def _place(quote: str, source: str) -> Evidence:
    start = source.index(quote)
    sentence = source.count(". ", 0, start) + 1
    return Evidence(
        document="d1",
        sentence=sentence,
        quote=quote,
        start=start,
        end=start + len(quote),
        prefix=source[max(0, start - 32) : start],
        suffix=source[start + len(quote) :][:32],
        match="exact",
    )


def summary(
    *points: KeyPoint,
    source: str = TEXT,
    prompt: str | None = "news@1",
    model: str = "m",
    dropped: Sequence[Dropped] = (),
    **fields: object,
) -> SummaryResult:
    """A result over one document that has these points; what is dropped counts as given."""
    name, _, number = (prompt or "none@0").partition("@")
    given = len(points) + sum(one.part == "key_point" for one in dropped)
    quotes = sum(len(one.evidence) for one in points)
    ref = PromptRef(name=name, version=int(number), digest=digest(prompt)) if prompt else None
    made: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "offset_unit": OFFSET_UNIT,
        "engine": "llm" if prompt else "extractive",
        "headline": "The old bridge",
        "abstract": (),
        "key_points": points,
        "entities": (),
        "conflicts": (),
        "caveats": (),
        "documents": (
            DocumentFacts(
                id="d1",
                sha256=digest(source),
                characters=len(source),
                language="en",
                date=Date(text="", iso=None),
                masked=(),
            ),
        ),
        "coverage": Coverage(documents=(_coverage(points, source),)),
        "verification": Verification(
            points_given=given,
            points_kept=len(points),
            quotes_given=quotes + sum(one.reason == "not_found" for one in dropped),
            exact=quotes,
            normalised=0,
            ellipsis=0,
            fuzzy=0,
            repaired=0,
            dropped=tuple(dropped),
        ),
        "length": LengthReport(
            asked="standard",
            max_words=120,
            abstract_words=20,
            key_point_words=sum(len(one.text.split()) for one in points),
            within=True,
        ),
        "usage": Usage(calls=1, prompt_tokens=1000, completion_tokens=100),
        "manifest": Manifest(
            engine="llm" if prompt else "extractive",
            service_version="0",
            prompt=ref,
            endpoint=None,
            model=model if prompt else None,
            parameters=Options(),
            versions={"chunker": "1", "grounding": "1", "sentences": "1", "masking": "1"},
        ),
        **fields,
    }
    return SummaryResult(**made)  # type: ignore[arg-type]


def _coverage(points: Sequence[KeyPoint], source: str) -> DocumentCoverage:
    cited = {place.sentence for one in points for place in one.evidence}
    return DocumentCoverage(
        document="d1",
        characters=len(source),
        read=len(source),
        cited=sum(len(place.quote) for one in points for place in one.evidence),
        masked=0,
        unread=0,
        thirds=(len(cited), 0, 0),
        sentences=source.count(". ") + 1,
        sentences_cited=len(cited),
        words=len(source.split()),
    )


def version(name: str, **fields: object) -> ComparedVersion:
    """A prompt version that is compared."""
    prompt, _, number = name.partition("@")
    ref = PromptRef(name=prompt, version=int(number), digest=digest(name))
    made: dict[str, object] = {"id": name, "prompt": ref, "engine": "llm", "output": "key-points/1", **fields}
    return ComparedVersion(**made)  # type: ignore[arg-type]


def trials(
    results: Mapping[str, Sequence[SummaryResult | None]], *, repetitions: int = 1, wall_s: float | None = None
) -> tuple[Trial, ...]:
    """By version, the results over s1, s2, ... (with repetitions, those of s1 first); None is a trial that failed."""
    failure = TrialFailure(code="endpoint_unavailable", title="The endpoint is unavailable", detail="It is down.")
    made: list[Trial] = []
    for name, found in results.items():
        for at, result in enumerate(found):
            made.append(
                Trial(
                    id=f"t{len(made) + 1}",
                    set=f"s{at // repetitions + 1}",
                    version=name,
                    repetition=at % repetitions,
                    result=result,
                    failure=None if result else failure,
                    wall_s=wall_s,
                )
            )
    return tuple(made)


def experiment(number: int, **fields: object) -> Experiment:
    """So many document sets, all of the same text unless their digests are given."""
    sets = tuple(DocumentSet(id=f"s{at}", name=f"{at}.txt", digests=(digest(TEXT),)) for at in range(1, number + 1))
    return Experiment(**{"sets": sets, **fields})  # type: ignore[arg-type]
