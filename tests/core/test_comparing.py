"""A comparison is drawn from trials: what can be compared, what is shown of each document set, and what it proves."""

import msgspec
import pytest
from making import TEXT, digest, experiment, point, summary, trials, version
from msgspec.structs import replace

from service.core.comparing import compare
from service.core.comparison import (
    ComparedVersion,
    Comparison,
    DocumentSet,
    Experiment,
    PartDiff,
    PromptDiff,
    Rules,
    Trial,
)
from service.core.errors import InvalidRequest
from service.core.references import Reference, ReferenceDocument, ReferenceFact, ReferenceSpan
from service.core.set_comparing import Material
from service.core.types import Dropped, Manifest, Options, PromptRef, Sentence, SummaryResult

CLOSES = point("k1", "The council will close the old bridge.", "voted on Tuesday to close the old bridge")
COSTS = point("k2", "Repairs would cost 340 million crowns.", "the repairs would cost 340 million crowns")
BUSES = point(
    "k3", "Buses run over the new bridge until May 2027.", "Buses will run over the new bridge until May 2027"
)
SQUARE = point("k4", "Residents protested.", "Residents protested on the square", importance="should")
PIPELINE = {"chunker": "1", "grounding": "1", "sentences": "1", "masking": "1"}
V1, V2, V3 = (version(f"news@{number}") for number in (1, 2, 3))


def result(*points: object, prompt: str = "news@1", **fields: object) -> SummaryResult:
    """A result by a prompt version."""
    return summary(*points, prompt=prompt, **fields)  # type: ignore[arg-type]


def drawn(
    found: tuple[Trial, ...],
    asked: Experiment | None = None,
    material: Material | None = None,
    versions: tuple[ComparedVersion, ...] = (V1, V2),
) -> Comparison:
    """A comparison of news@2 with news@1."""
    sets = len({trial.set for trial in found})
    return compare(asked or experiment(sets), versions, found, material or Material(), service_version="0", diffs={})


def reference(*facts: tuple[str, str, str]) -> Reference:
    """Facts of the small text: id, words, and the words of the text that they rest on."""
    return Reference(
        documents=(ReferenceDocument(id="r", sha256=digest(TEXT)),),
        facts=tuple(
            ReferenceFact(
                id=name,
                text=text,
                importance="must",
                spans=(ReferenceSpan(document="r", start=TEXT.index(rest), end=TEXT.index(rest) + len(rest)),),
            )
            for name, text, rest in facts
        ),
    )


def test_a_version_against_itself_gained_and_lost_nothing() -> None:
    """Every claim is the same, nothing is better or worse, and the gate passes."""
    one = result(CLOSES, COSTS)
    made = drawn(trials({"news@1": [one] * 3, "news@2": [replace(one)] * 3}))
    (pair,) = made.pairs
    assert pair.counts.same == 6
    assert pair.counts.gained == pair.counts.lost == pair.counts.changed == 0
    assert {found.tags for found in pair.sets} == {()}
    assert made.gate.outcome == "pass"


def test_what_was_gained_and_lost_is_said_in_one_sentence() -> None:
    """With what three documents prove."""
    found = trials({"news@1": [result(CLOSES, COSTS)] * 3, "news@2": [result(CLOSES, BUSES, prompt="news@2")] * 3})
    (pair,) = drawn(found).pairs
    assert pair.sentence == (
        "news@2 against news@1: 3 same, +3 gained (3 must), -3 lost (3 must). "
        "cited_points 1.00 → 1.00 over 3 document sets: too few documents."
    )
    assert pair.verdict == "too_few_documents"
    assert pair.noise_repetitions == 0
    assert any(note.startswith("noise: unmeasured") for note in pair.notes)


def test_a_lost_claim_that_matters_fails_the_gate_and_stands_first() -> None:
    """The document set with the worst regression is the first to read."""
    fine, thin = result(CLOSES, COSTS, prompt="news@2"), result(CLOSES, prompt="news@2")
    made = drawn(trials({"news@1": [result(CLOSES, COSTS)] * 2, "news@2": [fine, thin]}))
    assert [(one.set, one.tags[:1]) for one in made.pairs[0].sets] == [("s2", ("regressed",)), ("s1", ())]
    assert made.gate.outcome == "regression"


def test_lost_filler_is_different_and_no_regression() -> None:
    """A claim that is not a must, from the middle of the text, without a number."""
    made = drawn(trials({"news@1": [result(CLOSES, SQUARE)], "news@2": [result(CLOSES, prompt="news@2")]}))
    (found,) = made.pairs[0].sets
    assert found.counts.lost == 1
    assert found.counts.lost_material == 0
    assert found.tags == ("different",)
    assert made.gate.outcome == "pass"


def test_a_fact_of_the_reference_that_only_one_covers_is_named() -> None:
    """By evidence; a loss fails the gate, whatever weight the claims have."""
    held = reference(("f1", "The bridge closes.", "close the old bridge"), ("f2", "Protest.", "Residents protested"))
    material = Material(references={"s1": held})
    made = drawn(
        trials({"news@1": [result(CLOSES, SQUARE)], "news@2": [result(CLOSES, prompt="news@2")]}), material=material
    )
    (found,) = made.pairs[0].sets
    assert [(fact.id, fact.covered_by) for fact in found.facts] == [("f2", "a")]
    assert made.primary_metric == "must_recall"
    assert made.gate.outcome == "regression"


def test_a_fact_that_is_only_said_in_like_words_is_neither_lost_nor_gained() -> None:
    """Alike words are a lax sign: enough for a fact not to be lost, too little for it to have been there."""
    held = reference(("f1", "Residents protested on the square.", "Residents protested"))
    said = point("k9", "Residents protested on the square.", "The last repair was in 1998")
    material = Material(references={"s1": held})
    for ours, theirs in (([CLOSES, said], [CLOSES]), ([CLOSES, SQUARE], [CLOSES, said])):
        found = trials({"news@1": [result(*ours)], "news@2": [result(*theirs, prompt="news@2")]})
        assert drawn(found, material=material).pairs[0].sets[0].facts == ()


def test_one_document_proves_nothing_of_any_metric() -> None:
    """Too few documents is said of every one, the primary or not."""
    found = trials({"news@1": [result(CLOSES, COSTS)], "news@2": [result(CLOSES, prompt="news@2")]})
    assert {row.verdict for row in drawn(found).pairs[0].metrics} == {None, "too_few_documents"}


def test_prompts_that_write_points_alike_differ_by_chance() -> None:
    """A diff of the conflicts stage alone is no reason for other points; and a replay is called one."""
    found = trials({"news@1": [result(CLOSES)], "news@2": [result(CLOSES, prompt="news@2")]})
    diffs = {
        stage: PromptDiff(
            a="news@1", b="news@2", change=None, parts=(PartDiff(stage=stage, part="user", lines=(("+", "x"),)),)
        )
        for stage in ("conflicts", "map")
    }
    said = {
        stage: compare(
            experiment(1), (V1, V2), found, Material(), service_version="0", diffs={("news@1", "news@2"): diff}
        )
        for stage, diff in diffs.items()
    }
    by_chance = {stage: any("by chance" in note for note in made.pairs[0].notes) for stage, made in said.items()}
    assert by_chance == {"conflicts": True, "map": False}


def test_a_new_quote_that_stands_nowhere_is_told_and_an_old_one_is_not() -> None:
    """What the first version did as well is no fault of the second."""
    old = Dropped(text="It fell.", reason="not_found", detail="nowhere")
    new = Dropped(text="It rose.", reason="not_found", detail="nowhere")
    found = trials(
        {
            "news@1": [result(CLOSES, dropped=[old])],
            "news@2": [result(CLOSES, prompt="news@2", dropped=[old, new])],
        }
    )
    (one,) = drawn(found).pairs[0].sets
    assert [(fault.kind, fault.text) for fault in one.unsupported] == [("quote", "It rose.")]
    assert "new_unsupported" in one.tags


def test_a_number_that_its_quote_does_not_hold_is_told() -> None:
    """Although the point was kept."""
    wrong = point("k2", "Repairs would cost 430 million crowns.", "the repairs would cost 340 million crowns")
    found = trials({"news@1": [result(COSTS)], "news@2": [result(wrong, prompt="news@2")]})
    (one,) = drawn(found).pairs[0].sets
    assert [fault.kind for fault in one.unsupported] == ["number"]


def test_failed_trials_are_in_the_report_and_in_no_average() -> None:
    """They stand first, and the gate does not pass."""
    found = trials({"news@1": [result(CLOSES)] * 2, "news@2": [result(CLOSES, prompt="news@2"), None]})
    made = drawn(found)
    (pair,) = made.pairs
    assert (pair.sets[0].set, pair.sets[0].tags, pair.sets[0].b) == ("s2", ("failed",), None)
    assert "1 of 2 trials of news@2 failed; what failed is in no average." in pair.notes
    assert {row.n for row in pair.metrics if row.name == "cited_points"} == {1}
    assert made.gate.outcome == "regression"
    assert len(made.trials) == 4


def changed(**fields: object) -> SummaryResult:
    """A result of news@2 whose manifest differs."""
    one = result(CLOSES, prompt="news@2")
    return replace(one, manifest=Manifest(**{**_fields(one.manifest), **fields}))  # type: ignore[arg-type]


def _fields(manifest: Manifest) -> dict[str, object]:
    return {name: getattr(manifest, name) for name in manifest.__struct_fields__}


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"model": "another"}, "model", "m in news@1, another in news@2"),
        ({"parameters": Options(length="brief")}, "parameters", "length brief"),
        ({"versions": {"chunker": "2", "grounding": "1", "sentences": "1", "masking": "1"}}, "chunker", "chunker 2"),
        (
            {"versions": {"chunker": "1", "grounding": "9", "sentences": "1", "masking": "1"}},
            "grounding",
            "grounding 9",
        ),
    ],
)
def test_what_differs_besides_the_prompt_makes_it_not_comparable(
    fields: dict[str, object], code: str, words: str
) -> None:
    """With the difference named, and no verdict that says better or worse."""
    made = drawn(trials({"news@1": [result(CLOSES)] * 20, "news@2": [changed(**fields)] * 20}))
    (pair,) = made.pairs
    assert [one.code for one in pair.differences] == [code]
    assert words in pair.differences[0].detail
    assert pair.verdict == "not_comparable"
    assert made.gate.outcome == "not_comparable"
    assert {row.verdict for row in pair.metrics} <= {None, "not_comparable"}


def test_a_version_that_was_not_released_is_not_comparable() -> None:
    """What it said cannot be had again once the draft changes."""
    ref = PromptRef(name="news", version=2, digest="ab" * 32, dirty=True)
    dirty = replace(V2, id="news@2+dirty.abababab", prompt=ref)
    found = trials({"news@1": [result(CLOSES)], dirty.id: [result(CLOSES, prompt="news@2")]})
    made = drawn(found, versions=(V1, dirty))
    assert [one.code for one in made.pairs[0].differences] == ["dirty"]


def test_the_extractive_engine_is_no_version_of_a_prompt() -> None:
    """Its numbers stand beside, and no verdict."""
    plain = ComparedVersion(id="extractive", prompt=None, engine="extractive")
    found = trials({"extractive": [summary(CLOSES, prompt=None)], "news@2": [result(CLOSES, prompt="news@2")]})
    assert [one.code for one in drawn(found, versions=(plain, V2)).pairs[0].differences] == ["engine"]


def test_other_documents_are_not_comparable() -> None:
    """One version was run over a set that the other has not seen."""
    found = trials({"news@1": [result(CLOSES)], "news@2": [result(CLOSES, prompt="news@2")] * 2})
    made = drawn(found, experiment(2))
    assert "documents" in [one.code for one in made.pairs[0].differences]


def test_another_contract_is_compared_on_what_both_have_and_said() -> None:
    """Points and their evidence are in every contract."""
    found = trials({"news@1": [result(CLOSES)], "news@2": [result(CLOSES, prompt="news@2")]})
    made = drawn(found, versions=(V1, replace(V2, output="key-points/2")))
    (pair,) = made.pairs
    assert pair.differences == ()
    assert any("key-points/1 and key-points/2" in note for note in pair.notes)
    assert pair.counts.same == 1


def test_a_stage_that_only_one_has_and_a_withdrawn_version_are_said() -> None:
    """Both are known to the reader before the numbers are."""
    found = trials({"news@1": [result(CLOSES)], "news@2": [result(CLOSES, prompt="news@2")]})
    staged = replace(V2, stages=("map", "merge", "conflicts"), withdrawn="It lost hedges.")
    notes = drawn(found, versions=(replace(V1, stages=("map", "merge")), staged)).pairs[0].notes
    assert "news@2 has a conflicts stage and news@1 has none." in notes
    assert "news@2 is withdrawn: It lost hedges." in notes


def test_three_versions_are_compared_last_to_first_and_step_by_step() -> None:
    """The first pair is what the report is about."""
    found = trials({name: [result(CLOSES, prompt=name)] for name in ("news@1", "news@2", "news@3")})
    made = drawn(found, versions=(V1, V2, V3))
    assert [(pair.a, pair.b) for pair in made.pairs] == [
        ("news@1", "news@3"),
        ("news@1", "news@2"),
        ("news@2", "news@3"),
    ]
    assert (made.gate.a, made.gate.b) == ("news@1", "news@3")


def test_repetitions_measure_the_noise_and_show_what_is_unstable() -> None:
    """A version that drops a point in one of two runs differs from itself by that much."""
    drop = Dropped(text="It fell.", reason="not_found", detail="nowhere")
    shaky = [result(CLOSES, COSTS), result(CLOSES, dropped=[drop])]
    steady = [result(CLOSES, COSTS, prompt="news@2")] * 2
    made = drawn(trials({"news@1": shaky, "news@2": steady}, repetitions=2))
    (pair,) = made.pairs
    assert pair.noise_repetitions == 2
    assert {row.noise for row in pair.metrics if row.name == "cited_points"} == {0.5}
    (found,) = pair.sets
    assert found.unstable == ("Repairs would cost 340 million crowns.",)
    assert "unstable" in found.tags


def test_each_sentence_says_who_cites_it() -> None:
    """Both, one, neither, or masked: in the order of the text."""
    starts = [0, *(at + 2 for at in range(len(TEXT)) if TEXT.startswith(". ", at))]
    ends = [*(start - 1 for start in starts[1:]), len(TEXT)]
    sentences = [
        Sentence(number=n, start=start, end=end, paragraph=1, masked=n == 6)
        for n, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    ]
    material = Material(sentences={digest(TEXT): sentences}, texts={digest(TEXT): TEXT})
    found = trials({"news@1": [result(CLOSES, COSTS)], "news@2": [result(CLOSES, BUSES, prompt="news@2")]})
    (strip,) = drawn(found, material=material).pairs[0].sets[0].strips
    assert strip.sentences == ("both", "a", "neither", "b", "neither", "masked")


def test_budgets_of_the_experiment_reach_the_gate() -> None:
    """The summaries have 20 words."""
    found = trials({"news@1": [result(CLOSES)], "news@2": [result(CLOSES, prompt="news@2")]})
    assert drawn(found, experiment(1, rules=Rules(max_words=10))).gate.outcome == "regression"


def test_an_unknown_metric_is_refused_by_name() -> None:
    """With those there are."""
    with pytest.raises(InvalidRequest, match="must_recall"):
        drawn(trials({"news@1": [result(CLOSES)], "news@2": [result(CLOSES)]}), experiment(1, metric="recal"))


def test_fewer_than_two_versions_are_no_comparison() -> None:
    """Nor are none of the documents."""
    with pytest.raises(InvalidRequest):
        drawn(trials({"news@1": [result(CLOSES)]}), versions=(V1,))
    with pytest.raises(InvalidRequest):
        drawn((), Experiment(sets=()))


def test_a_comparison_of_nothing_but_failures_still_stands() -> None:
    """Every trial is told, no average is made up."""
    made = drawn(trials({"news@1": [None], "news@2": [None]}))
    assert {row.n for row in made.pairs[0].metrics} == {0}
    assert made.pairs[0].verdict == "too_few_documents"
    assert made.gate.outcome == "regression"


def test_results_without_a_point_are_compared() -> None:
    """Nothing is gained, nothing is lost, and nothing is divided by nought."""
    made = drawn(trials({"news@1": [result()], "news@2": [result(prompt="news@2")]}))
    assert made.pairs[0].sets[0].ledger == ()


def test_a_comparison_is_read_from_its_json_as_it_was_written() -> None:
    """Drawing it again from there needs no model."""
    made = drawn(trials({"news@1": [result(CLOSES, COSTS)], "news@2": [result(CLOSES, prompt="news@2")]}))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Comparison) == made


def test_documents_are_told_by_their_digests_alone() -> None:
    """Two results may know one document by different ids."""
    one, other = result(CLOSES), result(CLOSES, prompt="news@2")
    renamed = replace(
        other,
        documents=(replace(other.documents[0], id="article"),),
        key_points=tuple(
            replace(point, evidence=tuple(replace(place, document="article") for place in point.evidence))
            for point in other.key_points
        ),
    )
    sets = (DocumentSet(id="s1", name="1.txt", digests=(digest(TEXT),)),)
    made = drawn(trials({"news@1": [one], "news@2": [renamed]}), Experiment(sets=sets))
    assert made.pairs[0].counts.same == 1
