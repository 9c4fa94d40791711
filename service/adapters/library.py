"""The prompts folder: versions read from files, held against the lock, and released into it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import yaml
from msgspec import Meta

from service.core.errors import BadPrompt
from service.core.prompts import PromptVersion, parse
from service.core.types import Value

LOCK = "lock.json"
_SHORT = 12

_Number = Annotated[str, Meta(pattern="^[1-9][0-9]{0,5}$")]
Lock = Mapping[str, Mapping[str, str]]
"""Digest by name and version."""


class Library(Value, frozen=True, kw_only=True):
    """The versions of a folder."""

    folder: Path
    released: tuple[PromptVersion, ...]
    drafts: tuple[PromptVersion, ...]
    """Not in the lock yet; they are not used."""


def load(folder: Path) -> Library:
    """Read every version of a folder and hold the released ones against the lock.

    Raises:
        BadPrompt: a file does not parse, two versions have one number, or a released version was edited or is gone.
    """
    if not folder.is_dir():
        raise BadPrompt(f"{folder} is no folder. Name one that holds NAME/vNUMBER.md in PRECIS_PROMPTS_DIR.")
    versions: dict[tuple[str, int], tuple[PromptVersion, Path]] = {}
    for path in sorted(folder.glob("*/*.md")):
        version = _read(path)
        versions[version.front.name, version.front.version] = (version, path)
    lock = read_lock(folder)
    for name, number, digest in _locked(lock):
        _hold(name, number, digest, versions, folder)
    released = {(name, number) for name, number, _ in _locked(lock)}
    return Library(
        folder=folder,
        released=tuple(version for key, (version, _) in versions.items() if key in released),
        drafts=tuple(version for key, (version, _) in versions.items() if key not in released),
    )


def release(folder: Path, version: PromptVersion) -> None:
    """Add a draft to the lock, from when on it may not change.

    Raises:
        BadPrompt: that version is released with another digest, or the lock cannot be written.
    """
    lock = {name: dict(numbers) for name, numbers in read_lock(folder).items()}
    before = lock.get(version.front.name, {}).get(str(version.front.version), version.digest)
    if before != version.digest:
        raise BadPrompt(
            f"{version.front.name}@{version.front.version} is released with the digest {before[:_SHORT]}, and this one "
            f"is {version.digest[:_SHORT]}. Write a new version."
        )
    lock.setdefault(version.front.name, {})[str(version.front.version)] = version.digest
    path = folder / LOCK
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise BadPrompt(
            f"{path} cannot be written: {error.strerror}. In Docker, mount a folder of your own and name it in "
            "PRECIS_PROMPTS_DIR."
        ) from None


def read_lock(folder: Path) -> Lock:
    """The released versions; empty where nothing was released yet."""
    path = folder / LOCK
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, dict[_Number, str]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadPrompt(f"{path} is not a lock: {error}. Restore it from version control.") from None


def _read(path: Path) -> PromptVersion:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadPrompt(f"{path} is not UTF-8: byte {error.start} is {error.reason}. Save it as UTF-8.") from None
    except OSError as error:
        raise BadPrompt(f"{path} cannot be read: {error.strerror}. Make it a file that the service may read.") from None
    lines = text.split("\n")
    end = next((at for at, line in enumerate(lines) if at > 0 and line.rstrip() == "---"), None)
    if lines[0].rstrip() != "---" or end is None:
        raise BadPrompt(f"{path}:1: there is no front matter. Begin with a line “---” and end it with another.")
    try:
        front = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = mark.line + 2 if mark else 1
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise BadPrompt(f"{path}:{at}: the front matter does not parse: {problem}.") from None
    version = parse(front, "\n".join(lines[end + 1 :]), path=str(path), first_line=end + 2)
    expected = f"{version.front.name}/v{version.front.version}.md"
    if path.parent.name != version.front.name or path.name != f"v{version.front.version}.md":
        raise BadPrompt(
            f"{path}:1: version {version.front.version} of {version.front.name} belongs into {expected}. Move the "
            "file, or give the version the number and name of its place."
        )
    return version


def _locked(lock: Lock) -> Iterator[tuple[str, int, str]]:
    for name, numbers in lock.items():
        for number, digest in numbers.items():
            yield name, int(number), digest


def _hold(
    name: str, number: int, digest: str, versions: Mapping[tuple[str, int], tuple[PromptVersion, Path]], folder: Path
) -> None:
    found = versions.get((name, number))
    if found is None:
        raise BadPrompt(f"{folder / name}/v{number}.md is gone, but {name}@{number} is released. Restore it.")
    version, path = found
    if version.digest != digest:
        raise BadPrompt(
            f"{path} was edited after its release: its digest is {version.digest[:_SHORT]}, and the lock has "
            f"{digest[:_SHORT]}. Restore it, and write a new version for what you want to change."
        )
