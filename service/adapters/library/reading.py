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
from service.core.catalogue import Catalogue, State
from service.core.errors import BadPrompt
from service.core.prompts import PromptVersion, parse
from service.core.types import Value

LOCK = "lock.json"
_SHORT = 12
_RESTORE = "Restore it from version control or a backup"
_FIELD = re.compile(r"([A-Za-z_]\w*)\s*:")
_FILE = re.compile(r"v([1-9][0-9]{0,5})\.md")

_Number = Annotated[str, Meta(pattern="^[1-9][0-9]{0,5}$")]
Lock = Mapping[str, Mapping[str, str]]
"""Digest by name and version."""


class Fault(Value, frozen=True, kw_only=True):
    """Something of a folder that does not load."""

    file: str
    """Below the folder."""
    detail: str
    """What is wrong, where, and what to do."""
    draft: bool = False
    """Whether it is in a draft: it then stops only what uses drafts."""


class Library(Value, frozen=True, kw_only=True):
    """What a folder holds."""

    folder: Path
    catalogue: Catalogue
    faults: tuple[Fault, ...] = ()
    """What did not load: drafts that are not used, and where the folder was only surveyed, whatever it is."""

    @property
    def released(self) -> tuple[PromptVersion, ...]:
        """The versions in the lock."""
        return self.catalogue.released

    @property
    def drafts(self) -> tuple[PromptVersion, ...]:
        """The others."""
        return self.catalogue.drafts


class _Read(Value, frozen=True, kw_only=True):
    """A file of a version: the version, or why there is none; and where its parent is named."""

    path: Path
    version: PromptVersion | None = None
    parent_at: int = 1
    fault: str | None = None


_Key = tuple[str, int]
_Files = Mapping[_Key, _Read]
"""By the name and number that their places say."""


def load(folder: Path, *, dev: bool = False) -> Library:
    """Read a folder whole, and hold its parts against one another.

    Args:
        folder: holds NAME/vNUMBER.md, and beside the lock the labels, the withdrawn versions and the history.
        dev: whether drafts and edited versions may be used; without it, a draft that does not load stops nothing.

    Raises:
        BadPrompt: a file does not parse, two versions have one number, a parent is not there, a released version was
            edited or is gone, or a label, a withdrawal or the history names a version that is not released. It says
            the first of these, and how many more there are.
    """
    found = survey(folder, dev=dev)
    stopping = [fault for fault in found.faults if dev or not fault.draft]
    if len(stopping) > 1:
        raise BadPrompt(
            f"{stopping[0].detail} There are {len(stopping)} such faults; `precis prompts verify` says all of them."
        )
    if stopping:
        raise BadPrompt(stopping[0].detail)
    return found


def survey(folder: Path, *, dev: bool = False) -> Library:
    """Read as much of a folder as loads, to look at it; what does not is among the faults.

    Raises:
        BadPrompt: there is no such folder, or its lock cannot be read, so that nobody knows what is released.
    """
    if not folder.is_dir():
        raise BadPrompt(f"{folder} is no folder. Name one that holds NAME/vNUMBER.md in PRECIS_PROMPTS_DIR.")
    faults: list[Fault] = []
    # What refers to others is read before these, so that a change that comes in between leaves nothing dangling.
    said: dict[str, list[str]] = {decided.HISTORY: [], decided.WITHDRAWN: [], decided.LABELS: []}
    history = decided.read_history(folder, said[decided.HISTORY])
    withdrawn = decided.read_withdrawn(folder, said[decided.WITHDRAWN])
    labels = decided.read_labels(folder, said[decided.LABELS])
    lock = read_lock(folder)
    locked = dict(_locked(lock))
    files, strays = _files(folder)
    faults += [_fault(stray, draft=True) for stray in strays]
    released: list[PromptVersion] = []
    drafts: list[PromptVersion] = []
    broken: dict[str, dict[int, State]] = {}
    for key in sorted({*files, *locked}):
        read, draft = files.get(key), key not in locked
        if not draft:
            read = _held(key, locked[key], read, folder, dev=dev)
        assert read is not None  # noqa: S101 - a key is of a file or of the lock
        read = _with_parent(read, files, locked)
        if read.version is None:
            faults.append(_fault(read, draft=draft))
            broken.setdefault(key[0], {})[key[1]] = "draft" if draft else "released"
        elif draft:
            drafts.append(replace(read.version, dirty=True))
        else:
            released.append(read.version)
    numbers = {name: frozenset(int(number) for number in found) for name, found in lock.items()}
    catalogue = Catalogue(
        released=tuple(released),
        drafts=tuple(drafts),
        withdrawn=decided.held_withdrawn(withdrawn, numbers, said[decided.WITHDRAWN]),
        labels=decided.held_labels(labels, numbers, withdrawn, said[decided.LABELS]),
        history=decided.held_history(history, numbers, said[decided.HISTORY]),
        dev=dev,
        broken=broken,
    )
    faults += [Fault(file=file, detail=detail) for file, details in said.items() for detail in details]
    return Library(folder=folder, catalogue=catalogue, faults=tuple(faults))


def _fault(read: _Read, *, draft: bool) -> Fault:
    return Fault(file=f"{read.path.parent.name}/{read.path.name}", detail=read.fault or "", draft=draft)


def _files(folder: Path) -> tuple[dict[_Key, _Read], list[_Read]]:
    """The versions by where they lie, and the files that lie where no version does."""
    files: dict[_Key, _Read] = {}
    strays: list[_Read] = []
    for path in sorted(folder.glob("*/*.md")):
        read, place = _tried(path), _FILE.fullmatch(path.name)
        if place:
            files[path.parent.name, int(place[1])] = read
        else:
            strays.append(read)
    return files, strays


def _tried(path: Path) -> _Read:
    try:
        version, places = _read(path)
    except BadPrompt as error:
        return _Read(path=path, fault=error.detail)
    return _Read(path=path, version=version, parent_at=places.get("parent", 1))


def _with_parent(read: _Read, files: _Files, locked: Mapping[_Key, str]) -> _Read:
    """A version as it was read, unless it names a parent that is not there."""
    if read.version is None or (number := read.version.front.parent) is None:
        return read
    front = read.version.front
    there = sorted(n for name, n in {*files, *locked} if name == front.name and n != front.version)
    if number in there:
        return read
    said = "is this version itself" if number == front.version else "is not there"
    listed = ", ".join(str(n) for n in there)
    remedy = f"Write one of {listed}, or null where it was made from none." if listed else "Write `parent: null`."
    return _Read(
        path=read.path,
        fault=f"{read.path}:{read.parent_at}: the parent of {front.name}@{front.version}, {number}, {said}. {remedy}",
    )


def read_lock(folder: Path) -> Lock:
    """The released versions; empty where nothing was released yet."""
    path = folder / LOCK
    content = decided.read_bytes(path)
    try:
        return {} if content is None else msgspec.json.decode(content, type=dict[str, dict[_Number, str]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPrompt(f"{path} is not a lock: {error}. {_RESTORE}.") from None


def _read(path: Path) -> tuple[PromptVersion, Mapping[str, int]]:
    """A version, and the lines of the fields of its front matter; raises BadPrompt."""
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
    return version, places


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


def _locked(lock: Lock) -> Iterator[tuple[_Key, str]]:
    for name, numbers in lock.items():
        for number, digest in numbers.items():
            yield (name, int(number)), digest


def _held(key: _Key, digest: str, read: _Read | None, folder: Path, *, dev: bool) -> _Read:
    """The released version, its digest held against the lock; with `dev` dirty where it differs."""
    name, number = key
    if read is None:
        path = folder / name / f"v{number}.md"
        return _Read(path=path, fault=f"{path} is gone, but {name}@{number} is released. {_RESTORE}.")
    if read.version is None:
        detail = f"{read.fault} {name}@{number} is released with the digest {digest[:_SHORT]}. {_RESTORE}."
        return replace(read, fault=detail)
    if read.version.digest == digest:
        return read
    if dev:
        return replace(read, version=replace(read.version, dirty=True))
    return replace(
        read,
        version=None,
        fault=(
            f"{read.path} was edited after its release: its digest is {read.version.digest[:_SHORT]}, and the lock has "
            f"{digest[:_SHORT]}. {_RESTORE} (only the digest of what was released is kept, so `precis prompts diff` "
            "cannot show it), and write a new version for what you want to change; --dev (PRECIS_PROMPTS_DEV=true) "
            "tries it as it is."
        ),
    )
