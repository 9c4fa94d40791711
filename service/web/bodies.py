"""What a request carries, decoded: documents and options, whatever content type they come in."""

import asyncio
import codecs
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import MultiDict, UploadFile
from litestar.exceptions import HTTPException, InternalServerException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE

from service.adapters import extraction
from service.core.errors import (
    FieldError,
    InvalidRequest,
    MalformedBody,
    NothingToRead,
    TooLarge,
    UnreadableFile,
    UnsupportedMedia,
)
from service.core.types import Budget, Conditions, Document, Options
from service.jobs import check_count
from service.settings import Settings
from service.web.misfits import SHOWN, cut, escaped, misfit
from service.web.shapes import DocumentBody, OptionsBody, Query, SummaryBody

JSON = "application/json"
MULTIPART = "multipart/form-data"
ACCEPTED = (JSON, *extraction.SUPPORTED, MULTIPART)

S = TypeVar("S", bound=msgspec.Struct)

_NOT_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
"""Codecs of Python that no text is sent in; some take quadratic time."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a request is read."""

    max_bytes: int
    max_characters: int
    """Of all documents together."""
    max_documents: int


def limits(settings: Settings) -> Limits:
    """The configured limits."""
    return Limits(
        max_bytes=settings.max_body_bytes,
        max_characters=settings.max_characters,
        max_documents=settings.max_documents,
    )


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Documents and options, decoded."""

    documents: tuple[Document, ...]
    options: Options
    conditions: Conditions


async def read(request: Request[Any, Any, Any], *, limits: Limits) -> Ask:
    """Read the documents and options of a request.

    Raises:
        TooLarge: the body or its text is over a limit.
        UnsupportedMedia: the content type is not read.
        MalformedBody: the body does not decode.
        InvalidRequest: it decodes and does not fit.
    """
    kind, parameters = request.content_type
    kind = kind.lower()
    body = await _content(request, ACCEPTED, limits)
    if kind == JSON:
        refuse_query(request)
        ask = await asyncio.to_thread(_from_json, body, limits)
    else:
        query = decode_query(request.query_params, Query)
        _check_date(query.published_at, "published_at")
        if kind == MULTIPART:
            documents = await _from_form(request, query, limits)
        else:
            content = _as_utf8(body, parameters.get("charset")) if kind.startswith("text/") else body
            documents = [await asyncio.to_thread(_from_content, content, kind, query, "d1", limits)]
        ask = Ask(documents=tuple(documents), options=as_options(query), conditions=_query_conditions(query))
    check_characters(ask.documents, limits)
    return ask


async def read_json(request: Request[Any, Any, Any], struct: type[S], *, limits: Limits) -> S:
    """Read a body that has to be JSON; raises as `read` does."""
    body = await _content(request, (JSON,), limits)
    refuse_query(request)
    return await asyncio.to_thread(decoded, body, struct)


async def _content(request: Request[Any, Any, Any], accepted: Sequence[str], limits: Limits) -> bytes:
    check_kind(request, accepted)
    return await _body(request, limits.max_bytes)


def check_kind(request: Request[Any, Any, Any], accepted: Sequence[str]) -> None:
    """Refuse a body of another content type, or a packed one; raises UnsupportedMedia."""
    kind = request.content_type[0].lower()
    if kind not in accepted:
        raise _unsupported(kind, accepted)
    coding = request.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise UnsupportedMedia(f"The Content-Encoding {coding[:SHOWN]!r} is not read. Send the body as it is.")


def refuse_query(request: Request[Any, Any, Any]) -> None:
    """Refuse parameters beside a body of JSON; raises InvalidRequest."""
    if request.url.query:
        fault = FieldError("", "with a JSON body, options belong into its `options`")
        raise InvalidRequest("The query has parameters, but the body is JSON.", errors=(fault,))


async def _body(request: Request[Any, Any, Any], max_bytes: int) -> bytes:
    announced = request.content_length
    if announced is not None and announced > max_bytes:
        raise _too_large(f"{announced:,} bytes", max_bytes)
    try:
        return await request.body()
    except InternalServerException:
        # what Litestar makes of a caller who hangs up; nobody reads the answer, but it is no fault to log
        raise MalformedBody("The connection ended before the body did. Send it again.") from None
    except HTTPException as error:
        if error.status_code != HTTP_413_REQUEST_ENTITY_TOO_LARGE:
            raise
        raise _too_large(f"over {max_bytes:,} bytes", max_bytes) from None


def _too_large(size: str, max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is {size}; the limit is {max_bytes:,} bytes. Send less, or raise PRECIS_MAX_BODY_BYTES.")


def check_characters(documents: Sequence[Document], limits: Limits) -> None:
    """Refuse more text than a request may have; raises TooLarge."""
    size = sum(len(document.text) for document in documents)
    if size > limits.max_characters:
        raise TooLarge(
            f"The documents have {size:,} characters; the limit is {limits.max_characters:,} for all of a request "
            "together. Send fewer, or raise PRECIS_MAX_CHARACTERS."
        )


def _unsupported(kind: str, accepted: Sequence[str]) -> UnsupportedMedia:
    was = f"{kind!r} is not read" if kind else "There is no Content-Type"
    how = ""
    if not kind or "form-url" in kind:
        text = ", -H 'Content-Type: text/plain' for a text" if extraction.PLAIN in accepted else ""
        how = f" With curl: -H 'Content-Type: {accepted[0]}'{text}."
    return UnsupportedMedia(f"{was}. Send {'one of ' * (len(accepted) > 1)}{', '.join(accepted)}.{how}")


# --- JSON ------------------------------------------------------------------------------------------------------------


def _from_json(body: bytes, limits: Limits) -> Ask:
    return ask_of(decoded(body, SummaryBody), limits)


def ask_of(body: SummaryBody, limits: Limits) -> Ask:
    """What a body in JSON asks for; raises as `read` does."""
    documents = json_documents(body.documents, limits)
    return Ask(documents=documents, options=as_options(body.options), conditions=_conditions(body))


def decoded(body: bytes, struct: type[S]) -> S:
    """A body of JSON as a struct.

    Raises:
        MalformedBody: it does not decode.
        InvalidRequest: it decodes and does not fit.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8: the byte at offset {error.start} does not fit.") from None
    try:
        # a BOM becomes a space, so that offsets stay those of the body
        return msgspec.json.decode(text.replace("\ufeff", "   ", 1) if text[:1] == "\ufeff" else text, type=struct)
    except msgspec.ValidationError as error:
        raise misfit(str(error), struct) from None
    except msgspec.DecodeError as error:
        _refuse_surrogates(text)
        what = str(error).removesuffix(".")
        where = "" if "(byte " in what else f" (byte {len(body)})"
        raise MalformedBody(f"{what}{where}. Send one JSON object.") from None


def json_documents(given: Sequence[DocumentBody], limits: Limits) -> tuple[Document, ...]:
    """The documents of a JSON body, read; raises as `read` does."""
    # before anything is extracted, which takes time for each
    check_count(len(given), limits.max_documents)
    return tuple(_from_json_document(document, position, limits) for position, document in enumerate(given))


def _from_json_document(body: DocumentBody, position: int, limits: Limits) -> Document:
    given = [name for name in ("text", "html", "markdown") if getattr(body, name) is not None]
    if len(given) != 1:
        has = " and ".join(given) or "none of them"
        unfetched = ". A `url` only says where it was published, and is not fetched" if body.url and not given else ""
        what = f"give one of `text`, `html` and `markdown`; this has {has}{unfetched}"
        fault = FieldError(f"/documents/{position}", what)
        raise InvalidRequest("A document needs one text.", errors=(fault,))
    _check_date(body.published_at, f"/documents/{position}/published_at")
    document = Document(
        id=body.id or f"d{position + 1}",
        text=body.text or body.markdown or "",
        name=body.name,
        title=body.title,
        url=body.url,
        published_at=body.published_at,
        language=body.language,
        media_type={"text": "text/plain", "html": "text/html", "markdown": "text/markdown"}[given[0]],
    )
    if extraction.is_address(document.text):
        fault = FieldError(f"/documents/{position}/{given[0]}", extraction.ADDRESS)
        raise NothingToRead("A document is nothing but an address.", errors=(fault,))
    if body.html is None:
        return document
    try:
        return extraction.filled(document, extraction.read_html(body.html, max_characters=limits.max_characters))
    except UnreadableFile as error:
        fault = FieldError(f"/documents/{position}/html", "no text can be read from it")
        raise UnreadableFile(error.detail, errors=(fault,)) from error


def _refuse_surrogates(text: str) -> None:
    """Raise InvalidRequest with a pointer where the JSON is fine but for half a surrogate pair in a string."""
    try:
        strings = _strings(json.loads(text), "")
        found = next((pointer for pointer, string in strings if re.search("[\ud800-\udfff]", string)), None)
    except (ValueError, RecursionError):
        return
    if found is not None:
        pointer = found.encode(errors="backslashreplace").decode()[:SHOWN]
        fault = FieldError(pointer, "has half a surrogate pair; send whole characters")
        raise InvalidRequest("A string is not valid Unicode.", errors=(fault,))


def _strings(value: object, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, f"{pointer}/{escaped(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{pointer}/{index}")


def as_options(body: OptionsBody) -> Options:
    """The options of a body."""
    return Options(**{name: getattr(body, name) for name in OptionsBody.__struct_fields__})


def _conditions(body: SummaryBody) -> Conditions:
    return Conditions(
        prompt=body.prompt,
        model=body.model,
        budget=Budget(max_tokens=body.budget.max_tokens, max_cost=body.budget.max_cost),
        fallback=body.fallback,
        strict=body.strict,
    )


def _query_conditions(query: Query) -> Conditions:
    return Conditions(
        prompt=query.prompt,
        model=query.model,
        budget=Budget(max_tokens=query.max_tokens, max_cost=query.max_cost),
        fallback=query.fallback,
        strict=query.strict,
    )


def _check_date(value: str | None, pointer: str) -> None:
    if value is None:
        return
    try:
        datetime.fromisoformat(value)
    except ValueError:
        fault = FieldError(pointer, "not an ISO 8601 date, such as 2020-05-05 or 2020-05-05T10:00:00Z")
        raise InvalidRequest("A date does not fit.", errors=(fault,)) from None


# --- files and bare content ------------------------------------------------------------------------------------------


def decode_query(parameters: MultiDict[str], struct: type[S]) -> S:
    """Query parameters as a struct; raises InvalidRequest with the name of the one at fault."""
    given = dict(parameters)
    for name in given:
        if len(parameters.getall(name)) > 1:
            fault = FieldError(cut(name), "give it once")
            raise InvalidRequest(f"The query has `{cut(name)}` more than once.", errors=(fault,))
    try:
        return msgspec.convert(given, struct, strict=False)
    except msgspec.ValidationError as error:
        raise misfit(str(error), struct, query=True) from None


def _as_utf8(body: bytes, charset: str | None) -> bytes:
    """The body in UTF-8, read by the charset that the sender names."""
    if charset is None:
        return body
    try:
        name = codecs.lookup(charset).name
        if name in ("utf-8", "ascii"):
            return body
        if name.replace("_", "-") not in _NOT_CHARSETS:
            return body.decode(name).encode()
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not {charset}: the byte at offset {error.start} does not fit.") from None
    except (LookupError, ValueError):
        pass
    raise UnsupportedMedia(f"The charset {cut(charset)!r} is not known. Send UTF-8.")


async def _parts(request: Request[Any, Any, Any]) -> list[tuple[str, Any]]:
    try:
        # not `multi_items`, which goes through a set: the documents would stand in another order each time
        return list((await request.form()).items())
    except HTTPException as error:
        raise MalformedBody(
            f"The form could not be read: {error.detail.rstrip('.')}. Send it as RFC 7578 says, with a boundary and at "
            f"most {request.app.multipart_form_part_limit} parts."
        ) from None
    except (UnicodeError, LookupError):
        raise MalformedBody("A field of the form is not text in the charset it states. Send files only.") from None


async def _from_form(request: Request[Any, Any, Any], query: Query, limits: Limits) -> list[Document]:
    found: list[Document] = []
    parts = await _parts(request)
    check_count(len(parts), limits.max_documents)
    for field, part in parts:
        if not isinstance(part, UploadFile):
            fault = FieldError(f"/{escaped(cut(field))}", "not a file; options go into the query")
            raise InvalidRequest("A form may hold files only.", errors=(fault,))
        kind = part.content_type.partition(";")[0].strip().lower()
        if kind not in extraction.SUPPORTED:
            kind = extraction.media_type_of(part.filename) or ""
        if not kind:
            raise UnsupportedMedia(
                f"The file in field {field!r} is {part.content_type!r}, and its name says no more. "
                f"Send one of {', '.join(extraction.SUPPORTED)}."
            )
        content = await part.read()
        document = await asyncio.to_thread(_from_content, content, kind, query, f"d{len(found) + 1}", limits)
        found.append(msgspec.structs.replace(document, name=PurePath(part.filename).name[:500] or None))
        check_characters(found, limits)
    if len(found) > 1 and any((query.title, query.url, query.published_at)):
        fault = FieldError("title", "title, url and published_at of several files cannot be told apart; send JSON")
        raise InvalidRequest("The query describes one document, and the form holds several.", errors=(fault,))
    return found


def _from_content(content: bytes, kind: str, query: Query, document: str, limits: Limits) -> Document:
    extracted = extraction.read(content, kind, max_characters=limits.max_characters)
    stated = Document(
        id=document,
        text="",
        title=query.title,
        url=query.url,
        published_at=query.published_at,
        language=query.text_language,
        media_type=kind,
    )
    return extraction.filled(stated, extracted)
