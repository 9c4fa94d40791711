"""Changing the prompts folder: releasing, withdrawing, moving a label. One at a time, and each is in the history.

What changes a file is first decided on what is there, then again with the history locked, and only then written: the
file anew and in one move, then a line of the history. Where that line cannot be written, the file is put back.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from service.adapters.library import decided
from service.adapters.library.evidence import Evidence
from service.adapters.library.reading import LOCK, load, read_lock
from service.core import deciding
from service.core.catalogue import Catalogue, Event, check_prompt, resolve
from service.core.errors import BadPrompt, InvalidRequest, NotFound
from service.core.prompt_names import label_fault, shown
from service.core.prompt_names import reference as read
from service.core.prompts import PromptVersion
from service.core.types import Value

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> None:
        os.lseek(file, 2**30, os.SEEK_SET)  # far behind what is read, as others may not read what is locked there
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


Now = Callable[[], datetime]

_LOCK_TRIES = 100
_LOCK_WAIT_S = 0.1
_SHORT = 12


class Change(Value, frozen=True, kw_only=True):
    """What is to be written."""

    file: str
    content: dict[str, dict[str, str]] | dict[str, dict[str, int]]
    event: Event


def _utc() -> datetime:
    return datetime.now(UTC)


def release(folder: Path, version: PromptVersion, *, now: Now = _utc) -> Event | None:
    """Add a draft to the lock, from when on it may not change; None where it is in there already.

    Raises:
        InvalidRequest: another released version of the prompt sends exactly the same.
        BadPrompt: that version is released with another digest, or the folder cannot be written.
    """
    name, number = version.front.name, version.front.version

    def decide() -> Change | None:
        lock = {known: dict(numbers) for known, numbers in read_lock(folder).items()}
        before = lock.setdefault(name, {}).get(str(number))
        if before == version.digest:
            return None
        if before is not None:
            raise BadPrompt(
                f"{name}@{number} is released with the digest {before[:_SHORT]}, and this one is "
                f"{version.digest[:_SHORT]}. Write a new version."
            )
        if (same := deciding.same_as(version, lock[name])) is not None:
            raise InvalidRequest(
                f"{name}@{number} sends exactly what {name}@{same} sends, which is released: both have the digest "
                f"{version.digest[:_SHORT]}. A version of its own would say that something changed. Change what it "
                f"sends, or set a label on {name}@{same}."
            )
        lock[name][str(number)] = version.digest
        event = Event(at=_moment(now), action="release", prompt=name, to=number)
        return Change(file=LOCK, content=lock, event=event)

    return _change(folder, decide)


def withdraw(folder: Path, reference: str, why: str, *, now: Now = _utc) -> Event:
    """Withdraw a released version: it takes no new summaries, and stays readable.

    Raises:
        InvalidRequest: there is no reason, or a label is on the version.
        PromptWithdrawn: it is withdrawn already.
        NotFound: there is no such version.
        BadPrompt: the folder does not load, or cannot be written.
    """
    reason = _said(why)
    if reason is None:
        raise InvalidRequest("A version is withdrawn for a reason. Say it with --why TEXT.")

    def decide() -> Change:
        catalogue = load(folder).catalogue
        front = _released(reference, catalogue).front
        labels = [label for label, to in catalogue.labels.get(front.name, {}).items() if to == front.version]
        if labels:
            raise InvalidRequest(
                f"{front.name}@{front.version} has the label {' and '.join(labels)}. Move it to another version first: "
                f"`precis prompts label {front.name}@N {labels[0]}`, or remove it: `precis prompts label {front.name} "
                f"{labels[0]} --remove --why TEXT`."
            )
        withdrawn = {
            name: {str(number): because for number, because in found.items()}
            for name, found in catalogue.withdrawn.items()
        }
        withdrawn.setdefault(front.name, {})[str(front.version)] = reason
        event = Event(at=_moment(now), action="withdraw", prompt=front.name, from_=front.version, why=reason)
        return Change(file=decided.WITHDRAWN, content=withdrawn, event=event)

    event = _change(folder, decide)
    assert event is not None  # noqa: S101 - `decide` above always gives a change
    return event


def label(
    folder: Path,
    reference: str,
    name: str,
    *,
    why: str | None = None,
    because: Evidence | None = None,
    new: bool = False,
    now: Now = _utc,
) -> Event | None:
    """Move a label to a released version; None where it is there already.

    Args:
        folder: of the prompts.
        reference: to the version.
        name: of the label.
        why: the reason in words.
        because: the file that shows it.
        new: whether the label is meant to be another one than those there are, however close it is to one.
        now: the clock.

    Raises:
        InvalidRequest: the label cannot be one, or seems to be a typo; nothing is said about why; or the report is
            about other versions, or its gate did not pass and there is no reason in words.
        PromptWithdrawn: the version is withdrawn.
        NotFound: there is no such version.
        BadPrompt: the folder does not load, or cannot be written.
    """
    if (fault := label_fault(name)) is not None:
        raise InvalidRequest(f"{fault[0].upper()}{fault[1:]}. Choose a label such as production.")
    reason = _said(why)
    if reason is None and because is None:
        raise InvalidRequest("A label is moved for a reason. Say it with --why TEXT, or name a report: --because FILE.")

    def decide() -> Change | None:
        catalogue = load(folder).catalogue
        version = _released(reference, catalogue)
        if because is not None and because.comparison is not None:
            called = because.because.name
            deciding.check_report(version, because.comparison, name=called, why=reason is not None)
        if not new:
            deciding.check_label_new(name, frozenset(one for found in catalogue.labels.values() for one in found))
        front = version.front
        before = catalogue.labels.get(front.name, {}).get(name)
        if before == front.version:
            return None
        labels = {known: dict(found) for known, found in catalogue.labels.items()}
        labels.setdefault(front.name, {})[name] = front.version
        event = Event(
            at=_moment(now),
            action="label",
            prompt=front.name,
            label=name,
            from_=before,
            to=front.version,
            why=reason,
            because=because.because if because else None,
        )
        return Change(file=decided.LABELS, content=labels, event=event)

    return _change(folder, decide)


def remove(folder: Path, prompt: str, name: str, why: str, *, now: Now = _utc) -> Event:
    """Remove a label from a prompt: a reference by it then means nothing.

    Raises:
        InvalidRequest: there is no reason.
        NotFound: there is no such prompt, or it has no such label.
        BadPrompt: the folder does not load, or cannot be written.
    """
    reason = _said(why)
    if reason is None:
        raise InvalidRequest("A label is removed for a reason. Say it with --why TEXT.")

    def decide() -> Change:
        catalogue = load(folder).catalogue
        check_prompt(prompt, catalogue)
        labels = {known: dict(found) for known, found in catalogue.labels.items()}
        own = labels.get(prompt, {})
        if name not in own:
            there = ", ".join(f"{label} ({prompt}@{to})" for label, to in sorted(own.items())) or "none"
            raise NotFound(f"{prompt} has no label {shown(name)}. Labels there: {there}.")
        before = own.pop(name)
        labels = {known: found for known, found in labels.items() if found}
        event = Event(at=_moment(now), action="label", prompt=prompt, label=name, from_=before, why=reason)
        return Change(file=decided.LABELS, content=labels, event=event)

    event = _change(folder, decide)
    assert event is not None  # noqa: S101 - `decide` above always gives a change
    return event


def _released(reference: str, catalogue: Catalogue) -> PromptVersion:
    """The version that a reference means, which may not be a draft: only what does not change is decided about."""
    asked = read(reference)
    if any((one.front.name, one.front.version) == (asked.name, asked.version) for one in catalogue.drafts):
        name = f"{asked.name}@{asked.version}"
        raise NotFound(f"{name} is a draft, and may still change. Release it first: `precis prompts release {name}`.")
    return resolve(asked, catalogue).version


def _said(why: str | None) -> str | None:
    """What was said, in one line; None where that is nothing."""
    said = " ".join((why or "").split())
    try:
        said.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("The reason is not UTF-8. Say it in other letters.") from None
    return said or None


def _moment(now: Now) -> str:
    return now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- writing ---------------------------------------------------------------------------------------------------------


def _change(folder: Path, decide: Callable[[], Change | None]) -> Event | None:
    if decide() is None:
        return None
    try:
        with alone(folder) as history:
            change = decide()
            if change is not None:
                _write(folder, change, history)
    except OSError as error:
        raise BadPrompt(
            f"{folder} cannot be written: {error.strerror}. Copy the prompts to a folder of your own, and name it in "
            "PRECIS_PROMPTS_DIR; in Docker, mount a folder of your own that the service may write: "
            "-v ./prompts:/prompts -e PRECIS_PROMPTS_DIR=/prompts."
        ) from None
    return change.event if change else None


@contextmanager
def alone(folder: Path, *, sleep: Callable[[float], object] = time.sleep) -> Iterator[int]:
    """The history, open for adding to it and locked, so that one process changes the folder at a time.

    Raises:
        BadPrompt: another process does not come to an end.
        OSError: the history cannot be written.
    """
    file = os.open(folder / decided.HISTORY, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        for _ in range(_LOCK_TRIES):
            try:
                _try_lock(file)
                break
            except (BlockingIOError, PermissionError):
                sleep(_LOCK_WAIT_S)
        else:
            raise BadPrompt(
                f"Another process has been changing {folder} for {_LOCK_TRIES * _LOCK_WAIT_S:.0f} seconds. Try again "
                "when it is done, or end it where it hangs."
            )
        yield file
    finally:
        os.close(file)


def _write(folder: Path, change: Change, history: int) -> None:
    """Write a file and a line of the history: both, or neither."""
    path = folder / change.file
    # Both are on disk before anything changes: a move back needs no room.
    new, old = path.with_suffix(".part"), path.with_suffix(".before")
    size = os.lseek(history, 0, os.SEEK_END)
    there = path.exists()
    try:
        if there:
            _put(old, path.read_bytes())
        _put(new, json.dumps(change.content, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n")
        new.replace(path)
        try:
            _append(history, size, msgspec.json.encode(change.event) + b"\n")
        except BaseException:
            os.ftruncate(history, size)
            if there:
                old.replace(path)
            else:
                path.unlink()
            raise
    finally:
        for left in (new, old):
            if left.is_file():
                left.unlink()


def _append(history: int, size: int, line: bytes) -> None:
    """Add a line at the end of the history, and see that it is on disk."""
    if size:
        os.lseek(history, size - 1, os.SEEK_SET)
        if os.read(history, 1) != b"\n":
            line = b"\n" + line
    while line:
        line = line[os.write(history, line) :]
    os.fsync(history)


def _put(path: Path, content: bytes) -> None:
    """Write a file, and see that it is on disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
