"""Summaries that are there already, as trials: which of them are of the same documents, and which of one version."""

from collections.abc import Iterable, Mapping, Sequence

from service.core.comparison import ComparedVersion, DocumentSet, Trial
from service.core.errors import FieldError, InvalidRequest
from service.core.types import SummaryResult, Value


class Existing(Value, frozen=True, kw_only=True):
    """A summary that was made before."""

    name: str
    """Of the file, or id of the stored summary: for messages, and to tell versions apart that are called alike."""
    result: SummaryResult
    summary: str | None = None
    """Id of the stored summary."""


class Assembled(Value, frozen=True, kw_only=True):
    """Summaries, told apart by version and paired by their documents."""

    versions: tuple[ComparedVersion, ...]
    sets: tuple[DocumentSet, ...]
    trials: tuple[Trial, ...]


def assembled(existing: Sequence[Existing]) -> Assembled:
    """Versions in the order in which they first come, document sets too; a second one of both is a repetition.

    Summaries are of one version where prompt (by digest), engine and model are the same. The same summary twice is one:
    what was not asked anew says nothing of how far a version differs from itself.

    Raises:
        InvalidRequest: they are all of one version.
    """
    versions: dict[tuple[str, str, str], str] = {}
    sets: dict[tuple[str, ...], DocumentSet] = {}
    trials: list[Trial] = []
    seen: list[tuple[str, str, object]] = []
    for one in existing:
        version = _version(one, versions)
        digests = tuple(facts.sha256 for facts in one.result.documents)
        if tuple(sorted(digests)) not in sets:
            sets[tuple(sorted(digests))] = DocumentSet(id=f"s{len(sets) + 1}", name=_name(one.result), digests=digests)
        document_set = sets[tuple(sorted(digests))].id
        said = (one.result.headline, one.result.abstract, one.result.key_points)
        if (version, document_set, said) in seen:
            continue
        repetition = sum((version, document_set) == (before, of) for before, of, _ in seen)
        seen.append((version, document_set, said))
        trials.append(
            Trial(
                id=f"t{len(trials) + 1}",
                set=document_set,
                version=version,
                repetition=repetition,
                result=one.result,
                summary=one.summary,
            )
        )
    if len(versions) == 1:
        (only,) = versions.values()
        fault = FieldError("/summaries", f"all of {only}")
        raise InvalidRequest(
            f"All of these summaries are of one version, {only}. Give summaries by two versions of a prompt, models or "
            "engines.",
            errors=(fault,),
        )
    first = {trial.version: trial.result for trial in reversed(trials)}
    return Assembled(
        versions=tuple(_compared(name, first[name], trials) for name in versions.values()),
        sets=tuple(sets.values()),
        trials=tuple(trials),
    )


def _version(one: Existing, known: dict[tuple[str, str, str], str]) -> str:
    """The name of a summary's version: that of its prompt, with the model or the summary where that is not enough."""
    manifest = one.result.manifest
    key = (manifest.prompt.digest if manifest.prompt else "", manifest.engine, manifest.model or "")
    if key not in known:
        plain = f"{manifest.prompt.name}@{manifest.prompt.version}" if manifest.prompt else manifest.engine
        names = (plain, f"{plain} by {manifest.model}", f"{plain} ({one.name})")
        known[key] = next(name for name in names if name not in known.values())
    return known[key]


def _compared(name: str, result: SummaryResult | None, trials: Sequence[Trial]) -> ComparedVersion:
    assert result is not None  # noqa: S101 - for mypy: these trials have results
    return ComparedVersion(
        id=name,
        prompt=result.manifest.prompt,
        engine=result.manifest.engine,
        models=answered([trial for trial in trials if trial.version == name]),
    )


def answered(trials: Sequence[Trial]) -> tuple[str, ...]:
    """The models that answered in some trials, in order."""
    return tuple(
        sorted({trial.result.manifest.model for trial in trials if trial.result and trial.result.manifest.model})
    )


def _name(result: SummaryResult) -> str:
    """Of a document set: that of its documents."""
    names = [facts.name or facts.title or facts.id for facts in result.documents]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def check_quotes(found: Iterable[Trial], texts: Mapping[str, str]) -> None:
    """Refuse results whose quotes are not the text at their offsets, where the text is at hand.

    Args:
        found: trials that were made elsewhere.
        texts: by their SHA-256.

    Raises:
        InvalidRequest: a quote does not stand where it says.
    """
    for trial in found:
        if trial.result is None:
            continue
        at = {facts.id: texts.get(facts.sha256) for facts in trial.result.documents}
        for point in trial.result.key_points:
            for place in point.evidence:
                text = at.get(place.document)
                stands = place.document in at and 0 <= place.start < place.end
                if not stands or (text is not None and text[place.start : place.end] != place.quote):
                    raise InvalidRequest(
                        f"{point.id} of {trial.version} over {trial.set} quotes characters {place.start} to "
                        f"{place.end} of a document, and that is not what stands there. The file was edited, or is of "
                        "another text."
                    )
