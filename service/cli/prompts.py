"""`precis prompts`, to read: what versions there are, what they say, how they differ, and what was done with them."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click
import msgspec
from rich.console import Console
from rich.text import Text

from service import bootstrap
from service.adapters import library
from service.cli import EXIT_FAILED
from service.core import catalogue as of
from service.core import prompt_diff
from service.core.catalogue import Event
from service.core.comparison import PromptDiff
from service.core.errors import NotFound
from service.core.prompts import Template
from service.core.types import Stage
from service.rendering import phrases, prompts
from service.settings import Settings

_STYLES = {"-": "red", "+": "green"}
_NONE = "-"
_SHORT = 12
_COLUMNS = 100
"""Of a line that does not go to a terminal."""
_LEAST_COLUMNS = 20
"""For the last column, however wide the others are."""


# --- to read ---------------------------------------------------------------------------------------------------------


def show_list(settings: Settings, *, as_json: bool) -> int:
    """Print every version with its state, labels, date of release and change; returns 1 where something is broken."""
    loaded = _survey(settings)
    found = prompts.prompt_list(loaded.catalogue, drafts_too=True)
    code = _say_faults(loaded)
    if as_json:
        return _json(found) or code
    rows = [
        (
            one.id,
            _state(one, dev=loaded.catalogue.dev),
            ", ".join(one.labels) or _NONE,
            (one.released_at or _NONE).partition("T")[0],
            f"Withdrawn: {one.withdrawn.rstrip('.')}. {one.change}" if one.withdrawn else one.change,
        )
        for prompt in found.data
        for one in prompt.versions
    ]
    if rows:
        _table([("VERSION", "STATE", "LABELS", "RELEASED", "CHANGE"), *rows], columns=_columns())
    elif not loaded.faults:
        click.echo(f"There are no prompts in {loaded.folder}.")
    return code


def _state(one: prompts.VersionEntry, *, dev: bool) -> str:
    if one.state == "draft":
        return "draft, used (--dev)" if dev else "draft, not used"
    return one.state + ", latest" * one.latest + ", edited" * one.dirty


def _survey(settings: Settings) -> library.Library:
    """What loads of the configured folder, to look at it; raises BadPrompt and BadSettings."""
    return library.survey(bootstrap.prompts_folder(settings), dev=settings.prompts_dev)


def _say_faults(loaded: library.Library) -> int:
    """Say on standard error what does not load; returns the exit code, 1 where there is such a thing."""
    for fault in loaded.faults:
        click.echo(f"precis: {fault.detail}", err=True)
    return EXIT_FAILED if loaded.faults else 0


def show(settings: Settings, reference: str, stage: Stage | None, *, as_json: bool) -> int:
    """Print a version with its text, or one stage of it; returns the exit code, 1 where something else is broken.

    Raises:
        PrecisError: the reference means no version.
        NotFound: the version does not have that stage.
    """
    loaded = _survey(settings)
    catalogue = loaded.catalogue
    code = _say_faults(loaded)
    found = of.resolve(reference, catalogue, withdrawn_too=True)
    version = found.version
    if stage is not None and stage not in version.stages:
        raise NotFound(f"{version.id} has no stage {stage}. It has: {', '.join(version.stages)}.")
    if as_json:
        return _json(prompts.version_detail(found, catalogue)) or code
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
    return code


def _template(stage: Stage, template: Template) -> None:
    for part, text in (("system", template.system), ("user", template.user)):
        click.echo(f"\n## {stage} {part}\n\n{text}")


def diff(settings: Settings, first: str, second: str | None, *, as_json: bool) -> int:
    """Print how a version differs from another, or its parent; returns the exit code, 1 where another is broken.

    Raises:
        PrecisError: a reference means no version, or the one version has no parent.
    """
    loaded = _survey(settings)
    catalogue = loaded.catalogue
    code = _say_faults(loaded)
    a = of.resolve(first, catalogue, withdrawn_too=True).version
    if second is None:
        a, b = of.parent(a, catalogue), a
    else:
        b = of.resolve(second, catalogue, withdrawn_too=True).version
    found = prompt_diff.diff(a, b)
    if as_json:
        return _json(found) or code
    _print_diff(found)
    return code


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
    """Hold every released version against the lock, and say all that is wrong; returns the exit code.

    It is 1 where a service would not start, or a released version was edited. A draft that does not load, and is not
    used, is a warning.

    Raises:
        BadPrompt: there is no folder, or the lock cannot be read.
    """
    loaded = _survey(settings)
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
    if not (catalogue.released or catalogue.drafts or loaded.faults):
        click.echo(f"There are no prompts in {loaded.folder}.")
    for line in _labels(loaded):
        click.echo(line)
    stops = [catalogue.dev or not fault.draft for fault in loaded.faults]
    for stop, fault in zip(stops, loaded.faults, strict=True):
        click.echo(f"{'precis' if stop else 'warning, a draft that is not used'}: {fault.detail}", err=True)
    return EXIT_FAILED if any(stops) or any(version.dirty for version in catalogue.released) else 0


def _labels(loaded: library.Library) -> Iterable[str]:
    """Each label with its version, and whether the history knows of it, as far as it can be read."""
    catalogue = loaded.catalogue
    whole = not any(fault.file in library.DECIDED for fault in loaded.faults)
    last = {(event.prompt, event.label): event.to for event in catalogue.history if event.action == "label"}
    for name, labels in sorted(catalogue.labels.items()):
        for label, to in sorted(labels.items()):
            known = last.get((name, label)) == to or not whole
            note = "" if known else "  (the history does not say so: it was set by hand)"
            yield f"{name}@{label}  is {name}@{to}{note}"
    for (name, gone), before in sorted(last.items(), key=str):
        if whole and before is not None and gone not in catalogue.labels.get(name, {}):
            yield f"{name}@{gone}  is not set  (the history has it on {name}@{before}: it was removed by hand)"


def history(settings: Settings, name: str | None, *, as_json: bool) -> int:
    """Print what was done with versions, oldest first; returns the exit code, 1 where something is broken.

    Raises:
        NotFound: there is no such prompt.
    """
    loaded = _survey(settings)
    catalogue = loaded.catalogue
    code = _say_faults(loaded)
    events: Sequence[Event] = catalogue.history
    if name is not None:
        of.check_prompt(name, catalogue)
        events = prompts.history(catalogue, name)
    if as_json:
        return _json(events) or code
    for event in events:
        show_event(event)
    if not events:
        click.echo("The history is empty: nothing was released, withdrawn or labelled since it is kept.")
    return code


def show_event(event: Event) -> None:
    """Print what was done, and below it why, in lines that fit."""
    click.echo(phrases.printable(f"{event.at}  {_in_words(event)}"))
    because = event.because
    reasons = [f"why: {event.why}"] if event.why else []
    if because is not None:
        outcome = f", gate: {because.outcome}" if because.outcome else ""
        reasons.append(f"because: {because.name} {because.sha256[:_SHORT]}{outcome}")
        reasons += [because.sentence] if because.sentence else []
    for reason in reasons:
        wrapped = textwrap.wrap(
            phrases.printable(reason.replace("\n", " ")),
            _columns(),
            initial_indent="    ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        for line in wrapped:
            click.echo(line)


def _in_words(event: Event) -> str:
    if event.action != "label":
        done = "released" if event.action == "release" else "withdrawn"
        return f"{event.prompt}@{event.to if event.to is not None else event.from_} {done}"
    if event.to is None:
        return f"{event.prompt}@{event.label} removed, it was {event.prompt}@{event.from_}"
    before = "" if event.from_ is None else f", it was {event.prompt}@{event.from_}"
    return f"{event.prompt}@{event.label} is {event.prompt}@{event.to}{before}"


# --- writing ---------------------------------------------------------------------------------------------------------


def _json(value: object) -> int:
    # bytes, as JSON is UTF-8 whatever the terminal says
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()
    return 0


def _columns() -> int:
    """Of a line: the terminal's, or where there is none a hundred."""
    return shutil.get_terminal_size((_COLUMNS, 0)).columns if sys.stdout.isatty() else _COLUMNS


def _table(rows: Sequence[tuple[str, ...]], *, columns: int | None = None) -> None:
    """Columns beside one another; the last one as long as it is, or cut to what is left of a line."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        last = row[-1]
        if columns is not None:
            text = Text(" ".join(last.split()))
            text.truncate(max(columns - sum(widths) - 2 * len(widths), _LEAST_COLUMNS), overflow="ellipsis")
            last = text.plain
        click.echo("  ".join([*cells, last]).rstrip())
