"""Which prompt versions there are, and what a reference to one means. Everything is resolved from what was loaded."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.core.comparison import Outcome
from service.core.errors import InvalidRequest, NotFound, PromptWithdrawn
from service.core.prompt_names import SHOWN, Reference, reference, shown
from service.core.prompts import PromptVersion
from service.core.types import Value

_MOST_LISTED = 20
_SHORT = 12

State = Literal["released", "draft", "withdrawn"]
Action = Literal["release", "withdraw", "label"]
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", description="ISO 8601, in UTC.")]


class Because(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file that something was decided by."""

    name: str
    sha256: str
    """Of its bytes."""
    sentence: str | None = None
    """What it says, where it is a comparison."""
    outcome: Outcome | None = None
    """Of its gate, where it is a comparison."""


class Event(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that was done with a version: released, withdrawn, or a label moved to it or taken off it."""

    at: Moment
    action: Action
    prompt: str
    label: str | None = None
    """The one that was moved or removed."""
    from_: int | None = msgspec.field(name="from", default=None)
    """The version that was withdrawn, or that had the label before."""
    to: int | None = None
    """The version that was released, or that has the label since; none where the label was removed."""
    why: str | None = None
    because: Because | None = None


class Catalogue(Value, frozen=True, kw_only=True):
    """The versions of all prompts, and what was decided about them."""

    released: tuple[PromptVersion, ...] = ()
    """Those in the lock, withdrawn ones too; with `dev`, edited ones among them are `dirty`."""
    drafts: tuple[PromptVersion, ...] = ()
    """Those that are not in the lock; all of them are `dirty`."""
    labels: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """Version by prompt and label."""
    withdrawn: dict[str, dict[int, str]] = msgspec.field(default_factory=dict)
    """Why, by prompt and version."""
    history: tuple[Event, ...] = ()
    """Oldest first; what was done before it was kept is not in it."""
    dev: bool = False
    """Whether drafts and edited versions may be used."""
    broken: dict[str, dict[int, State]] = msgspec.field(default_factory=dict)
    """What there is of each version that does not load: a draft, or one that is released."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the prompts that have a version that may be used or read, in order."""
        return tuple(sorted({version.front.name for version in self.usable}))

    @property
    def usable(self) -> tuple[PromptVersion, ...]:
        """The released versions, and with `dev` the drafts, by name and number."""
        found = (*self.released, *(self.drafts if self.dev else ()))
        return tuple(sorted(found, key=lambda version: (version.front.name, version.front.version)))


class Listed(Value, frozen=True, kw_only=True):
    """A version, and what was decided about it."""

    version: PromptVersion
    state: State
    labels: tuple[str, ...]
    latest: bool
    """Whether it is what its name alone means."""
    withdrawn: str | None
    """Why it was."""
    released_at: str | None
    """Where the history knows it."""


class Resolved(Value, frozen=True, kw_only=True):
    """What a reference means."""

    version: PromptVersion
    label: str | None = None
    """The label that it came by."""


# --- what a reference means ------------------------------------------------------------------------------------------


def resolve(wanted: str | Reference, catalogue: Catalogue, *, withdrawn_too: bool = False) -> Resolved:
    """The version that a reference means, and the label that it came by.

    Args:
        wanted: a reference, read or not.
        catalogue: what there is.
        withdrawn_too: whether withdrawn versions may be read; `news` and `news@latest` never mean one.

    Raises:
        ConflictingReference: it names two versions.
        InvalidRequest: it is no reference, or a digest that several versions begin with.
        PromptWithdrawn: that version is withdrawn.
        NotFound: there is no such prompt, version, label or digest, with what there is.
    """
    asked = reference(wanted) if isinstance(wanted, str) else wanted
    version = _find(asked, catalogue)
    if not withdrawn_too and (why := _why_withdrawn(version, catalogue)) is not None:
        raise PromptWithdrawn(f"{version.id} was withdrawn: {why.rstrip('.')}. {_instead(asked.name, catalogue)}")
    return Resolved(version=version, label=asked.label)


def pinned(identity: str, catalogue: Catalogue) -> PromptVersion:
    """The version that a summary was accepted for, withdrawn since or not.

    Args:
        identity: `PromptVersion.id` of that time.
        catalogue: what there is now.

    Raises:
        NotFound: it is not there any more, or has been edited since.
    """
    asked = reference(identity)
    version = _find(asked, catalogue)
    if version.dirty and asked.dirty is None:
        raise NotFound(
            f"{identity} was edited since it was asked for, and is now {version.id}. Restore it, or ask anew."
        )
    return version


def _find(asked: Reference, catalogue: Catalogue) -> PromptVersion:
    """The version that a reference means, withdrawn or not."""
    named = _named(asked.name, catalogue)
    if asked.digest is not None:
        return _by_digest(asked, named)
    number = asked.version
    if asked.label is not None:
        labels = catalogue.labels.get(asked.name, {})
        if asked.label not in labels:
            there = ", ".join(f"{label} ({asked.name}@{to})" for label, to in sorted(labels.items())) or "none"
            raise NotFound(
                f"{asked.name} has no label {asked.label}. {_near(asked.label, labels)}Labels there: {there}. Set one "
                f"with `precis prompts label {asked.name}@N {asked.label}`."
            )
        number = labels[asked.label]
    if number is None:
        highest = latest(asked.name, catalogue)
        if highest is None and (higher := _broken_latest(asked.name, catalogue)) is not None:
            raise NotFound(_does_not_load(asked.name, higher, "released"))
        if highest is None:
            raise NotFound(
                f"{asked.name} has no released version that is not withdrawn. There are: {_there(named)}. Name a "
                "version, or release one with `precis prompts release`."
            )
        return highest
    found = next((version for version in named if version.front.version == number), None)
    state = catalogue.broken.get(asked.name, {}).get(number)
    if found is None and state is not None:
        raise NotFound(_does_not_load(asked.name, number, state))
    if found is None:
        raise NotFound(_missing(asked, named, catalogue))
    if asked.dirty is not None and not found.digest.startswith(asked.dirty):
        raise NotFound(f"There is no {asked}: that version is now {found.id}. Name it so, or restore the file.")
    return found


def _named(name: str, catalogue: Catalogue) -> list[PromptVersion]:
    """The versions of a prompt that may be used; raises NotFound where there is no such prompt."""
    named = [version for version in catalogue.usable if version.front.name == name]
    drafts = [draft for draft in catalogue.drafts if draft.front.name == name]
    if not named and not drafts and name not in catalogue.broken:
        raise _no_prompt(name, catalogue.names)
    return named


def check_prompt(name: str, catalogue: Catalogue) -> None:
    """Raise NotFound where there is no version of a prompt, not even a draft, with the prompts there are."""
    drafts = {draft.front.name for draft in catalogue.drafts}
    names = sorted({*catalogue.names, *drafts, *catalogue.broken})
    if name not in names:
        raise _no_prompt(name, names)


def _no_prompt(name: str, names: Sequence[str]) -> NotFound:
    there = ", ".join(names[:_MOST_LISTED]) or "none"
    return NotFound(f"There is no prompt {shown(name)}. {_near(name[:SHOWN], names)}There are: {there}.")


def _by_digest(asked: Reference, named: Sequence[PromptVersion]) -> PromptVersion:
    found = [version for version in named if version.digest.startswith(asked.digest or "")]
    if len(found) > 1:
        which = ", ".join(version.id for version in found)
        raise InvalidRequest(f"{asked} fits more than one version: {which}. Name one by its number or more digits.")
    if not found:
        known = [f"{version.id} (sha256:{version.digest[:_SHORT]})" for version in named[-_MOST_LISTED:]]
        there = ", ".join(known) or "none"
        raise NotFound(f"No version of {asked.name} has a digest that begins so: {asked}. There are: {there}.")
    return found[0]


def _missing(asked: Reference, named: Sequence[PromptVersion], catalogue: Catalogue) -> str:
    """Say that a version is not there, or may not be used."""
    drafts = {(draft.front.name, draft.front.version) for draft in catalogue.drafts}
    if (asked.name, asked.version) in drafts:
        return (
            f"{asked.name}@{asked.version} is a draft, and not used. Release it with `precis prompts release "
            f"{asked.name}@{asked.version}`, or try it with --dev (PRECIS_PROMPTS_DEV=true)."
        )
    return f"There is no released prompt {asked}. There are: {_there(named)}."


def _does_not_load(name: str, number: int, state: State) -> str:
    what = "a draft that" if state == "draft" else f"{state}, and"
    return f"{name}@{number} is {what} does not load. `precis prompts verify` says why."


def _instead(name: str, catalogue: Catalogue) -> str:
    highest = latest(name, catalogue)
    return f"Use {highest.id} instead." if highest else "No other version of it is released."


def _why_withdrawn(version: PromptVersion, catalogue: Catalogue) -> str | None:
    return catalogue.withdrawn.get(version.front.name, {}).get(version.front.version)


def _there(versions: Sequence[PromptVersion]) -> str:
    return ", ".join(version.id for version in versions[-_MOST_LISTED:]) or "none"


def _near(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}? " if near else ""


# --- what there is ---------------------------------------------------------------------------------------------------


def latest(name: str, catalogue: Catalogue) -> PromptVersion | None:
    """The highest released version of a prompt that is not withdrawn; None where there is none, or it does not load."""
    if _broken_latest(name, catalogue) is not None:
        return None
    return max(_standing(name, catalogue), key=lambda version: version.front.version, default=None)


def _standing(name: str, catalogue: Catalogue) -> list[PromptVersion]:
    """The released versions that load and are not withdrawn."""
    return [
        version
        for version in catalogue.released
        if version.front.name == name and _why_withdrawn(version, catalogue) is None
    ]


def _broken_latest(name: str, catalogue: Catalogue) -> int | None:
    """The number of the latest version where it does not load."""
    gone = catalogue.withdrawn.get(name, {})
    broken = [
        number for number, state in catalogue.broken.get(name, {}).items() if state == "released" and number not in gone
    ]
    highest = max(broken, default=0)
    return highest if all(one.front.version < highest for one in _standing(name, catalogue)) and broken else None


def parent(version: PromptVersion, catalogue: Catalogue) -> PromptVersion:
    """The version that another was made from, withdrawn or not.

    Raises:
        InvalidRequest: it was made from none.
        NotFound: that one is not there.
    """
    number = version.front.parent
    if number is None:
        raise InvalidRequest(f"{version.id} has no parent. Say which version it is held against.")
    return _find(Reference(name=version.front.name, version=number), catalogue)


def listed(version: PromptVersion, catalogue: Catalogue) -> Listed:
    """A version with what was decided about it."""
    name, number = version.front.name, version.front.version
    why = _why_withdrawn(version, catalogue)
    released = version in catalogue.released
    labels = catalogue.labels.get(name, {}) if released else {}
    times = [one.at for one in catalogue.history if (one.action, one.prompt, one.to) == ("release", name, number)]
    return Listed(
        version=version,
        state="draft" if not released else "released" if why is None else "withdrawn",
        labels=tuple(sorted(label for label, to in labels.items() if to == number)),
        latest=version == latest(name, catalogue),
        withdrawn=why,
        released_at=times[0] if times and released else None,
    )


def listing(name: str, catalogue: Catalogue, *, drafts_too: bool = False) -> tuple[Listed, ...]:
    """The versions of a prompt by number; drafts only where they may be used or are asked for.

    Raises:
        NotFound: there is no such prompt.
    """
    named = _named(name, catalogue)
    if drafts_too and not catalogue.dev:
        named = [*named, *(draft for draft in catalogue.drafts if draft.front.name == name)]
    if not named and not (drafts_too and name in catalogue.broken):
        raise NotFound(
            f"{name} has drafts only, and they are not used. Release one with `precis prompts release {name}@N`, or "
            "try it with --dev (PRECIS_PROMPTS_DEV=true)."
        )
    return tuple(listed(version, catalogue) for version in sorted(named, key=lambda one: one.front.version))
