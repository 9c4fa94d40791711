"""Comparisons built by hand: every label, every verdict, a failed trial, and texts that mean harm."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import pytest
from msgspec.structs import replace

from service.adapters.language import split_sentences
from service.core import text as texts_of
from service.core.comparison import (
    Change,
    Cited,
    ComparedVersion,
    Comparison,
    Difference,
    DocumentSet,
    EntryLabel,
    FactChange,
    GateReason,
    GateResult,
    Interval,
    LedgerCounts,
    LedgerEntry,
    MetricRow,
    PairComparison,
    PartDiff,
    PromptDiff,
    SetComparison,
    Strip,
    Tag,
    Trial,
    TrialFailure,
    Unsupported,
)
from service.core.types import (
    AbstractSentence,
    Attribution,
    Coverage,
    Date,
    DocumentCoverage,
    DocumentFacts,
    Evidence,
    Importance,
    KeyPoint,
    LengthReport,
    Manifest,
    MaskedSpan,
    Options,
    PromptRef,
    SummaryResult,
    Usage,
    Verification,
)

Built = tuple[Comparison, Mapping[str, str]]
"""A comparison, and the texts of its documents by their SHA-256."""

BRIDGE = (
    "The council closed the old bridge on Tuesday. It will cost 430 million euros to rebuild it. Engineer Ana Ruiz "
    "said the piers are sound. The mayor did not sign the order.\n\nFerries run every 20 minutes until May 2027. "
    "Traders fear for the summer. Nobody asked the anglers.\n\nAdvertisement: buy boats now."
)
FERRY = "The ferry sank on Monday. All 40 people on board were saved. The captain had been warned of the storm twice."
HOSTILE = (
    '<script>alert("x")</script> said the council of A&B on Tuesday. </script><!-- {{ 7 * 7 }} and {% raw %} stood in '
    "the minutes. Half of it \u202eis turned around\u202c and \u200bhidden\u200b. &lt;b&gt; ended the meeting. "
    + "w" * 5_000
    + " was a word. It rained on Monday."
)
_MASK = "Advertisement: buy boats now."


def sha(text: str) -> str:
    """Of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def point(
    name: str,
    text: str,
    source: str,
    quotes: Sequence[str],
    *,
    importance: Importance = "should",
    who: str | None = None,
) -> KeyPoint:
    """A claim with quotes that stand in the source."""
    sentences = texts_of.sentences(source, split_sentences)
    evidence = []
    for quote in quotes:
        start = source.index(quote)
        number = next(sentence.number for sentence in sentences if sentence.end > start)
        evidence.append(
            Evidence(
                document="d1",
                sentence=number,
                quote=quote,
                start=start,
                end=start + len(quote),
                prefix="",
                suffix="",
                match="exact",
            )
        )
    return KeyPoint(
        id=name,
        text=text,
        importance=importance,
        kind="fact",
        stance="asserted",
        polarity="affirmed",
        attribution=Attribution(who=who),
        evidence=tuple(evidence),
    )


def summary(
    version: int, name: str, source: str, points: Sequence[KeyPoint], abstract: Sequence[str] = ()
) -> SummaryResult:
    """What a version made of a text."""
    masked = source.find(_MASK)
    spans = (MaskedSpan(start=masked, end=len(source), reason="page_furniture"),) if masked >= 0 else ()
    size = len(source)
    return SummaryResult(
        schema_version="1",
        offset_unit="code_points",
        engine="llm",
        headline=f"{name} in short",
        abstract=tuple(
            AbstractSentence(text=text, key_points=(points[0].id,)) for text in abstract or [points[0].text]
        ),
        key_points=tuple(points),
        entities=(),
        conflicts=(),
        caveats=(),
        documents=(
            DocumentFacts(
                id="d1",
                sha256=sha(source),
                characters=size,
                language="en",
                date=Date(text=""),
                masked=spans,
                name=name,
            ),
        ),
        coverage=Coverage(
            documents=(
                DocumentCoverage(
                    document="d1", characters=size, read=size, cited=9, masked=0, unread=0, thirds=(1, 1, 0)
                ),
            )
        ),
        verification=Verification(
            points_given=len(points),
            points_kept=len(points),
            quotes_given=len(points),
            exact=len(points),
            normalised=0,
            ellipsis=0,
            fuzzy=0,
            repaired=0,
            dropped=(),
        ),
        length=LengthReport(asked="standard", max_words=120, abstract_words=20, key_point_words=40, within=True),
        usage=Usage(calls=1, prompt_tokens=900, completion_tokens=300),
        manifest=Manifest(
            engine="llm",
            service_version="0.1.0",
            prompt=prompt(version),
            endpoint="replayed recordings",
            model="model-one",
            parameters=Options(),
            versions={"sentences": texts_of.SENTENCES_VERSION},
        ),
    )


def prompt(version: int) -> PromptRef:
    """A version's reference."""
    return PromptRef(name="news", version=version, digest=sha(f"news@{version}"))


def strip(source: str, a: SummaryResult, b: SummaryResult) -> Strip:
    """The sentences of a text by who cites them."""
    masked = a.documents[0].masked
    found, spans = [], []
    for sentence in texts_of.sentences(source, split_sentences, masked):
        sides = [
            any(
                place.start < sentence.end and sentence.start < place.end
                for point in result.key_points
                for place in point.evidence
            )
            for result in (a, b)
        ]
        hidden = any(span.start <= sentence.start < span.end for span in masked)
        cited: Cited = "both" if all(sides) else "a" if sides[0] else "b" if sides[1] else "neither"
        found.append("masked" if hidden else cited)
        spans.append((sentence.start, sentence.end))
    return Strip(document=sha(source), sentences=tuple(found), spans=tuple(spans))


def entry(label: EntryLabel, a: str | None, b: str | None, *changes: Change, weight: float = 0.0) -> LedgerEntry:
    """One of a ledger."""
    paired = a is not None and b is not None
    return LedgerEntry(
        label=label,
        a=a,
        b=b,
        by="evidence" if paired else None,
        score=0.9 if paired else None,
        changes=changes,
        weight=weight,
        reasons=("must",) if weight >= 1 else (),
    )


def bridge() -> tuple[SummaryResult, SummaryResult, tuple[LedgerEntry, ...]]:
    """Two summaries with an entry of every label."""
    closed, cost, piers, mayor, ferries, traders = (
        "The council closed the old bridge on Tuesday.",
        "It will cost 430 million euros to rebuild it.",
        "the piers are sound",
        "The mayor did not sign the order.",
        "Ferries run every 20 minutes until May 2027.",
        "Traders fear for the summer.",
    )
    a = summary(
        1,
        "bridge.txt",
        BRIDGE,
        [
            point("k1", closed, BRIDGE, [closed], importance="must"),
            point("k2", "Rebuilding it costs 430 million euros.", BRIDGE, [cost]),
            point("k3", "The piers are sound.", BRIDGE, [piers]),
            point("k4", mayor, BRIDGE, [mayor]),
            point("k5", "Ferries run every 20 minutes.", BRIDGE, [ferries, closed], importance="must"),
        ],
        ["The old bridge was closed on Tuesday.", "Rebuilding it costs 430 million euros."],
    )
    b = summary(
        2,
        "bridge.txt",
        BRIDGE,
        [
            point("k1", closed, BRIDGE, [closed], importance="must"),
            point("k2", "Rebuilding it costs 340 million euros.", BRIDGE, [cost]),
            point("k3", "Ana Ruiz calls the piers sound.", BRIDGE, [f"Engineer Ana Ruiz said {piers}"], who="Ana Ruiz"),
            point("k4", "The mayor signed the order.", BRIDGE, [mayor]),
            point("k5", traders, BRIDGE, [traders]),
        ],
        ["The old bridge was closed on Tuesday.", "Rebuilding it costs 340 million euros."],
    )
    ledger = (
        entry("same", "k1", "k1"),
        entry("lost", "k5", None, weight=1.5),
        entry("changed", "k2", "k2", Change(kind="number", a="430", b="340"), weight=0.5),
        entry("reworded", "k3", "k3"),
        entry("contradicts", "k4", "k4", Change(kind="polarity", a="negated", b="affirmed"), weight=0.5),
        entry("gained", None, "k5"),
    )
    return a, b, ledger


ROWS = (
    MetricRow(
        name="cited_points", direction="higher", unit="share", a=1.0, b=0.9, delta=-0.1, n=2, losses=1, ties=1, p=0.5,
        p_holm=1.0, verdict="too_few_documents",
    ),
    MetricRow(
        name="coverage", direction="higher", unit="share", a=0.25, b=0.5, delta=0.25, n=24, wins=20, ties=4, p=0.001,
        p_holm=0.004, interval=Interval(low=0.1, high=0.4), noise=0.02, verdict="better",
    ),
    MetricRow(
        name="hedge_drop", direction="lower", unit="share", a=0.0, b=0.25, delta=0.25, n=24, losses=9, ties=15, p=0.0,
        p_holm=0.0, noise=0.0, verdict="worse",
    ),
    MetricRow(
        name="numbers_exact", direction="higher", unit="share", a=0.5, b=0.5001, delta=0.0001, n=24, wins=1, ties=23,
        p=1.0, p_holm=1.0, verdict="no_detectable_change",
    ),
    MetricRow(
        name="quote_validity", direction="higher", unit="share", a=1.0, b=1.0, delta=0.0, n=2, ties=2,
        verdict="not_comparable",
    ),
    MetricRow(name="must_recall", direction="higher", unit="share", a=None, b=None, delta=None, n=0),
    MetricRow(name="words", direction="context", unit="count", a=80.5, b=96.0, delta=15.5, n=2, wins=2),
    MetricRow(name="tokens_in", direction="context", unit="tokens", a=2509.0, b=4519.0, delta=2010.0, n=2, wins=2),
)  # fmt: skip


def compared(
    number: int, name: str, source: str, a: SummaryResult, b: SummaryResult, ledger: tuple[LedgerEntry, ...]
) -> tuple[DocumentSet, tuple[Trial, Trial], SetComparison]:
    """A document set that both versions have a result for."""
    one = DocumentSet(id=f"s{number}", name=name, digests=(sha(source),))
    trials = tuple(
        Trial(id=f"t{2 * number + side}", set=one.id, version=f"news@{side + 1}", repetition=0, result=result)
        for side, result in enumerate((a, b))
    )
    labels: list[str] = [found.label for found in ledger]
    lost = sum(found.weight for found in ledger if found.label == "lost" and found.weight >= 1)
    tags: dict[Tag, bool] = {
        "regressed": bool(lost),
        "improved": not lost and "gained" in labels,
        "different": bool(set(labels) - {"same", "reworded"}),
    }
    found = SetComparison(
        set=one.id,
        a=trials[0].id,
        b=trials[1].id,
        ledger=ledger,
        counts=LedgerCounts(**{label: labels.count(label) for label in set(labels)}),
        metrics={"coverage": (0.25, 0.5), "must_recall": (None, 1.0)},
        strips=(strip(source, a, b),),
        tags=tuple(tag for tag, holds in tags.items() if holds),
        loss=lost,
    )
    return one, (trials[0], trials[1]), found


def assembled(sets: Sequence[DocumentSet], trials: Sequence[Trial], found: Sequence[SetComparison]) -> Comparison:
    """The comparison of news@2 with news@1."""
    pair = PairComparison(
        a="news@1",
        b="news@2",
        sentence="news@2 against news@1: 2 same, +1 gained, -1 lost (1 must), 1 changed number: too few documents.",
        verdict="too_few_documents",
        differences=(),
        notes=("noise: unmeasured.",),
        counts=LedgerCounts(),
        metrics=ROWS,
        sets=tuple(found),
    )
    versions = tuple(
        ComparedVersion(id=f"news@{number}", prompt=prompt(number), engine="llm", models=("model-one",))
        for number in (1, 2)
    )
    reasons = (
        GateReason(rule="comparable", outcome="pass", detail="Same documents."),
        GateReason(rule="trials", outcome="regression", detail="news@2 on s3: The endpoint was silent"),
        GateReason(rule="documents", outcome="regression", detail="s1: 1 claim that matters lost"),
        GateReason(rule="margin coverage", outcome="inconclusive", detail="An interval takes 20 sets."),
    )
    part = PartDiff(stage="map", part="user", lines=((" ", "…"), ("-", "Claims"), ("+", "Quotes")))
    return Comparison(
        schema_version="1",
        metrics_version="1",
        service_version="0.1.0",
        offset_unit="code_points",
        primary_metric="cited_points",
        versions=versions,
        sets=tuple(sets),
        trials=tuple(trials),
        pairs=(pair,),
        gate=GateResult(a="news@1", b="news@2", outcome="regression", reasons=reasons),
        prompt_diffs=(PromptDiff(a="news@1", b="news@2", change="Evidence first", parts=(part,)),),
    )


@pytest.fixture(scope="session")
def built() -> Built:
    """Two versions over three document sets: every label, nothing but gains, and a failed trial."""
    a, b, ledger = bridge()
    first = compared(1, "bridge.txt", BRIDGE, a, b, ledger)
    quote = "It rained on Monday."
    turned = "Half of it \u202eis turned around\u202c"
    points = [
        point("k1", quote, HOSTILE, [quote]),
        point("k2", "A&B said </script>.", HOSTILE, ["</script> said", turned]),
    ]
    second = compared(
        2,
        "</script><b>evil\u202e.txt",
        HOSTILE,
        summary(1, "<i>evil</i>\0", HOSTILE, points[:1]),
        summary(2, "<i>evil</i>\0", HOSTILE, points),
        (entry("same", "k1", "k1"), entry("gained", None, "k2", weight=1.0)),
    )
    third = DocumentSet(id="s3", name="ferry.txt", digests=(sha(FERRY),))
    saved = "All 40 people on board were saved."
    failed = (
        Trial(
            id="t6",
            set="s3",
            version="news@1",
            repetition=0,
            result=summary(1, "ferry.txt", FERRY, [point("k1", saved, FERRY, [saved])]),
        ),
        Trial(
            id="t7",
            set="s3",
            version="news@2",
            repetition=0,
            result=None,
            failure=TrialFailure(code="endpoint_timeout", title="The endpoint was silent", detail="For 30 s."),
        ),
    )
    told = replace(
        first[2],
        counts=LedgerCounts(same=1, reworded=1, changed=1, contradicts=1, gained=1, lost=1, lost_must=1),
        facts=(FactChange(id="f1", text="Ferries run until May 2027.", importance="must", covered_by="a"),),
        unsupported=(Unsupported(kind="number", text="It costs 340.", detail="A number of k2 is in no quote."),),
        unstable=("Traders fear for the summer.",),
        tags=("regressed", "different", "unstable", "new_unsupported"),
        loss=2.5,
    )
    found = (SetComparison(set="s3", a="t6", b=None, tags=("failed",)), told, second[2])
    comparison = assembled((first[0], second[0], third), (*first[1], *second[1], *failed), found)
    return comparison, {sha(text): text for text in (BRIDGE, HOSTILE, FERRY)}


@pytest.fixture(scope="session")
def apart(built: Built) -> Comparison:
    """The same, and the two cannot be compared."""
    comparison, _ = built
    (pair,) = comparison.pairs
    difference = Difference(code="model", detail="Model that answered: one in news@1, two in news@2.")
    reason = GateReason(rule="comparable", outcome="not_comparable", detail=difference.detail)
    return replace(
        comparison,
        pairs=(replace(pair, verdict="not_comparable", differences=(difference,)),),
        gate=GateResult(a="news@1", b="news@2", outcome="not_comparable", reasons=(reason,)),
    )


@pytest.fixture(scope="session")
def many() -> Callable[[int], Built]:
    """Gives a comparison over so many document sets, each of its own text."""

    def made(number: int) -> Built:
        a, b, ledger = bridge()
        sets: list[DocumentSet] = []
        trials: list[Trial] = []
        found: list[SetComparison] = []
        texts: dict[str, str] = {}
        for at in range(1, number + 1):
            source = BRIDGE.replace("anglers", f"anglers of town {at}")
            (facts,) = a.documents
            own = (replace(facts, sha256=sha(source), characters=len(source), name=f"town {at}.txt"),)
            one, tried, came = compared(
                at, f"town {at}.txt", source, replace(a, documents=own), replace(b, documents=own), ledger
            )
            sets.append(one)
            trials += tried
            found.append(came)
            texts[sha(source)] = source
        return assembled(sets, trials, found), texts

    return made
