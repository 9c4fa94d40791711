"""DOCX becomes text: python-docx opens the package, and its body is walked here."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from service.adapters.extraction.common import SEND_TEXT, Extracted, joined, refusing, stated
from service.core.errors import TooLarge, UnreadableFile

MAX_DOCX_PARTS = 10_000
DOCX_BYTES_PER_CHARACTER = 20

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


def read_docx(content: bytes, max_characters: int) -> Extracted:
    """Text of a Word document: its body with tables (a row is a paragraph, cells separated by tabs) and text boxes.

    Tracked changes count as accepted. Headers, footers, footnotes and comments are not read.
    """
    if content.startswith(_OLE):
        raise UnreadableFile(
            "The file is a Word document with a password, or of the old kind (.doc). Save it as .docx without a "
            "password, or send the text itself as text/plain."
        )
    with refusing("The DOCX file", _RESAVE_DOCX):
        from docx import Document  # noqa: PLC0415 - an extra, and heavy

        document = Document(_repacked(content, max_characters))
        body: Any = document.element
        if body.getroottree().docinfo.doctype:
            # Office Open XML forbids them (ECMA-376-2, 8.1.4), and what they define would be left out.
            raise UnreadableFile(f"The DOCX file declares a document type, which may hide text. {_RESAVE_DOCX}")
        text = joined(_docx_blocks(body), max_characters)
        try:
            # Asked for directly: `core_properties` makes up a title for a file without properties.
            properties: Any = document.part.package.part_related_by(_CORE_PROPERTIES)
            title = stated(properties.core_properties.title)
        except KeyError:
            title = None
    if not text:
        raise UnreadableFile(f"The DOCX file holds no text, or only pictures of text. {SEND_TEXT}")
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
                f"a file of its size. Split it and send the parts. {SEND_TEXT}"
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
