"""`precis prompts`: whether the released versions are as they were released, and releasing a draft."""

import click

from service.adapters import library
from service.bootstrap import prompts_folder
from service.core import prompts
from service.core.errors import InvalidRequest, NotFound
from service.settings import Settings


def verify(settings: Settings) -> int:
    """Hold every released version against the lock; returns the exit code, and raises BadPrompt where one differs."""
    loaded = library.load(prompts_folder(settings))
    for version in loaded.released:
        click.echo(f"{version.front.name}@{version.front.version}  {version.digest}  released")
    for version in loaded.drafts:
        click.echo(f"{version.front.name}@{version.front.version}  {version.digest}  draft, not used")
    if not loaded.released and not loaded.drafts:
        click.echo(f"There are no prompts in {loaded.folder}.")
    return 0


def release(settings: Settings, reference: str) -> int:
    """Add a draft to the lock, from when on it may not change.

    Raises:
        InvalidRequest: the reference names no version, or one that is released already.
        NotFound: there is no such draft.
    """
    wanted = prompts.reference(reference)
    if wanted.version is None:
        raise InvalidRequest(f"Say which version of {wanted.name}, such as {wanted.name}@1.")
    loaded = library.load(prompts_folder(settings))
    named = [
        version
        for version in (*loaded.drafts, *loaded.released)
        if (version.front.name, version.front.version) == (wanted.name, wanted.version)
    ]
    if not named:
        drafts = ", ".join(f"{version.front.name}@{version.front.version}" for version in loaded.drafts) or "none"
        raise NotFound(f"There is no draft {reference} in {loaded.folder}. Drafts there: {drafts}.")
    if named[0] in loaded.released:
        raise InvalidRequest(f"{reference} is released already; a change of it is a new version.")
    library.release(loaded.folder, named[0])
    click.echo(f"{reference} is released with the digest {named[0].digest}. It may not change any more.")
    return 0
