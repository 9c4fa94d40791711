"""Files become text: plain text, Markdown, HTML (trafilatura), PDF (pypdf) and DOCX (python-docx).

Plain text and Markdown are decoded and nothing else. For the others the extracted text is what offsets refer to:
its paragraphs are separated by a blank line, NUL and lone surrogates are left out, and text that would be left out for
a reason of size or damage is refused, never cut silently. Nothing is fetched and nothing of a document is logged.
"""

import re
from pathlib import PurePath

import msgspec

from service.adapters.extraction.common import (
    DOCX,
    HTML,
    MARKDOWN,
    PDF,
    PLAIN,
    SUPPORTED,
    Extracted,
    within,
)
from service.adapters.extraction.docx import read_docx
from service.adapters.extraction.html import decode_html, read_html
from service.adapters.extraction.pdf import MAX_PDF_SECONDS, read_pdf
from service.core.errors import MalformedBody, NothingToRead, UnreadableFile, UnsupportedMedia
from service.core.types import Document

__all__ = [
    "ADDRESS",
    "DOCX",
    "HTML",
    "MARKDOWN",
    "PDF",
    "PLAIN",
    "SUPPORTED",
    "Extracted",
    "filled",
    "is_address",
    "media_type_of",
    "read",
    "read_html",
]

ADDRESS = "that is an address; nothing is fetched: send the text"
_ADDRESS = re.compile(r"<?(?:[a-z][a-z0-9+.-]{1,20}://|www\.)[^\s<>]+>?", re.IGNORECASE)
_MOST_ADDRESSES = 20
_BINARY = {b"%PDF-": ("a PDF", PDF, ".pdf"), b"PK\x03\x04": ("a DOCX or another ZIP file", DOCX, ".docx")}
"""What it is, and what to send it as, by the bytes that it begins with."""

_BY_ENDING = {
    ".txt": PLAIN,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".pdf": PDF,
    ".docx": DOCX,
}


def media_type_of(filename: str) -> str | None:
    """Media type by the ending of a file's name, None where the ending is not one of ours.

    >>> media_type_of("Report.PDF"), media_type_of("notes")
    ('application/pdf', None)
    """
    return _BY_ENDING.get(PurePath(filename).suffix.lower())


def read(content: bytes, media_type: str, *, max_characters: int, max_seconds: float = MAX_PDF_SECONDS) -> Extracted:
    """Text of a file. Takes CPU time and no other: call it in a thread.

    Args:
        content: the file.
        media_type: one of `SUPPORTED`, without parameters.
        max_characters: limit on the text, in code points.
        max_seconds: limit on the time spent on the pages of a PDF.

    Raises:
        MalformedBody: the bytes do not decode.
        NothingToRead: the text is nothing but an address.
        UnreadableFile: the file is encrypted, broken, holds no text or is of another type.
        TooLarge: the text, or the work to get at it, is over a limit.
        UnsupportedMedia: the type is not read, or not by this installation.
    """
    if media_type in {PLAIN, MARKDOWN}:
        return Extracted(text=within(_text_in(content, media_type), max_characters))
    if media_type == HTML:
        return read_html(decode_html(content), max_characters=max_characters)
    if media_type == PDF:
        return read_pdf(content, max_characters, max_seconds)
    if media_type == DOCX:
        return read_docx(content, max_characters)
    raise UnsupportedMedia(f"Files of the type {media_type[:100]!r} are not read. Send one of: {', '.join(SUPPORTED)}.")


def is_address(text: str) -> bool:
    """Whether a text is nothing but one address or a few.

    >>> is_address(" https://example.org/a "), is_address("See https://example.org/a")
    (True, False)
    """
    words = text.lstrip("\ufeff").split(maxsplit=_MOST_ADDRESSES)
    return bool(words) and all(_ADDRESS.fullmatch(word) for word in words)


def _text_in(content: bytes, media_type: str) -> str:
    """The text of a file that should be nothing else."""
    for begins, (what, right, ending) in _BINARY.items():
        if content.startswith(begins):
            raise UnreadableFile(
                f"The bytes are those of {what}, and came as {media_type}. Send them with the Content-Type {right}; "
                f"a file needs a name that ends in {ending}."
            )
    text = _decode_utf8(content)
    if is_address(text):
        raise NothingToRead(f"There is no article: {ADDRESS}.")
    return text


def _decode_utf8(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(
            f"The text is not UTF-8: the byte at offset {error.start} does not decode. "
            "Send UTF-8, or convert it first: iconv -f WINDOWS-1252 -t UTF-8 (with the charset it is in)."
        ) from None


def filled(document: Document, extracted: Extracted) -> Document:
    """A document with what was read from its file; what its sender states goes before what the file says."""
    return msgspec.structs.replace(
        document,
        text=extracted.text,
        title=document.title or extracted.title,
        url=document.url or extracted.url,
        published_at=document.published_at or extracted.published_at,
    )
