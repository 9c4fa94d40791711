"""`precis prompts`: what versions there are and how they differ, and releasing, withdrawing and labelling them."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from service import bootstrap
from service.adapters import library
from service.cli import EXIT_FAILED
from service.core import catalogue as of
from service.core import prompt_diff
from service.core.catalogue import Catalogue, Event
from service.core.comparison import PromptDiff
from service.core.errors import InvalidRequest, NotFound
from service.core.prompt_names import reference as read
from service.core.prompts import Template
from service.core.types import Stage
from service.rendering import prompts
from service.settings import Settings

_STYLES = {"-": "red", "+": "green"}
_NONE = "-"
_SHORT = 12


# --- to read ---------------------------------------------------------------------------------------------------------


def show_list(settings: Settings, *, as_json: bool) -> int:
    """Print every version with its state, labels, date of release and change; returns the exit code."""
    loaded = bootstrap.load_prompts(settings)
    found = prompts.prompt_list(loaded.catalogue, drafts_too=True)
    if as_json:
        return _json(found)
    rows = [
        (
            one.id,
            one.state + ", latest" * one.latest + ", edited" * (one.dirty and one.state != "draft"),
            ", ".join(one.labels) or _NONE,
            (one.released_at or _NONE).partition("T")[0],
            f"{one.change} [withdrawn: {one.withdrawn}]" if one.withdrawn else one.change,
        )
        for prompt in found.data
        for one in prompt.versions
    ]
    if rows:
        _table([("VERSION", "STATE", "LABELS", "RELEASED", "CHANGE"), *rows])
    else:
        click.echo(f"There are no prompts in {loaded.folder}.")
    return 0


def show(settings: Settings, reference: str, stage: Stage | None, *, as_json: bool) -> int:
    """Print a version with its text, or one stage of it; returns the exit code.

    Raises:
        PrecisError: the reference means no version.
        NotFound: the version does not have that stage.
    """
    catalogue = bootstrap.load_prompts(settings).catalogue
    found = of.resolve(reference, catalogue, withdrawn_too=True)
    version = found.version
    if stage is not None and stage not in version.stages:
        raise NotFound(f"{version.id} has no stage {stage}. It has: {', '.join(version.stages)}.")
    if as_json:
        return _json(prompts.version_detail(found, catalogue))
    listed = of.listed(version, catalogue)
    if stage is None:
        parent = "none" if version.front.parent is None else f"{version.front.name}@{version.front.parent}"
        params = msgspec.json.encode(version.front.params).decode()
        _table(
            [
                ("version", version.id),
                ("digest", version.digest),
                ("state", f"withdrawn: {listed.withdrawn}" if listed.withdrawn else listed.state),
                ("labels", ", ".join(listed.labels) or "none"),
                ("parent", parent),
                ("change", version.front.change),
                ("output", f"{version.front.output}, {version.front.order}"),
                ("params", params),
            ]
        )
    for name, template in version.stages.items():
        if stage in (None, name):
            _template(name, template)
    return 0


def _template(stage: Stage, template: Template) -> None:
    for part, text in (("system", template.system), ("user", template.user)):
        click.echo(f"\n## {stage} {part}\n\n{text}")


def diff(settings: Settings, first: str, second: str | None, *, as_json: bool) -> int:
    """Print how a version differs from another, or from its parent; returns the exit code.

    Raises:
        PrecisError: a reference means no version, or the one version has no parent.
    """
    catalogue = bootstrap.load_prompts(settings).catalogue
    a = of.resolve(first, catalogue, withdrawn_too=True).version
    if second is None:
        a, b = of.parent(a, catalogue), a
    else:
        b = of.resolve(second, catalogue, withdrawn_too=True).version
    found = prompt_diff.diff(a, b)
    if as_json:
        return _json(found)
    _print_diff(found)
    return 0


def _print_diff(found: PromptDiff) -> None:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(f"{found.a} -> {found.b}")
    if found.change:
        console.print(f"{found.b}: {found.change}")
    if not found.parts:
        console.print("They say the same.")
    for part in found.parts:
        console.print(Text(f"\n{part.stage} {part.part}".replace("\n ", "\n"), style="bold"))
        for sign, line in part.lines:
            console.print(Text(f"{sign} {line}".rstrip(), style=_STYLES.get(sign, "")))


def verify(settings: Settings) -> int:
    """Hold every released version against the lock; returns the exit code, 1 where one was edited and may be used.

    Raises:
        BadPrompt: one was edited, and may not be used; or the folder does not load.
    """
    loaded = bootstrap.load_prompts(settings)
    catalogue = loaded.catalogue
    lock = library.read_lock(loaded.folder)
    for version in catalogue.released:
        one = of.listed(version, catalogue)
        state = one.state if one.withdrawn is None else f"withdrawn: {one.withdrawn}"
        if version.dirty:
            before = lock[version.front.name][str(version.front.version)]
            state += f", and edited since: the lock has {before[:_SHORT]}"
        click.echo(f"{version.id}  {version.digest}  {state}")
    for version in catalogue.drafts:
        click.echo(f"{version.id}  {version.digest}  draft{'' if catalogue.dev else ', not used'}")
    if not catalogue.released and not catalogue.drafts:
        click.echo(f"There are no prompts in {loaded.folder}.")
    for line in _labels(catalogue):
        click.echo(line)
    return EXIT_FAILED if any(version.dirty for version in catalogue.released) else 0


def _labels(catalogue: Catalogue) -> Iterable[str]:
    """Each label with its version, and whether the history knows of it."""
    last = {(event.prompt, event.label): event.to for event in catalogue.history if event.action == "label"}
    for name, labels in sorted(catalogue.labels.items()):
        for label, to in sorted(labels.items()):
            known = last.get((name, label))
            note = "" if known == to else "  (the history does not say so: it was set by hand)"
            yield f"{name}@{label}  is {name}@{to}{note}"


def history(settings: Settings, name: str | None, *, as_json: bool) -> int:
    """Print what was done with versions, oldest first; returns the exit code. Raises NotFound for an unknown prompt."""
    catalogue = bootstrap.load_prompts(settings).catalogue
    events: Sequence[Event] = catalogue.history
    if name is not None:
        of.listing(name, catalogue, drafts_too=True)
        events = prompts.history(catalogue, name)
    if as_json:
        return _json(events)
    for event in events:
        click.echo(f"{event.at}  {_in_words(event)}")
    if not events:
        click.echo("The history is empty: nothing was released, withdrawn or labelled since it is kept.")
    return 0


def _in_words(event: Event) -> str:
    version = f"{event.prompt}@{event.to if event.to is not None else event.from_}"
    if event.action == "label":
        before = "" if event.from_ is None else f", it was {event.prompt}@{event.from_}"
        said = f"{event.prompt}@{event.label} is {version}{before}"
    else:
        said = f"{version} {'released' if event.action == 'release' else 'withdrawn'}"
    because = event.because
    reasons = [event.why] if event.why else []
    if because is not None:
        outcome = f" (gate: {because.outcome})" if because.outcome else ""
        sentence = f": {because.sentence}" if because.sentence else ""
        reasons.append(f"{because.name} {because.sha256[:_SHORT]}{sentence}{outcome}")
    return f"{said}. {'; '.join(reasons)}" if reasons else said


# --- to change -------------------------------------------------------------------------------------------------------


def release(settings: Settings, reference: str) -> int:
    """Add a draft to the lock, from when on it may not change.

    Raises:
        InvalidRequest: the reference names no version, or one that is released already.
        NotFound: there is no such draft.
    """
    wanted = read(reference)
    if wanted.version is None:
        raise InvalidRequest(f"Say which version of {wanted.name}, such as {wanted.name}@1.")
    loaded = library.load(bootstrap.prompts_folder(settings))
    key = (wanted.name, wanted.version)
    if any((version.front.name, version.front.version) == key for version in loaded.released):
        raise InvalidRequest(f"{reference} is released already; a change of it is a new version.")
    named = [version for version in loaded.drafts if (version.front.name, version.front.version) == key]
    if not named or not named[0].digest.startswith(wanted.dirty or ""):
        drafts = ", ".join(version.id for version in loaded.drafts) or "none"
        raise NotFound(f"There is no draft {reference} in {loaded.folder}. Drafts there: {drafts}.")
    library.release(loaded.folder, named[0])
    name = f"{wanted.name}@{wanted.version}"
    click.echo(f"{name} is released with the digest {named[0].digest}. It may not change any more.")
    return 0


def withdraw(settings: Settings, reference: str, why: str) -> int:
    """Withdraw a released version: it takes no new summaries, and stays readable. Raises PrecisError."""
    _check_named(reference)
    event = library.withdraw(bootstrap.prompts_folder(settings), reference, why)
    click.echo(f"{event.prompt}@{event.from_} is withdrawn. It takes no new summaries, and stays readable.")
    return 0


def label(settings: Settings, reference: str, name: str, why: str | None, because: Path | None) -> int:
    """Move a label to a version, for a reason that goes into the history. Raises PrecisError."""
    if why is None and because is None:
        raise click.UsageError("Say why: --why TEXT, or --because FILE, such as a comparison in JSON.")
    _check_named(reference)
    report = library.evidence(because) if because else None
    event = library.label(bootstrap.prompts_folder(settings), reference, name, why=why, because=report)
    if event is None:
        click.echo(f"{reference} has the label {name} already.")
        return 0
    click.echo(_in_words(event))
    click.echo("A service that is running knows of it once it is started again.")
    return 0


def _check_named(reference: str) -> None:
    """What is changed is named by more than the prompt, whose latest version is another one tomorrow."""
    wanted = read(reference)
    if (wanted.version, wanted.digest, wanted.label) == (None, None, None):
        raise InvalidRequest(f"Say which version of {wanted.name}, such as {wanted.name}@1.")


# --- writing ---------------------------------------------------------------------------------------------------------


def _json(value: object) -> int:
    # bytes, as JSON is UTF-8 whatever the terminal says
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()
    return 0


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns beside one another; the last one as long as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())
