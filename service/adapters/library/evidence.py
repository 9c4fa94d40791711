"""The file that something was decided by: its name and digest, and what it says where it is a comparison."""

import hashlib
from pathlib import Path

import msgspec

from service.core.catalogue import Because
from service.core.comparison import Comparison
from service.core.errors import InvalidRequest
from service.core.text import presentable
from service.core.types import Value

_LONGEST_SENTENCE = 500
LARGEST_REPORT_BYTES = 200_000_000
"""Up to where a file is read to see whether it is a comparison."""


class Evidence(Value, frozen=True, kw_only=True):
    """A file that something is decided by: what is kept of it, and the comparison where it is one."""

    because: Because
    comparison: Comparison | None = None


class _Resource(msgspec.Struct):
    """A comparison as the API answers it."""

    result: Comparison


def evidence(path: Path) -> Evidence:
    """A file by its name and SHA-256; of a comparison in JSON also its first pair's sentence and its gate's outcome.

    Raises:
        InvalidRequest: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            file.seek(0)
            content = file.read() if size <= LARGEST_REPORT_BYTES else b""
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(f"{path} cannot be read: {why}. Name a file, such as a comparison in JSON.") from None
    # A name that is not UTF-8 on disk could not be written down.
    name = path.name.encode(errors="replace").decode()
    found = _comparison(content)
    if found is None:
        return Evidence(because=Because(name=name, sha256=sha256))
    # one line of it, as it goes into a file of lines and to terminals
    sentence = presentable(found.pairs[0].sentence)[:_LONGEST_SENTENCE] if found.pairs else None
    because = Because(name=name, sha256=sha256, sentence=sentence, outcome=found.gate.outcome)
    return Evidence(because=because, comparison=found)


def _comparison(content: bytes) -> Comparison | None:
    try:
        return msgspec.json.decode(content, type=Comparison)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.json.decode(content, type=_Resource).result
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
