"""Whether two versions can be compared, and what to know beside their comparison."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from service.core.comparison import Difference, DifferenceCode, PromptDiff, SetComparison
from service.core.set_comparing import Run
from service.core.types import SummaryResult

REPLAYED = "replayed recordings"
"""What stands for the endpoint in results whose answers were replayed."""


def differences(a: Run, b: Run) -> tuple[Difference, ...]:
    """What the two differ in beside their prompts."""
    ours, theirs = ([trial.result for trial in run.trials if trial.result] for run in (a, b))
    found: list[Difference] = []

    def differ(code: DifferenceCode, what: str, one: Iterable[str], other: Iterable[str]) -> None:
        left, right = sorted(set(one)), sorted(set(other))
        if left != right:
            ones, others = (", ".join(some) or "none" for some in (left, right))
            detail = f"{what}: {ones} in {a.version.id}, {others} in {b.version.id}."
            found.append(Difference(code=code, detail=detail))

    for run in (a, b):
        if run.version.prompt and run.version.prompt.dirty:
            detail = f"{run.version.id} was not released, so what it said cannot be had again. Release it."
            found.append(Difference(code="dirty", detail=detail))
    both = bool(ours and theirs)
    if {trial.set for trial in a.trials} != {trial.set for trial in b.trials}:
        differ("documents", "Document sets", (t.set for t in a.trials), (t.set for t in b.trials))
    if both:
        differ("engine", "Written by", (r.engine for r in ours), (r.engine for r in theirs))
        models = [[r.manifest.model or "no model" for r in some] for some in (ours, theirs)]
        if not any(one.code == "engine" for one in found):
            differ("model", "Model that answered", *models)
        options = [[_options(r) for r in some] for some in (ours, theirs)]
        differ("parameters", "Options", *options)
        for code, parts in _PARTS.items():
            versions = [[_part_versions(r, parts) for r in some] for some in (ours, theirs)]
            differ(code, f"Version of {' and '.join(parts)}", *versions)
    return tuple(found)


_POINTS = frozenset({"", "map", "merge", "repair"})
"""Parts of a prompt that shape the points; parameters, order and contract have no stage."""
_PARTS: Mapping[DifferenceCode, tuple[str, ...]] = {
    "chunker": ("sentences", "masking", "chunker"),
    "grounding": ("grounding",),
}


def _options(result: SummaryResult) -> str:
    options = result.manifest.parameters
    set_ = [f"{name} {value}" for name in options.__struct_fields__ if (value := getattr(options, name)) is not None]
    return ", ".join(set_)


def _part_versions(result: SummaryResult, parts: Sequence[str]) -> str:
    return ", ".join(f"{part} {result.manifest.versions.get(part, 'unknown')}" for part in parts)


def notes(
    a: Run, b: Run, compared: Sequence[SetComparison], *, repetitions: int, diff: PromptDiff | None
) -> Iterator[str]:
    """What to know beside a comparison, in sentences.

    Args:
        a: the first version.
        b: the second.
        compared: the document sets.
        repetitions: distinct ones that the noise was measured with; 0 where it was not.
        diff: of the prompts, where they are at hand.
    """
    yield from _of_prompts(a, b, diff)
    yield from _of_trials(a, b)
    unmatched = [one.set for one in compared if one.a is None or one.b is None]
    if unmatched:
        yield f"Without a result on both sides: {', '.join(unmatched)}."
    if repetitions == 0:
        yield "noise: unmeasured. Each version was asked once, so how far it differs from itself is not known."


def _of_prompts(a: Run, b: Run, diff: PromptDiff | None) -> Iterator[str]:
    if diff is not None and _POINTS.isdisjoint(part.stage for part in diff.parts):
        yield (
            f"What {a.version.id} and {b.version.id} send to have points written and merged is the same: where their "
            "points differ, they differ by chance."
        )
    if a.version.output != b.version.output and a.version.output and b.version.output:
        yield (
            f"The contracts of the replies differ, {a.version.output} and {b.version.output}: compared is what both "
            "have, key points with their evidence."
        )
    for one, other in ((a, b), (b, a)):
        for stage in one.version.stages:
            if other.version.stages and stage not in other.version.stages:
                yield f"{one.version.id} has a {stage} stage and {other.version.id} has none."
        if one.version.withdrawn is not None:
            yield f"{one.version.id} is withdrawn: {one.version.withdrawn}"


def _of_trials(a: Run, b: Run) -> Iterator[str]:
    for run in (a, b):
        failed = sum(trial.result is None for trial in run.trials)
        if failed:
            yield f"{failed} of {len(run.trials)} trials of {run.version.id} failed; what failed is in no average."
    if any(trial.result and trial.result.manifest.endpoint == REPLAYED for run in (a, b) for trial in run.trials):
        yield "Answers were replayed from recordings: times are those of the replay, and nothing was paid."
