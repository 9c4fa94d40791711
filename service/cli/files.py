"""Files that commands read and write: documents, summaries in JSON, and what they print beside them."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from service.adapters import extraction
from service.core.errors import FieldError, InvalidRequest, MalformedBody, PrecisError, TooLarge, UnsupportedMedia
from service.core.types import OFFSET_UNIT, SCHEMA_VERSION, Document, SummaryResult
from service.settings import Loaded, Settings

STDIN = "-"
OUTAGE_S = 60.0
_BYTES_A_CHARACTER = 4
"""Most that UTF-8 takes."""
_DOCUMENT = re.compile(r"/documents/(\d+)")

_T = TypeVar("_T")


# --- documents -------------------------------------------------------------------------------------------------------


def documents(names: Sequence[str], max_characters: int) -> tuple[Document, ...]:
    """The documents of files, d1, d2 and so on; raises what `extraction.read` does, with the name of the file."""
    found: list[Document] = []
    for number, name in enumerate(names, 1):
        try:
            found.append(_document(name, f"d{number}", max_characters))
        except PrecisError as error:
            if len(names) == 1:
                raise
            raise type(error)(f"{name}: {error.detail}", errors=error.errors) from error
    return tuple(found)


def _document(name: str, document: str, max_characters: int) -> Document:
    content, media_type = _typed(name, max_characters)
    extracted = extraction.read(content, media_type, max_characters=max_characters)
    stated = Document(
        id=document, text="", name="standard input" if name == STDIN else Path(name).name, media_type=media_type
    )
    return extraction.filled(stated, extracted)


def _typed(name: str, max_characters: int) -> tuple[bytes, str]:
    most = max_characters * _BYTES_A_CHARACTER
    if name == STDIN:
        tell("reading standard input ...")
        content = sys.stdin.buffer.read(most + 1)
        if len(content) > most:
            raise TooLarge(f"Standard input has more than {most:,} bytes; so much is not read. Split it.")
        return content, "text/plain"
    path = Path(name)
    media_type = extraction.media_type_of(name) or (None if path.suffix else "text/plain")
    if media_type is None:
        raise UnsupportedMedia(
            f"{name}: files that end in {path.suffix} are not read. Those that are: .txt, .md, .html, .pdf, .docx. "
            "Rename it if it is one of them."
        )
    try:
        size = path.stat().st_size
        if size > most:
            raise TooLarge(f"{name} has {size:,} bytes; files over {most:,} bytes are not read. Split it.")
        return path.read_bytes(), media_type
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror or error}.") from None


def by_name(error: PrecisError, names: Sequence[str]) -> PrecisError:
    """The error with the names of the files, where the request that was made of them has numbers."""
    fields = tuple(
        FieldError(names[int(found[1])] if (found := _DOCUMENT.match(field.pointer)) else field.pointer, field.detail)
        for field in error.errors
    )
    return type(error)(error.detail, errors=fields)


# --- JSON ------------------------------------------------------------------------------------------------------------


class _Failure(msgspec.Struct):
    title: str = ""
    detail: str = ""


class _Sent(msgspec.Struct):
    """What tells a summary with a result from one without, and from a bare result."""

    id: str = "the summary"
    status: str = "without a result"
    error: _Failure | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    schema_version: str | None = None
    offset_unit: str | None = None


def shown_name(file: str) -> str:
    """What a file is called in messages."""
    return "standard input" if file == STDIN else file


def content(file: str) -> bytes:
    """The bytes of a file, or of standard input; raises a usage error."""
    if file == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise click.UsageError(f"{file}: {why or error}.") from None


def result(sent: bytes, name: str) -> SummaryResult:
    """The result of a summary as `precis summarise --json` prints it, or a bare result; raises InvalidRequest."""
    if sent.lstrip().startswith(b"["):
        raise InvalidRequest(f"{name}: this is a list, as --each makes them; one summary is evaluated at a time.")
    return _result(sent, name, "evaluate")


def results(sent: bytes, name: str) -> list[SummaryResult]:
    """The results of one summary, or of a list of them as `--each` makes them; raises InvalidRequest."""
    if not sent.lstrip().startswith(b"["):
        return [_result(sent, name, "compare")]
    each = decoded(sent, list[msgspec.Raw], f"{name}: this is no list of summaries")
    return [_result(bytes(one), f"{name}, number {number}", "compare") for number, one in enumerate(each, 1)]


def _result(sent: bytes, name: str, verb: str) -> SummaryResult:
    wrong = f"{name}: this is no summary as `precis summarise --json` prints it"
    found = decoded(sent, _Sent, wrong)
    if isinstance(found.result, msgspec.Raw):
        sent = bytes(found.result)
        if sent == b"null":
            why = f": {found.error.title}. {found.error.detail}" if found.error else "."
            said = f"{name}: there is no result to {verb}, {found.id} is {found.status}{why}"
            raise InvalidRequest(" ".join(said.split()))
        found = decoded(sent, _Sent, wrong)
    if found.schema_version is None:
        raise InvalidRequest(f"{wrong}: it has neither a result nor a schema_version.")
    if found.schema_version != SCHEMA_VERSION or found.offset_unit != OFFSET_UNIT:
        raise InvalidRequest(
            f"{name}: this has schema version {found.schema_version!r} with offsets in {found.offset_unit!r}; version "
            f"{SCHEMA_VERSION} in {OFFSET_UNIT} is what this version of precis reads. Make the summary again."
        )
    return decoded(sent, SummaryResult, wrong)


def decoded(sent: bytes, form: type[_T], wrong: str) -> _T:
    """JSON as a value; `wrong` begins the message of what does not fit. Raises InvalidRequest or MalformedBody."""
    try:
        return msgspec.json.decode(sent, type=form)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{wrong}: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"{wrong.partition(': ')[0]}: this is not JSON: {error}.") from error


# --- writing ---------------------------------------------------------------------------------------------------------


def impatient(loaded: Loaded[Settings]) -> Settings:
    """The settings of a command that somebody waits for: a minute, unless it is set, for an endpoint that is down."""
    if loaded.origins["outage_s"] != "default":
        return loaded.settings
    return msgspec.structs.replace(loaded.settings, outage_s=OUTAGE_S)


def check_folder(output: Path) -> None:
    """Refuse a file in a folder that is not there, before any work is done; raises a usage error."""
    try:
        is_there = output.parent.is_dir()
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written: {error.strerror or error}.") from None
    if not is_there:
        raise click.UsageError(f"{output} cannot be written: there is no folder {output.parent}.")


def save(output: Path, text: str) -> None:
    """Write a file and say so; raises a usage error."""
    try:
        output.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written: {error.strerror or error}.") from None
    tell(f"written to {output}")


def tell(line: str) -> None:
    """Say something beside the output."""
    click.echo(line, err=True)
