"""Prompts and their versions: what the API answers and what `precis prompts ... --json` prints."""

from typing import Annotated

from msgspec import Meta

from service.core import catalogue as of
from service.core.catalogue import Catalogue, Event, Listed, Resolved, State
from service.core.contract import Order
from service.core.prompts import Parameters, Template
from service.core.types import Stage, Value


class VersionEntry(Value, frozen=True, kw_only=True):
    """A version of a prompt, without its text."""

    id: Annotated[str, Meta(description="What summaries and recordings call it, such as `news@3`.")]
    name: str
    version: int
    state: Annotated[
        State,
        Meta(
            description="`withdrawn`: it can be read and compared, and takes no new summaries; `draft`: not released."
        ),
    ]
    dirty: Annotated[bool, Meta(description="Whether it is a draft, or was edited after its release.")]
    latest: Annotated[bool, Meta(description="Whether it is what the name alone means.")]
    labels: tuple[str, ...]
    digest: Annotated[str, Meta(description="SHA-256 of all that is sent: stages, parameters, order, schemas.")]
    parent: Annotated[int | None, Meta(description="The version it was made from.")]
    change: Annotated[str, Meta(description="What it does otherwise than its parent.")]
    stages: tuple[Stage, ...]
    withdrawn: Annotated[str | None, Meta(description="Why it was.")]
    released_at: Annotated[str | None, Meta(description="ISO 8601, in UTC; null where the history does not know it.")]


class VersionDetail(VersionEntry, frozen=True, kw_only=True):
    """A version of a prompt with its text."""

    label: Annotated[str | None, Meta(description="The label that it was asked for by.")]
    output: Annotated[str, Meta(description="The contract of its replies.")]
    order: Annotated[Order, Meta(description="Which of a point a model is to write first.")]
    params: Parameters
    templates: Annotated[dict[Stage, Template], Meta(description="What is sent, by stage; `{{...}}` is put in.")]


class PromptEntry(Value, frozen=True, kw_only=True):
    """A prompt with its versions."""

    name: str
    latest: Annotated[
        str | None, Meta(description="What the name alone means: its highest released version that is not withdrawn.")
    ]
    labels: Annotated[dict[str, int], Meta(description="Version by label.")]
    versions: tuple[VersionEntry, ...]


class PromptDetail(PromptEntry, frozen=True, kw_only=True):
    """A prompt with its versions, and what was done with them."""

    history: Annotated[tuple[Event, ...], Meta(description="Oldest first; since it is kept.")]


class PromptList(Value, frozen=True, kw_only=True):
    """The prompts there are, by name."""

    data: tuple[PromptEntry, ...]


def prompt_list(catalogue: Catalogue, *, drafts_too: bool = False) -> PromptList:
    """Every prompt with its versions; drafts only where they may be used or are asked for."""
    drafts = {draft.front.name for draft in catalogue.drafts} if drafts_too else set()
    names = sorted({*catalogue.names, *drafts})
    return PromptList(data=tuple(_entry(name, catalogue, drafts_too=drafts_too) for name in names))


def prompt_detail(name: str, catalogue: Catalogue) -> PromptDetail:
    """One prompt with its versions and history; raises NotFound."""
    entry = _entry(name, catalogue, drafts_too=False)
    return PromptDetail(
        name=name,
        latest=entry.latest,
        labels=entry.labels,
        versions=entry.versions,
        history=history(catalogue, name),
    )


def history(catalogue: Catalogue, name: str) -> tuple[Event, ...]:
    """What was done with the versions of a prompt, oldest first."""
    return tuple(event for event in catalogue.history if event.prompt == name)


def version_detail(found: Resolved, catalogue: Catalogue) -> VersionDetail:
    """A version with its text, and the label that it was asked for by."""
    entry = version_entry(of.listed(found.version, catalogue))
    front = found.version.front
    return VersionDetail(
        **{name: getattr(entry, name) for name in entry.__struct_fields__},
        label=found.label,
        output=front.output,
        order=front.order,
        params=front.params,
        templates=found.version.stages,
    )


def version_entry(listed: Listed) -> VersionEntry:
    """A version without its text."""
    version = listed.version
    return VersionEntry(
        id=version.id,
        name=version.front.name,
        version=version.front.version,
        state=listed.state,
        dirty=version.dirty,
        latest=listed.latest,
        labels=listed.labels,
        digest=version.digest,
        parent=version.front.parent,
        change=version.front.change,
        stages=tuple(version.stages),
        withdrawn=listed.withdrawn,
        released_at=listed.released_at,
    )


def _entry(name: str, catalogue: Catalogue, *, drafts_too: bool) -> PromptEntry:
    versions = of.listing(name, catalogue, drafts_too=drafts_too)
    return PromptEntry(
        name=name,
        latest=next((one.version.id for one in versions if one.latest), None),
        labels=dict(sorted(catalogue.labels.get(name, {}).items())),
        versions=tuple(version_entry(one) for one in versions),
    )
