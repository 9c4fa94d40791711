"""What a comparison is drawn from: texts and their sentences, references, and what is known of each version."""

import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from service import __version__
from service.core import catalogue, prompt_diff, trials
from service.core.comparing import compare
from service.core.comparison import ComparedVersion, Comparison, DocumentSet, Experiment, PromptDiff, Trial
from service.core.errors import FieldError, InvalidRequest, PrecisError
from service.core.prompts import PromptVersion
from service.core.references import Reference
from service.core.set_comparing import Material
from service.core.types import Document, Sentence, Source


def draw(
    experiment: Experiment, found: Sequence[Trial], sources: Sequence[Source], there: catalogue.Catalogue
) -> Comparison:
    """The comparison of an experiment's trials.

    Args:
        experiment: what was asked for.
        found: the trials, those that failed too.
        sources: the documents, read, as far as they are at hand.
        there: the prompt versions that there are.
    """
    names = experiment.prompts or tuple(dict.fromkeys(trial.version for trial in found))
    versions = [compared_version(name, found, there) for name in names]
    return compare(
        experiment,
        versions,
        found,
        material(experiment, sources),
        service_version=__version__,
        diffs=diffs(versions, there),
    )


def check_sets(sets: Sequence[DocumentSet]) -> None:
    """Refuse the same texts twice: they would prove twice what they prove once. Raises InvalidRequest."""
    seen: dict[tuple[str, ...], int] = {}
    for position, one in enumerate(sets):
        key = tuple(sorted(one.digests))
        if key in seen:
            fault = FieldError(f"/documents/{position}", f"the same text as /documents/{seen[key]}")
            raise InvalidRequest(
                f"{one.name} has the same text as {sets[seen[key]].name}. Name it once.", errors=(fault,)
            )
        seen[key] = position


def check_references(
    references: Sequence[Reference], sets: Sequence[DocumentSet], documents: Sequence[Document]
) -> None:
    """Refuse references that nothing could be held against, or that are not of the texts they say they are of.

    Those of other documents are passed over as long as one fits: a folder may hold more than is compared.

    Raises:
        InvalidRequest: none fits, two are of the same documents, or a span is no place in its text.
    """
    if not references:
        return
    wanted = {frozenset(one.digests) for one in sets}
    fitting = [frozenset(document.sha256 for document in one.documents) for one in references]
    fits = [of for of in fitting if of in wanted]
    if not fits:
        raise InvalidRequest(
            "None of the references is of these documents, as their digests say, so nothing can be held against them.",
            errors=(FieldError("/references", "of other documents"),),
        )
    if len(set(fits)) < len(fits):
        fault = FieldError("/references", "two of the same documents")
        raise InvalidRequest("Two references are of the same documents. Give one, or join them.", errors=(fault,))
    texts = {digest(document): document.text for document in documents}
    for position, reference in enumerate(references):
        of = {document.id: document.sha256 for document in reference.documents}
        spans = [span for fact in reference.facts for span in fact.spans]
        spans += [span for conflict in reference.conflicts for side in conflict.sides for span in side]
        for span in spans:
            text = texts.get(of.get(span.document, ""))
            inside = span.document in of and 0 <= span.start < span.end and (text is None or span.end <= len(text))
            if not inside or (text is not None and span.quote and text[span.start : span.end] != span.quote):
                what = f"characters {span.start} to {span.end} of {span.document[:80]!r}"
                fault = FieldError(f"/references/{position}", f"{what} is not what it says")
                raise InvalidRequest(f"A reference points to {what}, and there is no such place.", errors=(fault,))


def material(experiment: Experiment, sources: Sequence[Source]) -> Material:
    """Texts and sentences by their digests, and each document set's reference, matched by the digests it is of."""
    texts: dict[str, str] = {}
    sentences: dict[str, Sequence[Sentence]] = {}
    for source in sources:
        key = digest(source.document)
        texts[key], sentences[key] = source.text, source.sentences
    held: dict[str, Reference] = {}
    for reference in experiment.references:
        of = {document.sha256 for document in reference.documents}
        for one in experiment.sets:
            if set(one.digests) == of:
                held[one.id] = reference
    return Material(references=held, texts=texts, sentences=sentences)


def compared_version(name: str, found: Sequence[Trial], there: catalogue.Catalogue) -> ComparedVersion:
    """What is known of a version, from its trials and from the catalogue, where that has it still."""
    own = [trial for trial in found if trial.version == name]
    results = [trial.result for trial in own if trial.result is not None]
    prompt = results[0].manifest.prompt if results else None
    version = _version(name, there) if prompt is None else _by_digest(prompt.digest, there)
    seen = ComparedVersion(
        id=name,
        prompt=prompt or (version.ref if version else None),
        engine=results[0].engine if results else "llm",
        models=trials.answered(own),
    )
    if version is None:
        return seen
    return replace(
        seen,
        parent=version.front.parent,
        change=version.front.change,
        output=version.front.output,
        stages=tuple(version.stages),
        withdrawn=there.withdrawn.get(version.front.name, {}).get(version.front.version),
    )


def diffs(versions: Sequence[ComparedVersion], there: catalogue.Catalogue) -> dict[tuple[str, str], PromptDiff]:
    """How the prompts differ, for every two versions that are both there still."""
    known = {one.id: _by_digest(one.prompt.digest, there) for one in versions if one.prompt is not None}
    return {
        (one, other): replace(prompt_diff.diff(ours, theirs), a=one, b=other)
        for one, ours in known.items()
        for other, theirs in known.items()
        if ours is not None and theirs is not None and one != other
    }


def _version(name: str, there: catalogue.Catalogue) -> PromptVersion | None:
    try:
        return catalogue.resolve(name, there, withdrawn_too=True).version
    except PrecisError:
        return None


def _by_digest(digest: str, there: catalogue.Catalogue) -> PromptVersion | None:
    return next((one for one in (*there.released, *there.drafts) if one.digest == digest), None)


def digest(document: Document) -> str:
    """SHA-256 of a document's text."""
    return hashlib.sha256(document.text.encode()).hexdigest()
