"""Files become text: plain text, Markdown, HTML (trafilatura), PDF (pypdf) and DOCX (python-docx).

Plain text and Markdown are decoded and nothing else. For the others the extracted text is what offsets refer to:
its paragraphs are separated by a blank line, NUL and lone surrogates are left out, and text that would be left out for
a reason of size or damage is refused, never cut silently. Nothing is fetched and nothing of a document is logged.
"""

import codecs
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import PurePath
from time import monotonic
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import msgspec

from service.core.errors import MalformedBody, PrecisError, TooLarge, UnreadableFile, UnsupportedMedia
from service.core.types import Document, Value

PLAIN = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

SUPPORTED: tuple[str, ...] = (PLAIN, MARKDOWN, HTML, PDF, DOCX)
"""The media types that `read` reads."""

_BY_ENDING = {
    ".txt": PLAIN,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".pdf": PDF,
    ".docx": DOCX,
}

MAX_PDF_PAGES = 5_000
MAX_PDF_SECONDS = 60.0
MAX_HTML_ELEMENTS = 50_000
MAX_DOCX_PARTS = 10_000
DOCX_BYTES_PER_CHARACTER = 20

_UNTEXT = re.compile("[\0\ud800-\udfff]")
_SEND_TEXT = "Send the text itself as text/plain."


class Extracted(Value, frozen=True, kw_only=True):
    """The text of a file and what the file states about itself; None where it states nothing usable."""

    text: str
    title: str | None = None
    published_at: str | None = None
    """ISO 8601 date or date and time."""
    language: str | None = None
    """ISO 639-1 code."""
    url: str | None = None


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
        return Extracted(text=_within(_decode_utf8(content), max_characters))
    if media_type == HTML:
        return read_html(_decode_html(content), max_characters=max_characters)
    if media_type == PDF:
        return _read_pdf(content, max_characters, max_seconds)
    if media_type == DOCX:
        return _read_docx(content, max_characters)
    raise UnsupportedMedia(f"Files of the type {media_type[:100]!r} are not read. Send one of: {', '.join(SUPPORTED)}.")


# --- what all of them share ------------------------------------------------------------------------------------------


def _within(text: str, max_characters: int) -> str:
    if len(text) > max_characters:
        raise TooLarge(
            f"The text is longer than {max_characters:,} characters, the limit for one document. "
            "Split it and send the parts."
        )
    return text


def _joined(blocks: Iterable[str], max_characters: int) -> str:
    """Blocks that are not blank, with a blank line between them; stops at the limit, so that a bomb is not unrolled."""
    kept: list[str] = []
    characters = 0
    for block in blocks:
        text = _UNTEXT.sub("", block).strip()
        if text:
            kept.append(text)
            characters += len(text)
            if characters > max_characters:
                break
    return _within("\n\n".join(kept), max_characters)


@contextmanager
def _refusing(what: str, advice: str) -> Iterator[None]:
    """Turns whatever a library raises over a broken file into `UnreadableFile`."""
    try:
        yield
    except PrecisError:
        raise
    except ImportError as error:
        raise UnsupportedMedia(
            f"{what} cannot be read here, because the library for it is not installed. "
            "Install it: pip install 'precis[files]'."
        ) from error
    except Exception as error:  # noqa: BLE001 - the libraries promise no closed set of errors over damaged input
        # Without a cause: the message of a library's error may quote the document.
        raise UnreadableFile(f"{what} is broken ({type(error).__name__}). {advice}") from None


def _silence(*loggers: str) -> None:
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _stated(value: object) -> str | None:
    return _UNTEXT.sub("", " ".join(value.split())) or None if isinstance(value, str) else None


# --- text ------------------------------------------------------------------------------------------------------------


def _decode_utf8(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(
            f"The text is not UTF-8: the byte at offset {error.start} does not decode. "
            "Send UTF-8, or convert it first: iconv -f WINDOWS-1252 -t UTF-8 (with the charset it is in)."
        ) from None


# --- HTML ------------------------------------------------------------------------------------------------------------

# The labels of the Encoding Standard (https://encoding.spec.whatwg.org) that pages still use, by Python's name for
# them, with the superset that the standard decodes them as. Closed: Python also knows codecs that are no charsets.
_CHARSETS = {
    **{f"cp{number}": f"cp{number}" for number in (866, 874, 932, 949, *range(1250, 1259))},
    **{f"iso8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{name: name for name in ("gb18030", "big5", "euc_jp", "iso2022_jp", "koi8-r", "koi8-u", "mac-roman")},
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_META_CHARSET = re.compile(rb"<meta[^>]{0,300}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})", re.IGNORECASE)
_META_WITHIN_BYTES = 4_096


def _charset(content: bytes) -> str | None:
    """Codec for the charset that the page's <meta> states, None where there is none or it is not known."""
    stated = _META_CHARSET.search(content, 0, _META_WITHIN_BYTES)
    if stated is None:
        return None
    try:
        return _CHARSETS.get(codecs.lookup(stated[1].decode("ascii", "replace")).name)
    except LookupError:
        return None


def _decode_html(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start
    charset = _charset(content)
    try:
        if charset is not None:
            return content.decode(charset)
    except UnicodeDecodeError as error:
        offset = error.start
    reason = "it states no other charset that is known" if charset is None else f"nor is it {charset}, as it states"
    raise MalformedBody(
        f"The page is not UTF-8, and {reason}: the byte at offset {offset} does not decode. "
        "Send UTF-8, or convert it first: iconv -f WINDOWS-1252 -t UTF-8 (with the charset it is in)."
    )


# Controls and non-characters that libxml2 does not take.
_UNXML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# What is around an article. A <header> that holds the headline is part of it.
_CHROME = (
    ".//nav|.//aside|.//footer|.//*[@role='navigation' or @role='contentinfo']"
    "|.//*[@id='comments' or @id='disqus_thread']"
    "|.//header[not(.//h1) and not(ancestor::article) and not(ancestor::main)]"
)
_CODE = ".//script|.//style|.//noscript|.//template|.//head|.//svg|.//button|.//select|.//textarea"
_ROWS = frozenset({"tr", "row"})
_BREAKS = frozenset({"br", "lb"})
_PREFORMATTED = frozenset({"pre", "code", "quote"})
# Those of HTML, and what trafilatura makes of them: head, list, item, quote.
_BLOCKS = frozenset(
    "address article blockquote body caption cell center dd details div dl dt fieldset figcaption figure h1 h2 h3 h4 "
    "h5 h6 head header hr item legend li list main ol p pre quote row section summary table tbody td tfoot th thead "
    "title tr ul".split()
)

_QUADRATIC_ABOVE_ELEMENTS = 5_000
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_JSON_DATE = re.compile(r'"datePublished"\s{0,9}:\s{0,9}"([^"\\]{10,40})"')
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2})(?![A-Za-z])")
_DATE_NAMES = (
    "article:published_time og:article:published_time og:published_time datepublished date dc.date dc.date.issued "
    "dcterms.issued dcterms.created citation_publication_date parsely-pub-date publish-date pubdate sailthru.date"
).split()


def read_html(text: str, *, max_characters: int) -> Extracted:
    """Main text of an HTML page or fragment, without navigation and comments, and what its metadata states.

    Short articles are read as well: where the extractor finds none, all text outside navigation is taken. List items
    and table rows are paragraphs of their own, the cells of a row separated by a tab.

    Raises:
        UnreadableFile: there is no text, or elements are nested more than 256 deep.
        TooLarge: over `max_characters` of text, or over `MAX_HTML_ELEMENTS`.
    """
    with _refusing("The HTML page", _SEND_TEXT):
        tree = _parse_html(_UNXML.sub("", text))
        title, url = _html_title(tree), _html_url(tree)
        published_at, language = _html_date(tree), _html_language(tree)
        main = _joined(_html_blocks(tree), max_characters)
    if not main:
        raise _no_html_text()
    return Extracted(text=main, title=title, published_at=published_at, language=language, url=url)


def _no_html_text() -> UnreadableFile:
    return UnreadableFile(f"No text was found in the HTML page: it is empty, or a script writes its text. {_SEND_TEXT}")


def _parse_html(text: str) -> Any:
    from lxml import html  # type: ignore[import-untyped]  # noqa: PLC0415 - as trafilatura in `_html_blocks`

    if not text.strip():
        raise _no_html_text()
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    try:
        # As bytes: lxml refuses a str that declares an encoding, as XHTML does.
        tree = html.document_fromstring(text.encode(), parser=parser)
    except html.etree.ParserError:
        raise _no_html_text() from None
    if any(entry.level_name == "FATAL" for entry in parser.error_log):
        # libxml2 stops there and returns what it had: a page cut silently.
        raise UnreadableFile(
            "The HTML page cannot be read to its end: its elements are nested more than 256 deep, or one holds more "
            f"than 10 MB. {_SEND_TEXT}"
        )
    if sum(1 for _ in tree.iter()) > MAX_HTML_ELEMENTS:
        raise TooLarge(
            f"The HTML page has more than {MAX_HTML_ELEMENTS:,} elements, the limit for one page. "
            f"Send the part that is to be read, or split it. {_SEND_TEXT}"
        )
    return tree


def _html_blocks(tree: Any) -> list[str]:
    """Paragraphs of the main text. Changes the tree."""
    # Heavy (200 ms, 30 MB), and not needed by those who send text.
    from trafilatura import bare_extraction  # noqa: PLC0415

    _silence("trafilatura", "htmldate", "courlan", "justext", "charset_normalizer")
    for element in tree.xpath(_CHROME):
        element.drop_tree()
    found: Any = bare_extraction(
        tree,
        # The comparison with justext takes time that grows with the square of the page: 8 s at 10,000 lists.
        fast=sum(1 for _ in tree.iter()) > _QUADRATIC_ABOVE_ELEMENTS,
        include_comments=False,
        output_format="python",
    )
    if found is not None and not _is_dump(found.body):
        return _blocks(found.body)
    for element in tree.xpath(_CODE):
        element.drop_tree()
    return _blocks(tree)


def _is_dump(body: Any) -> bool:
    """Whether trafilatura found no article and gives every piece of text on a line of its own."""
    return len(body) == 1 and len(body[0]) == 0 and body[0].tag == "p" and "\n" in (body[0].text or "")


def _blocks(element: Any) -> list[str]:
    """Texts of the blocks in an element of HTML or of trafilatura's own vocabulary, in order; some are blank."""
    text = "".join(_pieces(element, preformatted=False))
    # At a line break the space around it goes, the indentation of code stays.
    return re.split(r"\n\s*\n", re.sub(r"(?<! ) *\n(?: (?=\S))?", "\n", text))


def _pieces(element: Any, *, preformatted: bool) -> Iterator[str]:
    preformatted = preformatted or element.tag in _PREFORMATTED
    border = "\n\n" if element.tag in _BLOCKS else ""
    yield "\n" if element.tag in _BREAKS else border
    if element.tag in _ROWS and not any(inner.tag in _BLOCKS for cell in element for inner in cell.iterdescendants()):
        yield "\t".join(" ".join("".join(_pieces(cell, preformatted=False)).split()) for cell in element)
    else:
        yield _spaced(element.text, preformatted=preformatted)
        for child in element:
            yield from _pieces(child, preformatted=preformatted)
            yield _spaced(child.tail, preformatted=preformatted)
    yield border


def _spaced(text: str | None, *, preformatted: bool) -> str:
    return (text or "") if preformatted else re.sub(r"\s+", " ", text or "")


def _metas(tree: Any) -> dict[str, str]:
    """Content of the page's <meta> elements by lower-case property, name or itemprop; the first of a name counts."""
    metas: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or meta.get("http-equiv") or ""
        content = _stated(meta.get("content"))
        if content:
            metas.setdefault(name.lower(), content)
    return metas


def _html_title(tree: Any) -> str | None:
    headings = [heading.text_content() for heading in tree.iter("h1")]
    heading = headings[0] if len(headings) == 1 else None
    return _stated(_metas(tree).get("og:title")) or _stated(heading) or _stated(tree.findtext(".//title"))


def _html_url(tree: Any) -> str | None:
    links = [link.get("href") for link in tree.iter("link") if link.get("rel") == "canonical"]
    candidates = (_stated(url) for url in (*links, _metas(tree).get("og:url")))
    return next((url for url in candidates if url and url.startswith(("https://", "http://"))), None)


def _html_date(tree: Any) -> str | None:
    """Date of publication, only where the page states it as such: a date in its text may be any date."""
    metas = _metas(tree)
    stated = [metas.get(name) for name in _DATE_NAMES]
    for script in tree.iterfind(".//script[@type='application/ld+json']"):
        stated += _JSON_DATE.findall(script.text or "")
    stated += tree.xpath(".//time[@pubdate or @itemprop='datePublished']/@datetime")
    return next((date for date in map(_iso_date, stated) if date), None)


def _iso_date(stated: str | None) -> str | None:
    value = (stated or "").strip()
    # The longest prefix that is ISO 8601: the time after the date comes in many forms, some with words.
    for candidate in (value, value[:10]):
        try:
            datetime.fromisoformat(candidate)
        except ValueError:
            continue
        return candidate if _DATE.match(candidate) else None
    return None


def _html_language(tree: Any) -> str | None:
    metas = _metas(tree)
    for stated in (tree.get("lang"), metas.get("content-language"), metas.get("og:locale")):
        if code := _LANGUAGE.match(stated or ""):
            return code[1].lower()
    return None


# --- PDF -------------------------------------------------------------------------------------------------------------

_RESAVE_PDF = "Save it anew from the program that made it, or send the text itself as text/plain."
_SHOWS_TEXT = frozenset({b"Tj", b"TJ", b"'", b'"'})


def _read_pdf(content: bytes, max_characters: int, max_seconds: float) -> Extracted:
    """Text of a PDF as pypdf gives it: its lines, hyphens and order; the pages are joined by blank lines.

    Its language and dates are not taken: they are those of the program and the file, not of the article.
    """
    _check_pdf_frame(content)
    with _refusing("The PDF", _RESAVE_PDF):
        from pypdf import PasswordType, PdfReader  # noqa: PLC0415 - an extra, and heavy
        from pypdf.errors import DependencyError  # noqa: PLC0415

        _silence("pypdf")
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
        text = _joined((page.extract_text(visitor_operand_before=check) for page in reader.pages), max_characters)
        title = _stated(reader.metadata.title) if reader.metadata else None
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


# --- DOCX ------------------------------------------------------------------------------------------------------------

_RESAVE_DOCX = "Save it anew as .docx, or send the text itself as text/plain."
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_CORE_PROPERTIES = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
_CELLS = frozenset({f"{_W}tc", f"{_W}sdt"})
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
# Deleted and moved-away text, properties, and the second form of what is there twice.
_UNREAD = frozenset(
    {
        *(f"{_W}{name}" for name in ("del", "moveFrom", "pPr", "rPr", "tblPr", "tcPr", "sdtPr", "sectPr")),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    }
)
_INLINE = {f"{_W}tab": "\t", f"{_W}ptab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}


def _read_docx(content: bytes, max_characters: int) -> Extracted:
    """Text of a Word document: its body with tables (a row is a paragraph, cells separated by tabs) and text boxes.

    Tracked changes count as accepted. Headers, footers, footnotes and comments are not read.
    """
    if content.startswith(_OLE):
        raise UnreadableFile(
            "The file is a Word document with a password, or of the old kind (.doc). Save it as .docx without a "
            "password, or send the text itself as text/plain."
        )
    with _refusing("The DOCX file", _RESAVE_DOCX):
        from docx import Document  # noqa: PLC0415 - an extra, and heavy

        document = Document(_repacked(content, max_characters))
        body: Any = document.element
        if body.getroottree().docinfo.doctype:
            # Office Open XML forbids them (ECMA-376-2, 8.1.4), and what they define would be left out.
            raise UnreadableFile(f"The DOCX file declares a document type, which may hide text. {_RESAVE_DOCX}")
        text = _joined(_docx_blocks(body), max_characters)
        try:
            # Asked for directly: `core_properties` makes up a title for a file without properties.
            properties: Any = document.part.package.part_related_by(_CORE_PROPERTIES)
            title = _stated(properties.core_properties.title)
        except KeyError:
            title = None
    if not text:
        raise UnreadableFile(f"The DOCX file holds no text, or only pictures of text. {_SEND_TEXT}")
    return Extracted(text=text, title=title)


def _repacked(content: bytes, max_characters: int) -> BytesIO:
    """The parts of a package, unpacked within limits.

    The sizes in a zip directory may lie, and python-docx unpacks a part in one go: it gets a copy that does not.
    """
    # Pictures hardly shrink when packed, so the file's own size is room enough for them.
    limit_bytes = DOCX_BYTES_PER_CHARACTER * max_characters + len(content)
    unpacked = BytesIO()
    with ZipFile(BytesIO(content)) as packed, ZipFile(unpacked, "w") as copy:
        parts = {part.filename: part for part in packed.infolist()}
        if len(parts) > MAX_DOCX_PARTS or sum(part.file_size for part in parts.values()) > limit_bytes:
            raise TooLarge(
                f"The DOCX file unpacks to more than {limit_bytes:,} bytes or {MAX_DOCX_PARTS:,} parts, the limit for "
                f"a file of its size. Split it and send the parts. {_SEND_TEXT}"
            )
        for name, part in parts.items():
            if part.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
                raise BadZipFile
            with packed.open(part) as stream:
                copy.writestr(name, stream.read(part.file_size + 1))
    return unpacked


def _docx_blocks(element: Any) -> Iterator[str]:
    """Texts of the paragraphs and table rows in an element of WordprocessingML, in order; some are blank."""
    for child in element:
        if child.tag in _UNREAD:
            continue
        if child.tag == f"{_W}tr":
            yield "\t".join(" ".join(_docx_blocks(cell)) for cell in child if cell.tag in _CELLS)
            continue
        if child.tag == f"{_W}p":
            yield "".join(_docx_inline(child))
        # A paragraph may hold text boxes, and those paragraphs.
        yield from _docx_blocks(child)


def _docx_inline(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag in {f"{_W}t", _MATH_TEXT}:
            yield child.text or ""
        elif child.tag in _INLINE:
            yield _INLINE[child.tag]
        elif child.tag not in _UNREAD and child.tag != f"{_W}txbxContent":
            yield from _docx_inline(child)


def filled(document: Document, extracted: Extracted) -> Document:
    """A document with what was read from its file; what its sender states goes before what the file says."""
    return msgspec.structs.replace(
        document,
        text=extracted.text,
        title=document.title or extracted.title,
        url=document.url or extracted.url,
        published_at=document.published_at or extracted.published_at,
        language=document.language or extracted.language,
    )
