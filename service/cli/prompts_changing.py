"""`precis prompts`, to change: releasing and withdrawing versions, and moving and removing labels."""

from pathlib import Path

import click

from service import bootstrap
from service.adapters import library
from service.cli.prompts import show_event
from service.core import catalogue as of
from service.core import deciding
from service.core.errors import BadPrompt, InvalidRequest, NotFound, PrecisError
from service.core.prompt_names import LATEST, Reference
from service.core.prompt_names import reference as read
from service.settings import Settings

_RESTART = "A service that is running knows of it once it is started again."


def release(settings: Settings, reference: str) -> int:
    """Add a draft to the lock, from when on it may not change, and say what it means from then on.

    Raises:
        InvalidRequest: the reference names no version, one that is released already, or one that sends what a released
            one sends.
        NotFound: there is no such prompt, or no such draft.
        BadPrompt: that draft, or something that is released, does not load; or the folder cannot be written.
    """
    wanted = read(reference)
    loaded = library.load(bootstrap.prompts_folder(settings))
    of.check_prompt(wanted.name, loaded.catalogue)
    drafts = ", ".join(draft.id.partition("+")[0] for draft in loaded.drafts) or "none"
    if wanted.version is None:
        raise InvalidRequest(f"Say which version of {wanted.name} by its number. Drafts there: {drafts}.")
    key = (wanted.name, wanted.version)
    name = f"{wanted.name}@{wanted.version}"
    if any((version.front.name, version.front.version) == key for version in loaded.released):
        raise InvalidRequest(f"{reference} is released already; a change of it is a new version.")
    for fault in loaded.faults:
        if fault.file == f"{wanted.name}/v{wanted.version}.md":
            raise BadPrompt(fault.detail)
    named = [version for version in loaded.drafts if (version.front.name, version.front.version) == key]
    if not named or not named[0].digest.startswith(wanted.dirty or ""):
        raise NotFound(f"There is no draft {reference} in {loaded.folder}. Drafts there: {drafts}.")
    library.release(loaded.folder, named[0])
    click.echo(f"{name} is released with the digest {named[0].digest}. It may not change any more.")
    for line in _means(settings, wanted):
        click.echo(line)
    click.echo(_RESTART)
    for note in deciding.release_notes(named[0], loaded.catalogue):
        click.echo(f"note: {note}", err=True)
    return 0


def _means(settings: Settings, released: Reference) -> list[str]:
    """What the prompt's name means now, and who gets it."""
    catalogue = library.load(bootstrap.prompts_folder(settings)).catalogue
    name, number = released.name, released.version
    latest = of.latest(name, catalogue)
    if latest is None or latest.front.version != number:
        higher = latest.id if latest else "no version"
        return [f"{name} and {name}@{LATEST} still mean {higher}."]
    lines = [f"{name} and {name}@{LATEST} now mean {name}@{number}."]
    try:
        default = of.resolve(settings.prompt, catalogue).version
    except PrecisError:
        return lines
    if default == latest:
        said = "requests that name no prompt get it"
    else:
        said = f"requests that name no prompt still get {default.id}"
    return [*lines, f"PRECIS_PROMPT is {settings.prompt}: {said}."]


def withdraw(settings: Settings, reference: str, why: str) -> int:
    """Withdraw a released version: it takes no new summaries, and stays readable. Raises PrecisError."""
    _check_named(settings, reference)
    event = library.withdraw(bootstrap.prompts_folder(settings), reference, why)
    click.echo(f"{event.prompt}@{event.from_} is withdrawn. It takes no new summaries, and stays readable.")
    return 0


def label(
    settings: Settings, reference: str, name: str, *, why: str | None, because: Path | None, new: bool = False
) -> int:
    """Move a label to a version, for a reason that goes into the history. Raises PrecisError."""
    if why is None and because is None:
        raise click.UsageError("Say why: --why TEXT, or --because FILE, such as a comparison in JSON.")
    _check_named(settings, reference)
    report = library.evidence(because) if because else None
    folder = bootstrap.prompts_folder(settings)
    event = library.label(folder, reference, name, why=why, because=report, new=new)
    if event is None:
        click.echo(f"{reference} has the label {name} already.")
        return 0
    show_event(event)
    click.echo(_RESTART)
    return 0


def remove(settings: Settings, reference: str, name: str, *, why: str | None) -> int:
    """Remove a label from a prompt, for a reason that goes into the history. Raises PrecisError."""
    if why is None:
        raise click.UsageError("Say with --why TEXT why the label is removed.")
    prompt = read(reference).name
    if reference != prompt:
        raise InvalidRequest(
            f"A label is removed from a prompt, whatever version it is on: `precis prompts label {prompt} {name} "
            "--remove --why TEXT`."
        )
    show_event(library.remove(bootstrap.prompts_folder(settings), prompt, name, why))
    if settings.prompt == f"{prompt}@{name}":
        click.echo(
            f"note: PRECIS_PROMPT is {settings.prompt}, which now means nothing: requests that name no prompt fail. "
            "Set another.",
            err=True,
        )
    click.echo(_RESTART)
    return 0


def _check_named(settings: Settings, reference: str) -> None:
    """What is changed is named by more than the prompt, whose latest version is another one tomorrow."""
    wanted = read(reference)
    loaded = library.load(bootstrap.prompts_folder(settings))
    of.check_prompt(wanted.name, loaded.catalogue)
    if (wanted.version, wanted.digest, wanted.label) == (None, None, None):
        released = [version.id for version in loaded.released if version.front.name == wanted.name]
        there = f"Released are {', '.join(released)}." if released else "Nothing of it is released."
        raise InvalidRequest(f"Say which version of {wanted.name} by its number or a label. {there}")
