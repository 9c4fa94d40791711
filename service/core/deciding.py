"""What is held against a release or a label before it is made: pure rules, each with what to do instead."""

import re
from collections.abc import Mapping

from rapidfuzz.distance import OSA

from service.core.catalogue import Catalogue
from service.core.comparison import ComparedVersion, Comparison
from service.core.errors import InvalidRequest
from service.core.prompts import PromptVersion

_SHORT = 12
_DIGITS = re.compile("[0-9]")


def same_as(version: PromptVersion, lock: Mapping[str, str]) -> int | None:
    """The lowest other released number of a prompt that sends exactly what a version sends; None where none does.

    Args:
        version: the one to be released.
        lock: digest by number of the released versions of its prompt.
    """
    digests = {int(number): digest for number, digest in lock.items()}
    same = [
        number for number, digest in digests.items() if digest == version.digest and number != version.front.version
    ]
    return min(same, default=None)


def release_notes(version: PromptVersion, catalogue: Catalogue) -> tuple[str, ...]:
    """What to know of a version that is released: numbers left out, a parent that is a draft or says the same."""
    front = version.front
    released = {one.front.version for one in catalogue.released if one.front.name == front.name}
    broken = {number for number, state in catalogue.broken.get(front.name, {}).items() if state == "released"}
    below = max((number for number in released | broken if number < front.version), default=0)
    notes: list[str] = []
    if front.version - below > 1:
        first, last = f"{front.name}@{below + 1}", f"{front.name}@{front.version - 1}"
        skipped = f"{first} is" if first == last else f"{first} to {last} are"
        notes.append(f"{skipped} skipped: not released.")
    parents = [
        one
        for one in (*catalogue.released, *catalogue.drafts)
        if (one.front.name, one.front.version) == (front.name, front.parent)
    ]
    for parent in parents:
        name = f"{front.name}@{front.parent}"
        if parent.front.version not in released:
            notes.append(f"Its parent {name} is a draft, and may still change.")
        if parent.front.change.split() == front.change.split():
            notes.append(
                f"Its `change` repeats that of its parent {name} word for word. Say what this version does otherwise: "
                "`change` is not sent, and may be edited."
            )
    return tuple(notes)


def check_label_new(label: str, known: frozenset[str]) -> None:
    """Raise InvalidRequest where a label is one typo away from others and is none of them.

    One letter too many, too few, or another one, or two that are swapped: a distance of 1 (optimal string alignment).
    Labels that differ in digits only, such as candidate-1 and candidate-2, are meant to.

    >>> check_label_new("candidate", frozenset({"production"}))
    >>> check_label_new("prodution", frozenset({"production"}))
    Traceback (most recent call last):
    service.core.errors.InvalidRequest: There is no label prodution yet. Did you mean production? If not, say --new.
    """
    near = sorted(
        one
        for one in known
        if OSA.distance(label, one, score_cutoff=1) <= 1 and _DIGITS.sub("", label) != _DIGITS.sub("", one)
    )
    if near and label not in known:
        raise InvalidRequest(f"There is no label {label} yet. Did you mean {' or '.join(near)}? If not, say --new.")


def check_report(version: PromptVersion, report: Comparison, *, name: str, why: bool) -> None:
    """Hold a comparison against the version that is to be labelled because of it.

    Args:
        version: the one to be labelled.
        report: what it is labelled because of.
        name: of the report's file.
        why: whether a reason is given beside it.

    Raises:
        InvalidRequest: the report does not have that version; or its gate did not let that version pass, and there is
            no reason beside it.
    """
    of = [one for one in report.versions if _is(version, one)]
    if not of:
        about = ", ".join(_called(one) for one in report.versions)
        raise InvalidRequest(
            f"{name} is not about {version.id}: it compares {about}. Name a report that has {version.id} as it was "
            f"released (digest {version.digest[:_SHORT]})."
        )
    gate = report.gate
    if why:
        return
    if gate.outcome != "pass":
        raise InvalidRequest(
            f"The gate of {name} did not pass: {gate.b} against {gate.a} is {gate.outcome}. Say with --why TEXT why "
            f"{version.id} is labelled all the same."
        )
    if gate.b not in {one.id for one in of}:
        raise InvalidRequest(
            f"The gate of {name} let {gate.b} pass against {gate.a}, and not {version.id}. Say with --why TEXT why "
            f"{version.id} is labelled all the same."
        )


def _is(version: PromptVersion, compared: ComparedVersion) -> bool:
    """Whether what was compared is that version: by what it sends, so that it may have been a draft then."""
    prompt = compared.prompt
    if prompt is None:
        return False
    return (prompt.name, prompt.version, prompt.digest) == (version.front.name, version.front.version, version.digest)


def _called(compared: ComparedVersion) -> str:
    digest = compared.prompt.digest[:_SHORT] if compared.prompt else ""
    return f"{compared.id} (digest {digest})" if digest else compared.id
