"""Reading the prompts folder: versions from their files, and the lock held against them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import yaml
from msgspec import Meta
from msgspec.structs import replace

from service.adapters.library import decided
from service.core.catalogue import Catalogue
from service.core.errors import BadPrompt
from service.core.prompts import PromptVersion, parse
from service.core.types import Value

LOCK = "lock.json"
_SHORT = 12
_FIELD = re.compile(r"([A-Za-z_]\w*)\s*:")
_FILE = re.compile(r"v([1-9][0-9]{0,5})\.md")

_Number = Annotated[str, Meta(pattern="^[1-9][0-9]{0,5}$")]
Lock = Mapping[str, Mapping[str, str]]
"""Digest by name and version."""


class Library(Value, frozen=True, kw_only=True):
    """What a folder holds."""

    folder: Path
    catalogue: Catalogue

    @property
    def released(self) -> tuple[PromptVersion, ...]:
        """The versions in the lock."""
        return self.catalogue.released

    @property
    def drafts(self) -> tuple[PromptVersion, ...]:
        """The others."""
        return self.catalogue.drafts


def load(folder: Path, *, dev: bool = False) -> Library:
    """Read a folder whole, and hold its parts against one another.

    Args:
        folder: holds NAME/vNUMBER.md, and beside the lock the labels, the withdrawn versions and the history.
        dev: whether released versions may have been edited; they are then `dirty`, as drafts are.

    Raises:
        BadPrompt: a file does not parse, two versions have one number, a released version was edited or is gone, or
            a label, a withdrawal or the history names a version that is not released.
    """
    if not folder.is_dir():
        raise BadPrompt(f"{folder} is no folder. Name one that holds NAME/vNUMBER.md in PRECIS_PROMPTS_DIR.")
    # What refers to others is read before these, so that a change that comes in between leaves nothing dangling.
    history = decided.read_history(folder)
    withdrawn = decided.read_withdrawn(folder)
    labels = decided.read_labels(folder)
    lock = read_lock(folder)
    versions: dict[tuple[str, int], tuple[PromptVersion, Path]] = {}
    for path in sorted(folder.glob("*/*.md")):
        version = _read(path)
        versions[version.front.name, version.front.version] = (version, path)
    released: list[PromptVersion] = []
    for name, number, digest in _locked(lock):
        version = _held(name, number, digest, versions, folder, dev=dev)
        released.append(version)
        del versions[name, number]
    numbers = {name: frozenset(int(number) for number in found) for name, found in lock.items()}
    return Library(
        folder=folder,
        catalogue=Catalogue(
            released=_in_order(released),
            drafts=_in_order([replace(version, dirty=True) for version, _ in versions.values()]),
            withdrawn=decided.held_withdrawn(withdrawn, numbers),
            labels=decided.held_labels(labels, numbers, withdrawn),
            history=decided.held_history(history, numbers),
            dev=dev,
        ),
    )


def read_lock(folder: Path) -> Lock:
    """The released versions; empty where nothing was released yet."""
    path = folder / LOCK
    content = decided.read_bytes(path)
    try:
        return {} if content is None else msgspec.json.decode(content, type=dict[str, dict[_Number, str]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
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
    places = _places(path, lines[1:end])
    try:
        front = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = mark.line + 2 if mark else 1
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise BadPrompt(
            f"{path}:{at}: the front matter does not parse: {problem}. Write one “field: value” a line, and a value "
            'with a colon or a # in it between "quotes".'
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadPrompt(f'{path}:1: the front matter does not parse: {error}. Put dates between "quotes".') from None
    version = parse(front, "\n".join(lines[end + 1 :]), path=str(path), first_line=end + 2, places=places)
    _check_place(path, version, places)
    return version


def _places(path: Path, lines: Sequence[str]) -> dict[str, int]:
    """The line of each field of the front matter; raises BadPrompt for one that stands twice."""
    places: dict[str, int] = {}
    for number, line in enumerate(lines, 2):
        if match := _FIELD.match(line):
            if match[1] in places:
                raise BadPrompt(f"{path}:{number}: `{match[1]}` stands in line {places[match[1]]} too. Take one out.")
            places[match[1]] = number
    return places


def _check_place(path: Path, version: PromptVersion, places: Mapping[str, int]) -> None:
    """A version lies where its name and number say, so that no two have one number."""
    name, number = version.front.name, version.front.version
    belongs = f"{name}/v{number}.md"
    if path.parent.name != name:
        raise BadPrompt(
            f"{path}:{places.get('name', 1)}: version {number} of {name} belongs into {belongs}. Move the file, or "
            f"write `name: {path.parent.name}`, the name of its folder."
        )
    if path.name != f"v{number}.md":
        there = path.with_name(f"v{number}.md").exists()
        twice = ", which is there as well: two versions cannot have one number" if there else ""
        file = _FILE.fullmatch(path.name)
        remedy = f"write `version: {file[1]}`, the number of its file" if file else "give the version another number"
        raise BadPrompt(
            f"{path}:{places.get('version', 1)}: version {number} of {name} belongs into {belongs}{twice}. Move the "
            f"file, or {remedy}."
        )


def _locked(lock: Lock) -> Iterator[tuple[str, int, str]]:
    for name, numbers in lock.items():
        for number, digest in numbers.items():
            yield name, int(number), digest


def _held(
    name: str,
    number: int,
    digest: str,
    versions: Mapping[tuple[str, int], tuple[PromptVersion, Path]],
    folder: Path,
    *,
    dev: bool,
) -> PromptVersion:
    """The released version, its digest held against the lock; with `dev` dirty where it differs."""
    found = versions.get((name, number))
    if found is None:
        raise BadPrompt(f"{folder / name}/v{number}.md is gone, but {name}@{number} is released. Restore it.")
    version, path = found
    if version.digest == digest:
        return version
    if dev:
        return replace(version, dirty=True)
    raise BadPrompt(
        f"{path} was edited after its release: its digest is {version.digest[:_SHORT]}, and the lock has "
        f"{digest[:_SHORT]}. Restore it, and write a new version for what you want to change; --dev "
        "(PRECIS_PROMPTS_DEV=true) tries it as it is."
    )


def _in_order(versions: Sequence[PromptVersion]) -> tuple[PromptVersion, ...]:
    return tuple(sorted(versions, key=lambda version: (version.front.name, version.front.version)))
