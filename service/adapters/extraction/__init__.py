"""Files become text: plain text, Markdown, HTML (trafilatura), PDF (pypdf) and DOCX (python-docx).

Plain text and Markdown are decoded and nothing else. For the others the extracted text is what offsets refer to:
its paragraphs are separated by a blank line, NUL and lone surrogates are left out, and text that would be left out for
a reason of size or damage is refused, never cut silently. Nothing is fetched and nothing of a document is logged.
"""

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
from service.core.errors import MalformedBody, UnsupportedMedia
from service.core.types import Document

__all__ = [
    "DOCX",
    "HTML",
    "MARKDOWN",
    "PDF",
    "PLAIN",
    "SUPPORTED",
    "Extracted",
    "filled",
    "media_type_of",
    "read",
    "read_html",
]

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
        UnreadableFile: the file is encrypted, broken or holds no text.
        TooLarge: the text, or the work to get at it, is over a limit.
        UnsupportedMedia: the type is not read, or not by this installation.
    """
    if media_type in {PLAIN, MARKDOWN}:
        return Extracted(text=within(_decode_utf8(content), max_characters))
    if media_type == HTML:
        return read_html(decode_html(content), max_characters=max_characters)
    if media_type == PDF:
        return read_pdf(content, max_characters, max_seconds)
    if media_type == DOCX:
        return read_docx(content, max_characters)
    raise UnsupportedMedia(f"Files of the type {media_type[:100]!r} are not read. Send one of: {', '.join(SUPPORTED)}.")


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
