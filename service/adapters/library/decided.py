"""What was decided about versions, in the files beside them: labels, withdrawn versions, and the history of both."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from service.core.catalogue import Event
from service.core.errors import BadPrompt
from service.core.prompt_names import label_fault
from service.core.types import Value

LABELS = "labels.json"
WITHDRAWN = "withdrawn.json"
HISTORY = "history.jsonl"
DECIDED = (LABELS, WITHDRAWN, HISTORY)

_BYTE = "(byte "

Released = Mapping[str, frozenset[int]]
"""Numbers of the released versions by name."""


class Entry(Value, frozen=True, kw_only=True):
    """A line of such a file, and where it stands."""

    at: str
    """File and line."""
    prompt: str
    key: str
    value: object


class Recorded(Value, frozen=True, kw_only=True):
    """A line of the history, and where it stands."""

    at: str
    event: Event


def read_bytes(path: Path) -> bytes | None:
    """The content of a file; None where there is none. Raises BadPrompt where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadPrompt(f"{path} cannot be read: {error.strerror}. Make it a file that the service may read.") from None


# --- labels and withdrawn versions -----------------------------------------------------------------------------------


def read_labels(folder: Path, faults: list[str]) -> tuple[Entry, ...]:
    """The labels as they are written; none where there is no such file. What does not fit is added to the faults."""
    return _read(folder / LABELS, '{"news": {"production": 2}}', faults)


def read_withdrawn(folder: Path, faults: list[str]) -> tuple[Entry, ...]:
    """The withdrawn versions as they are written; none where there is no such file. Faults as with labels."""
    return _read(folder / WITHDRAWN, '{"news": {"2": "why it was withdrawn"}}', faults)


def _read(path: Path, example: str, faults: list[str]) -> tuple[Entry, ...]:
    try:
        return tuple(_entries(path, example))
    except BadPrompt as error:
        faults.append(error.detail)
        return ()


def _entries(path: Path, example: str) -> Iterator[Entry]:
    content = read_bytes(path)
    if content is None:
        return
    try:
        text = content.decode()
        found = msgspec.json.decode(content)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadPrompt(f"{path}:{line}: this is not UTF-8. Write {example}, or restore the file.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        line = _line_of_byte(content, str(error))
        raise BadPrompt(f"{path}:{line}: {error}. Write {example}, or restore the file.") from None
    if not isinstance(found, dict):
        raise BadPrompt(f"{path}:1: this is no object. Write {example}.")
    for name, values in found.items():
        if not isinstance(values, dict):
            raise BadPrompt(f"{path}:{_line(text, name)}: what stands by {name!r} is no object. Write {example}.")
        for key, value in values.items():
            yield Entry(at=f"{path}:{_line(text, name, key)}", prompt=name, key=key, value=value)


def held_labels(
    entries: tuple[Entry, ...], released: Released, withdrawn: tuple[Entry, ...], faults: list[str]
) -> dict[str, dict[str, int]]:
    """Version by prompt and label; one that names no version that may have it is left out, and added to the faults."""
    gone = {(entry.prompt, entry.key) for entry in withdrawn}
    labels: dict[str, dict[str, int]] = {}
    for entry in entries:
        number = entry.value
        if (fault := label_fault(entry.key)) is not None:
            faults.append(f"{entry.at}: {fault}. Write another name, or take the line out.")
        elif not isinstance(number, int) or isinstance(number, bool) or number not in released.get(entry.prompt, ()):
            faults.append(
                f"{entry.at}: the label {entry.key} of {entry.prompt} is on {number!r}, which is no released version. "
                f"{_numbers(entry.prompt, released)} Write the number of one, or take the line out."
            )
        elif (entry.prompt, str(number)) in gone:
            faults.append(
                f"{entry.at}: the label {entry.key} is on {entry.prompt}@{number}, which is withdrawn. Write the "
                "number of another version, or take the line out."
            )
        else:
            labels.setdefault(entry.prompt, {})[entry.key] = number
    return labels


def held_withdrawn(entries: tuple[Entry, ...], released: Released, faults: list[str]) -> dict[str, dict[int, str]]:
    """Why, by prompt and version; one that names no released version, or gives no reason, is added to the faults."""
    withdrawn: dict[str, dict[int, str]] = {}
    for entry in entries:
        known = {str(number): number for number in released.get(entry.prompt, ())}
        if entry.key not in known:
            faults.append(
                f"{entry.at}: {entry.prompt}@{entry.key} is withdrawn, and no released version. "
                f"{_numbers(entry.prompt, released)} Write the number of one, or take the line out."
            )
        elif not isinstance(entry.value, str) or not entry.value.strip():
            faults.append(f"{entry.at}: {entry.prompt}@{entry.key} is withdrawn without a reason. Write why.")
        else:
            withdrawn.setdefault(entry.prompt, {})[known[entry.key]] = entry.value
    return withdrawn


def _numbers(name: str, released: Released) -> str:
    there = ", ".join(f"{name}@{number}" for number in sorted(released.get(name, ())))
    return f"Released are {there}." if there else f"Nothing of {name} is released."


# --- the history -----------------------------------------------------------------------------------------------------


def read_history(folder: Path, faults: list[str]) -> tuple[Recorded, ...]:
    """The history as it is written, oldest first; none where there is no such file. Faults as with labels."""
    path = folder / HISTORY
    try:
        content = read_bytes(path) or b""
    except BadPrompt as error:
        faults.append(error.detail)
        return ()
    recorded: list[Recorded] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            at = f"{path}:{number}"
            try:
                recorded.append(Recorded(at=at, event=msgspec.json.decode(line, type=Event)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                faults.append(
                    f"{at}: this is no entry of the history: {error}. Restore the file; where the line was cut as it "
                    "was written, take it out."
                )
    return tuple(recorded)


def held_history(recorded: tuple[Recorded, ...], released: Released, faults: list[str]) -> tuple[Event, ...]:
    """The entries; one that names no released version is left out, and added to the faults."""
    events: list[Event] = []
    for one in recorded:
        event = one.event
        named = {number for number in (event.from_, event.to) if number is not None}
        if not named or not named <= released.get(event.prompt, frozenset()):
            which = ", ".join(f"{event.prompt}@{number}" for number in sorted(named)) or f"no version of {event.prompt}"
            faults.append(
                f"{one.at}: the history names {which}. {_numbers(event.prompt, released)} Restore the history and the "
                "lock together, or take the line out."
            )
        elif (event.label is None) == (event.action == "label"):
            faults.append(
                f"{one.at}: an entry has a label where its action is “label”, and only there. Restore the file."
            )
        else:
            events.append(event)
    return tuple(events)


# --- where it stands -------------------------------------------------------------------------------------------------


def _line(text: str, *keys: str) -> int:
    """The line of a key of an object, found below those that it is in; that of the last one found."""
    at = 0
    for key in keys:
        found = text.find(msgspec.json.encode(key).decode(), at)
        at = found if found >= 0 else at
    return text.count("\n", 0, at) + 1


def _line_of_byte(content: bytes, message: str) -> int:
    """The line of the byte that a message of msgspec names; 1 where it names none."""
    _, named, rest = message.rpartition(_BYTE)
    digits = rest.removesuffix(")")
    return content.count(b"\n", 0, int(digits)) + 1 if named and digits.isdecimal() else 1
