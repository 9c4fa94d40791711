"""PDF becomes text by pypdf, page by page, within limits."""

from collections.abc import Callable
from io import BytesIO
from time import monotonic
from typing import Any

from service.adapters.extraction.common import SUPPORTED, Extracted, joined, refusing, silence, stated
from service.core.errors import TooLarge, UnreadableFile

MAX_PDF_PAGES = 5_000
MAX_PDF_SECONDS = 60.0

_RESAVE_PDF = "Save it anew from the program that made it, or send the text itself as text/plain."
_SHOWS_TEXT = frozenset({b"Tj", b"TJ", b"'", b'"'})


def read_pdf(content: bytes, max_characters: int, max_seconds: float) -> Extracted:
    """Text of a PDF as pypdf gives it: its lines, hyphens and order; the pages are joined by blank lines.

    Its dates are not taken: they are those of the program and the file, not of the article.
    """
    _check_pdf_frame(content)
    with refusing("The PDF", _RESAVE_PDF):
        from pypdf import PasswordType, PdfReader  # noqa: PLC0415 - an extra, and heavy
        from pypdf.errors import DependencyError  # noqa: PLC0415

        silence("pypdf")
        try:
            reader = PdfReader(BytesIO(content))
            locked = reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED
        except DependencyError:
            locked = True
        if locked:
            raise UnreadableFile(
                "The PDF is encrypted, so its text cannot be read here. Save it without a password and without "
                "restrictions, or send the text itself as text/plain."
            )
        if len(reader.pages) > MAX_PDF_PAGES:
            raise TooLarge(
                f"The PDF has {len(reader.pages):,} pages; the limit is {MAX_PDF_PAGES:,}. Split it and send the parts."
            )
        check = _work_check(max_characters, max_seconds)
        text = joined((page.extract_text(visitor_operand_before=check) for page in reader.pages), max_characters)
        title = stated(reader.metadata.title) if reader.metadata else None
    if not text:
        raise UnreadableFile(
            "The PDF has no text layer: its pages are blank, or pictures of text (a scan). "
            "Run OCR over it first (ocrmypdf, for one), or send the text itself as text/plain."
        )
    return Extracted(text=text, title=title)


def _check_pdf_frame(content: bytes) -> None:
    """Refuses what is no PDF, and one cut short, of which pypdf would return the pages that came through.

    The marks may lie anywhere in the first and last 1,024 bytes (ISO 32000-1, Annex H, notes 13 and 18).
    """
    if b"%PDF-" not in content[:1024]:
        raise UnreadableFile(
            "The file is not a PDF: it does not begin with %PDF-. "
            f"Send it with its own content type, one of: {', '.join(SUPPORTED)}."
        )
    if b"%%EOF" not in content.rstrip(b"\0\t\r\n ")[-1024:]:
        raise UnreadableFile(
            "The PDF is cut short: its end mark %%EOF is missing, so some of its text may be too. "
            f"Send the whole file. {_RESAVE_PDF}"
        )


def _work_check(max_characters: int, max_seconds: float) -> Callable[[Any, Any, Any, Any], None]:
    """Called by pypdf before every operator, it stops a file that takes too long or shows too many bytes of text.

    A byte can stand for 256 characters and a page can draw another 5,000 times, so the text alone is checked too late.
    """
    deadline = monotonic() + max_seconds
    shown_bytes = 0

    def check(operator: Any, operands: Any, _cm: Any, _tm: Any) -> None:
        nonlocal shown_bytes
        if monotonic() >= deadline:
            raise TooLarge(
                f"Reading the PDF took longer than {max_seconds:g} seconds, the limit for one file. "
                "Split it and send the parts, or send the text itself as text/plain."
            )
        if operator in _SHOWS_TEXT and operands:
            strings = operands[-1] if isinstance(operands[-1], list) else operands[-1:]
            shown_bytes += sum(len(string) for string in strings if isinstance(string, (str, bytes)))
            # Two bytes a character at most (UTF-16), and as much again for what is drawn twice, as shadows are.
            if shown_bytes > 4 * max_characters:
                raise TooLarge(
                    f"The PDF draws more text than {max_characters:,} characters, the limit for one document, can "
                    "take. Split it and send the parts."
                )

    return check
