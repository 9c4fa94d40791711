"""Files become text, or a refusal that says what to do."""

import logging
import subprocess
import sys
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

from service.adapters.extraction import (
    DOCX,
    HTML,
    MARKDOWN,
    PDF,
    PLAIN,
    SUPPORTED,
    Extracted,
    is_address,
    media_type_of,
    read,
    read_html,
)
from service.adapters.extraction.docx import MAX_DOCX_PARTS
from service.adapters.extraction.html import MAX_HTML_ELEMENTS
from service.adapters.extraction.pdf import MAX_PDF_PAGES
from service.core.errors import MalformedBody, NothingToRead, PrecisError, TooLarge, UnreadableFile, UnsupportedMedia

LIMIT = 100_000
SENTENCE = "The council voted on Tuesday to close the bridge, said Ann Lee, its chair. It will reopen in May."
PARAGRAPHS = [f"{number}. {SENTENCE}" for number in ("One", "Two", "Three", "Four")]
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def read_or_refusal(content: bytes, media_type: str) -> Extracted | PrecisError:
    """What becomes of a file; any other error gets through."""
    try:
        return read(content, media_type, max_characters=LIMIT)
    except PrecisError as refusal:
        return refusal


def text_of(content: bytes, media_type: str, max_characters: int = LIMIT) -> str:
    """The text of a file."""
    return read(content, media_type, max_characters=max_characters).text


def page(article: str, head: str = "") -> str:
    """A page of a newspaper, with everything around the article."""
    return (
        f"<!doctype html><html lang='en-GB'><head><title>Bridge closed - The Daily</title>{head}</head><body>"
        "<header>Site menu</header><nav><ul><li><a href='/'>Home</a></li><li><a href='/s'>Sport</a></li></ul></nav>"
        f"<article><h1>Bridge closed</h1>{article}</article><aside>Most read today</aside>"
        "<div id='comments'><p>First! A comment of a reader that goes on and on and on.</p></div>"
        "<footer>Copyright 2019 The Daily</footer></body></html>"
    )


def lines_of(text: str) -> bytes:
    """Operators that draw the lines of a text on a page of a PDF."""
    return ("BT /F1 12 Tf 10 280 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in text.split("\n")) + " ET").encode()


def pdf_of(*pages: bytes, title: str | None = None, password: str | None = None, to_unicode: bytes = b"") -> bytes:
    """A PDF with these operators on its pages."""
    writer = PdfWriter()
    name = NameObject
    for operators in pages:
        font = DictionaryObject({name("/Type"): name("/Font"), name("/Subtype"): name("/Type1")})
        font[name("/BaseFont")] = name("/Helvetica")
        if to_unicode:
            table = StreamObject()
            table.set_data(to_unicode)
            font[name("/ToUnicode")] = writer._add_object(table)
        stream = StreamObject()
        stream.set_data(operators)
        fonts = DictionaryObject({name("/F1"): font})
        sheet = writer.add_blank_page(300, 300)
        sheet[name("/Resources")] = DictionaryObject({name("/Font"): fonts})
        sheet[name("/Contents")] = writer._add_object(stream.flate_encode())
    if title is not None:
        writer.add_metadata({"/Title": title})
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def aes_pdf() -> bytes:
    """A PDF whose trailer says that it is encrypted with AES."""
    encrypt = (
        b"/Encrypt << /Filter /Standard /V 4 /R 4 /Length 128 /P -4 /O (" + b"o" * 32 + b") /U (" + b"u" * 32 + b") "
        b"/CF << /StdCF << /CFM /AESV2 /AuthEvent /DocOpen /Length 16 >> >> /StmF /StdCF /StrF /StdCF >>\n/Root"
    )
    return pdf_of(lines_of("Hello.")).replace(b"/Root", encrypt, 1)


def docx_of(*paragraphs: str, title: str = "") -> bytes:
    """A Word document of these paragraphs."""
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.core_properties.title = title
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def with_part(package: bytes, name: str, part: bytes | None, compression: int = ZIP_DEFLATED) -> bytes:
    """The package with a part replaced, or left out."""
    file = BytesIO()
    with ZipFile(BytesIO(package)) as old, ZipFile(file, "w", compression) as new:
        for other in old.namelist():
            if other != name:
                new.writestr(other, old.read(other))
        if part is not None:
            new.writestr(name, part)
    return file.getvalue()


def docx_body(body: str, declaration: str = "") -> bytes:
    """A Word document with this WordprocessingML as its body."""
    xml = (
        f'<?xml version="1.0"?>{declaration}<w:document xmlns:w="{W}" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f"<w:body>{body}</w:body></w:document>"
    )
    return with_part(docx_of(), "word/document.xml", xml.encode())


# --- text ------------------------------------------------------------------------------------------------------------


@given(st.text(), st.sampled_from([PLAIN, MARKDOWN]))
def test_plain_text_and_markdown_are_not_changed(text: str, media_type: str) -> None:
    """Line endings, a BOM, controls and Markdown stay: text goes in as UTF-8 and comes out the same."""
    assert read(text.encode(), media_type, max_characters=LIMIT) == Extracted(text=text)


def test_line_endings_and_a_byte_order_mark_stay() -> None:
    """Windows line endings and a byte order mark are part of the text."""
    assert text_of("\ufeff# One\r\n\r\nTwo\r".encode(), MARKDOWN) == "\ufeff# One\r\n\r\nTwo\r"


def test_text_that_is_not_utf8_is_refused_with_the_offset() -> None:
    """The refusal names the first byte that does not decode and how to convert the file."""
    with pytest.raises(MalformedBody, match=r"byte at offset 3 .* iconv -f"):
        text_of("caf\xe9 noir".encode("latin-1"), PLAIN)


@pytest.mark.parametrize(("before", "after", "media_type"), [("", "", PLAIN), ("<p>", "</p>", HTML)])
def test_text_over_the_limit_is_refused_not_cut(before: str, after: str, media_type: str) -> None:
    """One character over the limit is refused, and the limit is named."""
    content = f"{before}{'x' * 101}{after}".encode()
    with pytest.raises(TooLarge, match="limit is 100"):
        text_of(content, media_type, max_characters=100)
    assert text_of(content, media_type, max_characters=101) == "x" * 101


# --- HTML ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paragraphs", [PARAGRAPHS, PARAGRAPHS[:1], ["Short <b>one</b>, here."], ["One.", "Two."]])
def test_an_article_is_read_whole_without_what_is_around_it(paragraphs: list[str]) -> None:
    """Long or short, the headline and the paragraphs come out; navigation, teasers and comments do not."""
    text = read_html(page("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)), max_characters=LIMIT).text
    plain = [paragraph.replace("<b>", "").replace("</b>", "") for paragraph in paragraphs]
    assert text == "\n\n".join(["Bridge closed", *plain])


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello there.</p>", "Hello there."),
        ("Hello there.", "Hello there."),
        ("<p>One.</p><p>Two <i>and</i> a half.</p>", "One.\n\nTwo and a half."),
        ("<title>T</title><p>One.</p><script>no()</script>", "One."),
        ("<?xml version='1.0' encoding='latin-1'?><html><body><p>Café.</p></body></html>", "Café."),
        ("<p>un<b>closed", "unclosed"),
    ],
)
def test_a_fragment_is_read(html: str, text: str) -> None:
    """A page needs neither <html> nor <body> nor a minimum of words."""
    assert read_html(html, max_characters=LIMIT).text == text


def test_list_items_table_rows_and_quotes_are_paragraphs() -> None:
    """What stands on its own in a page stands on its own in the text; the cells of a row are separated by a tab."""
    blocks = (
        "<ul><li>First item</li><li>Second <b>item</b></li></ul><blockquote><p>A quote.</p></blockquote>"
        "<table><tr><th>Year</th><th>Toll</th></tr><tr><td>2023</td><td>1,600</td></tr></table>"
        "<p>line<br>break</p>"
    )
    text = read_html(page(f"<p>{SENTENCE}</p>{blocks}<p>{PARAGRAPHS[1]}</p>"), max_characters=LIMIT).text
    parts = ["First item", "Second item", "A quote.", "Year\tToll", "2023\t1,600", "line\nbreak"]
    assert text == "\n\n".join(["Bridge closed", SENTENCE, *parts, PARAGRAPHS[1]])


def test_metadata_is_taken_where_it_is_stated() -> None:
    """Title, date and address come from the page's own markup."""
    head = (
        "<meta property='article:published_time' content='2024-03-05T10:00:00Z'>"
        "<link rel='canonical' href='https://example.org/bridge'>"
    )
    extracted = read_html(page(f"<p>{SENTENCE}</p>", head), max_characters=LIMIT)
    assert extracted.title == "Bridge closed"
    assert extracted.published_at == "2024-03-05T10:00:00Z"
    assert extracted.url == "https://example.org/bridge"


def test_nothing_is_made_up_where_nothing_is_stated() -> None:
    """A date, a year or an address in the text is not the article's own."""
    html = f"<p>On 2019-05-03 it burnt. {SENTENCE}</p><p>© 2018 https://example.org/2017/01/02/x</p>"
    extracted = read_html(html, max_characters=LIMIT)
    assert (extracted.title, extracted.published_at, extracted.url) == (None, None, None)


@pytest.mark.parametrize(
    ("markup", "date"),
    [
        ('<script type="application/ld+json">{"datePublished": "2024-03-05T10:00Z"}</script>', "2024-03-05T10:00Z"),
        ("<time itemprop='datePublished' datetime='2024-03-05'>5 March</time>", "2024-03-05"),
        ("<meta name='date' content='2024-03-05, 10 o’clock'>", "2024-03-05"),
        ("<meta name='date' content='March 5'>", None),
        ("<time datetime='2024-03-05'>a day like any other</time>", None),
    ],
)
def test_a_date_is_taken_only_if_it_is_that_of_publication(markup: str, date: str | None) -> None:
    """A date counts if the page calls it the date of publication and it is ISO 8601."""
    assert read_html(f"{markup}<p>{SENTENCE}</p>", max_characters=LIMIT).published_at == date


@pytest.mark.parametrize("html", ["", " \n", "<script>draw()</script>", "<!-- x -->", "<html><head></head></html>"])
def test_a_page_without_text_is_refused(html: str) -> None:
    """Nothing to read is an error that says what to send instead."""
    with pytest.raises(UnreadableFile, match=r"No text was found .* text/plain"):
        read_html(html, max_characters=LIMIT)


@pytest.mark.parametrize("html", ["<div>" * 1_000_000, "<div>" * 300 + f"<p>{SENTENCE}</p>" + "</div>" * 300])
def test_a_page_nested_too_deep_is_refused_not_cut(html: str) -> None:
    """The parser stops at 256 levels and keeps what it has; that is not passed off as the page."""
    with pytest.raises(UnreadableFile, match="nested more than 256 deep"):
        read_html(html, max_characters=LIMIT)


def test_a_page_of_too_many_elements_is_refused() -> None:
    """The extractor's time grows faster than the page, so the page has a limit."""
    with pytest.raises(TooLarge, match="50,000 elements"):
        read_html("<br>" * MAX_HTML_ELEMENTS + "x", max_characters=LIMIT)


@pytest.mark.parametrize(
    ("declared", "codec"), [("ISO-8859-1", "cp1252"), ("windows-1251", "cp1251"), ("Shift_JIS", "cp932")]
)
def test_a_page_is_decoded_as_its_meta_states(declared: str, codec: str) -> None:
    """A page that is not UTF-8 is read in its stated charset, as the Encoding Standard understands the label."""
    text = {"cp1252": "It’s 5 € a café", "cp1251": "Мост закрыт", "cp932": "橋は閉鎖"}[codec]
    content = f"<html><head><meta charset='{declared}'></head><body><p>{text}</p></body></html>".encode(codec)
    assert text_of(content, HTML) == text


def test_utf8_wins_over_a_wrong_meta() -> None:
    """Bytes that are valid UTF-8 are UTF-8, whatever the page says; a byte order mark is not text."""
    assert text_of(b"\xef\xbb\xbf" + "<meta charset=latin1><p>Café</p>".encode(), HTML) == "Café"


@pytest.mark.parametrize("meta", ["", "<meta charset=utf-8>", "<meta charset=zlib>", "<meta charset=windows-1257>"])
def test_a_page_in_no_known_charset_is_refused(meta: str) -> None:
    """Guessing would put wrong letters into quotes."""
    with pytest.raises(MalformedBody, match=r"not UTF-8.*iconv"):
        text_of(f"{meta}<p>".encode() + b"\xa1\xff\xfe</p>", HTML)


def test_html_given_as_text_may_hold_anything() -> None:
    """A JSON body can carry NUL and lone surrogates; they do not come through."""
    assert read_html("<p>a\ud800b\0c</p>", max_characters=LIMIT).text == "abc"


# --- PDF -------------------------------------------------------------------------------------------------------------


def test_the_pages_of_a_pdf_are_joined_by_blank_lines() -> None:
    """Lines stay lines, pages become paragraphs, blank pages leave no trace."""
    extracted = read(pdf_of(lines_of("One.\nTwo."), b"", lines_of("Three."), title="T"), PDF, max_characters=LIMIT)
    assert extracted == Extracted(text="One.\nTwo.\n\nThree.", title="T")


def test_a_pdf_that_needs_no_password_is_read() -> None:
    """Many files are encrypted with the empty password, to forbid printing and the like."""
    assert text_of(pdf_of(lines_of("Hello."), password=""), PDF) == "Hello."


@pytest.mark.parametrize(
    "content",
    [pdf_of(lines_of("Hello."), password="sesame"), aes_pdf()],  # noqa: S106 - no secret
    ids=["RC4", "AES"],
)
def test_a_pdf_with_a_password_is_refused(content: bytes) -> None:
    """The refusal says that it is encrypted."""
    with pytest.raises(UnreadableFile, match=r"encrypted.*without a password"):
        text_of(content, PDF)


def test_a_scanned_pdf_is_refused() -> None:
    """A file without a text layer is told from a broken one."""
    with pytest.raises(UnreadableFile, match=r"no text layer.*OCR"):
        text_of(pdf_of(b"0 0 m 9 9 l S"), PDF)


@pytest.mark.parametrize("tenth", range(10))
def test_a_pdf_cut_short_is_refused(tenth: int) -> None:
    """No part of a file is passed off as the whole."""
    whole = pdf_of(*(lines_of(f"Page {number}.") for number in range(30)))
    with pytest.raises(UnreadableFile, match=r"cut short|not a PDF"):
        text_of(whole[: len(whole) * tenth // 10], PDF)


def test_another_file_sent_as_a_pdf_is_refused() -> None:
    """The refusal says that it is none, and what else can be sent."""
    with pytest.raises(UnreadableFile, match=r"not a PDF.*text/plain"):
        text_of(b"<p>Hello.</p>%%EOF", PDF)


def test_nul_and_lone_surrogates_of_a_pdf_are_left_out() -> None:
    """A font can map letters to what is no text."""
    table = b"1 begincodespacerange <00> <ff> endcodespacerange 2 beginbfchar <61> <0000> <62> <D800> endbfchar"
    assert text_of(pdf_of(lines_of("xaxbx"), to_unicode=table), PDF) == "xxx"


def test_a_pdf_with_many_pages_is_refused() -> None:
    """The limit on pages is named."""
    writer = PdfWriter()
    sheet = writer.add_blank_page(9, 9)
    pages = b" ".join([b"%d 0 R" % sheet.indirect_reference.idnum] * MAX_PDF_PAGES)  # type: ignore[union-attr]
    file = BytesIO()
    writer.write(file)
    start = file.getvalue().index(b"/Kids [") + len(b"/Kids [")
    with pytest.raises(TooLarge, match="5,001 pages; the limit is 5,000"):
        text_of(file.getvalue()[:start] + pages + file.getvalue()[start:], PDF)


def test_a_pdf_stops_at_the_character_limit() -> None:
    """Pages after the one that passes the limit are not read."""
    pages = [lines_of("x" * length) for length in (60, 60, 9_999)]
    with pytest.raises(TooLarge, match="limit is 100 for all documents"):
        text_of(pdf_of(*pages), PDF, max_characters=100)


def test_a_pdf_whose_letters_stand_for_books_is_refused() -> None:
    """One byte can stand for hundreds of characters: the bytes are counted before they are turned into text."""
    table = b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <61> <" + b"0062" * 200 + b"> endbfchar"
    with pytest.raises(TooLarge, match="draws more text than 1,000 characters"):
        text_of(pdf_of(b"BT /F1 12 Tf (" + b"a" * 1_000_000 + b") Tj ET", to_unicode=table), PDF, max_characters=1_000)


def test_a_pdf_that_takes_too_long_is_refused() -> None:
    """The limit on time is named."""
    with pytest.raises(TooLarge, match="longer than 0 seconds"):
        read(pdf_of(lines_of("Hello.")), PDF, max_characters=LIMIT, max_seconds=0)


# --- DOCX ------------------------------------------------------------------------------------------------------------


def test_the_paragraphs_of_a_docx_are_separated_by_blank_lines() -> None:
    """Blank paragraphs leave no trace; the title is the one in the properties."""
    extracted = read(docx_of("One.", "", "Two\nlines.", title="T"), DOCX, max_characters=LIMIT)
    assert extracted == Extracted(text="One.\n\nTwo\nlines.", title="T")


def test_a_docx_without_properties_has_no_title() -> None:
    """A missing title is not made up."""
    package = docx_of("One.", title="T")
    with ZipFile(BytesIO(package)) as parts:
        links = parts.read("_rels/.rels")
    start = links.index(b"<Relationship ", links.index(b"core-properties") - 120)
    bare = links[:start] + links[links.index(b"/>", start) + 2 :]
    assert read(with_part(package, "_rels/.rels", bare), DOCX, max_characters=LIMIT) == Extracted(text="One.")


def test_the_tables_of_a_docx_are_read_row_by_row() -> None:
    """A row is a paragraph in its place, its cells separated by tabs."""
    document = docx.Document()
    document.add_paragraph("Before.")
    table = document.add_table(2, 2)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"cell {number}"
    document.add_paragraph("After.")
    file = BytesIO()
    document.save(file)
    assert text_of(file.getvalue(), DOCX) == "Before.\n\ncell 0\tcell 1\n\ncell 2\tcell 3\n\nAfter."


def run(text: str) -> str:
    """A run of text in WordprocessingML."""
    return f"<w:r><w:t>{text}</w:t></w:r>"


BOX = f"<w:txbxContent><w:p>{run('Boxed.')}</w:p></w:txbxContent>"
WIDE = "<w:tcPr><w:gridSpan w:val='2000000000'/></w:tcPr>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (f"<w:sdt><w:sdtContent><w:p>{run('In a control.')}</w:p></w:sdtContent></w:sdt>", "In a control."),
        (f"<w:p>{run('Kept ')}<w:ins>{run('added')}</w:ins><w:del>{run('gone')}</w:del></w:p>", "Kept added"),
        (f"<w:p><w:moveFrom>{run('old')}</w:moveFrom><w:moveTo>{run('new')}</w:moveTo></w:p>", "new"),
        (f"<w:p><w:hyperlink>{run('a link')}</w:hyperlink><w:r><w:tab/><w:t>x</w:t></w:r></w:p>", "a link\tx"),
        (
            f"<w:p>{run('Outside.')}<w:r><mc:AlternateContent><mc:Choice>{BOX}</mc:Choice>"  # noqa: ISC004 - one text
            f"<mc:Fallback>{BOX}</mc:Fallback></mc:AlternateContent></w:r></w:p>",
            "Outside.\n\nBoxed.",
        ),
        (f"<w:tbl><w:tr><w:tc>{WIDE}<w:p>{run('wide')}</w:p></w:tc></w:tr></w:tbl>", "wide"),
    ],
    ids=["control", "tracked", "moved", "link", "text box", "wide cell"],
)
def test_all_text_of_a_docx_is_read_once(body: str, text: str) -> None:
    """Content controls, accepted changes, links and text boxes are text; deletions and second copies are not."""
    assert text_of(docx_body(body), DOCX) == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "broken"),
        (with_part(docx_of("x"), "[Content_Types].xml", None), "broken"),
        (with_part(docx_of("x"), "word/document.xml", b"<w:document"), "broken"),
        (with_part(docx_of("x"), "extra.xml", b"x" * 999, ZIP_BZIP2), "broken"),
        (docx_of("x")[:-30], "broken"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, r"password.*\.doc"),
        (docx_of(""), "no text"),
    ],
    ids=["empty", "zip", "xml", "bzip2", "cut", "ole", "blank"],
)
def test_a_docx_that_cannot_be_read_is_refused(content: bytes, reason: str) -> None:
    """The refusal says whether it is broken, locked or empty."""
    with pytest.raises(UnreadableFile, match=reason):
        text_of(content, DOCX)


def test_an_entity_bomb_is_refused() -> None:
    """Entities that multiply are never unrolled."""
    levels = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 10))
    bomb = docx_body(f"<w:p>{run('&e9;')}</w:p>", f'<!DOCTYPE w [<!ENTITY e0 "ha">{levels}]>')
    with pytest.raises(UnreadableFile, match=r"document type|broken"):
        text_of(bomb, DOCX)


def test_a_docx_with_entities_of_its_own_is_refused() -> None:
    """Entities are not replaced, so that text would be missing: a document type is refused."""
    with pytest.raises(UnreadableFile, match="declares a document type"):
        text_of(docx_body(f"<w:p>{run('Kept &e;')}</w:p>", '<!DOCTYPE w [<!ENTITY e "lost">]>'), DOCX)


def test_a_zip_bomb_is_refused_by_its_directory() -> None:
    """A file that says it unpacks to more than its text may need is not unpacked."""
    with pytest.raises(TooLarge, match="unpacks to more than"):
        text_of(with_part(docx_of("x"), "word/big.xml", b" " * 5_000_000), DOCX)


def test_a_zip_bomb_that_lies_is_refused() -> None:
    """The size in the directory is what is unpacked at most; the rest does not match its checksum."""
    honest = with_part(docx_of("x"), "word/big.xml", b" " * 5_000_000)
    lying = honest.replace((5_000_000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    assert lying != honest
    with pytest.raises(UnreadableFile, match="broken"):
        text_of(lying, DOCX)


def test_a_docx_of_many_parts_is_refused() -> None:
    """The number of parts has a limit of its own."""
    file = BytesIO()
    with ZipFile(file, "w") as package:
        for number in range(MAX_DOCX_PARTS + 1):
            package.writestr(str(number), b"")
    with pytest.raises(TooLarge, match="10,000 parts"):
        text_of(file.getvalue(), DOCX)


# --- all -------------------------------------------------------------------------------------------------------------


def test_supported_types_are_found_by_ending() -> None:
    """Every type has an ending, in any case; other endings have no type."""
    names = ["a.txt", "a.md", "b/c.MARKDOWN", "a.html", "a.HTM", "a.b.pdf", "a.docx"]
    assert [media_type_of(name) for name in names] == [PLAIN, MARKDOWN, MARKDOWN, HTML, HTML, PDF, DOCX]
    assert [media_type_of(name) for name in ("a.doc", "txt", "", ".pdf", "a.pdf.exe")] == [None] * 5


def test_an_unsupported_type_is_refused_with_the_right_ones() -> None:
    """The refusal lists what is read."""
    with pytest.raises(UnsupportedMedia) as refusal:
        text_of(b"x", "image/png")
    assert all(media_type in refusal.value.detail for media_type in SUPPORTED)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(SUPPORTED),
    st.sampled_from([(b"", b""), (b"%PDF-1.7\n", b"\n%%EOF"), (b"PK\x03\x04", b""), (b"<p>", b"</p>")]),
)
def test_no_bytes_raise_anything_but_our_errors(middle: bytes, media_type: str, frame: tuple[bytes, bytes]) -> None:
    """Whatever comes in, it is read or refused in our own words."""
    result = read_or_refusal(frame[0] + middle + frame[1], media_type)
    assert result.detail.endswith(".") if isinstance(result, PrecisError) else len(result.text) <= LIMIT


@pytest.mark.parametrize(
    ("whole", "media_type"),
    [(pdf_of(lines_of("Hello there."), title="T"), PDF), (docx_of("Hello there."), DOCX)],
    ids=["pdf", "docx"],
)
def test_a_damaged_file_raises_nothing_but_our_errors(whole: bytes, media_type: str) -> None:
    """A file with bytes overwritten anywhere is read or refused in our own words."""
    for start in range(0, len(whole), max(1, len(whole) // 60)):
        result = read_or_refusal(whole[:start] + b"\xff\0<[(" + whole[start + 5 :], media_type)
        assert result.status in {413, 422} if isinstance(result, PrecisError) else result.text


def test_nothing_of_a_document_is_logged_or_quoted(caplog: pytest.LogCaptureFixture) -> None:
    """The libraries are silent at every level, and no refusal quotes the document."""
    html = page("<p>SECRET</p>", "<meta foo='SECRET' content='SECRET'>")
    pdf = pdf_of(lines_of("SECRET"), b"BT (SECRET) Tj SECRET /F9 Tf [(SECRET)] TJ ET").replace(b"xref", b"xxxx")
    files = [
        (html.encode(), HTML),
        (b"\xff" + html.encode(), HTML),
        (pdf, PDF),
        (docx_of("SECRET"), DOCX),
        (docx_body("<w:SECRET></w:p>"), DOCX),
    ]
    with caplog.at_level(logging.DEBUG):
        results = [read_or_refusal(content, media_type) for content, media_type in files]
    assert [result.detail for result in results if isinstance(result, PrecisError) and "SECRET" in result.detail] == []
    libraries = {"pypdf", "trafilatura", "htmldate", "courlan", "justext", "charset_normalizer"}
    assert {record.name.partition(".")[0] for record in caplog.records} & libraries == set()
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(("library", "media_type"), [("pypdf", PDF), ("docx", DOCX)])
def test_a_missing_library_is_named_by_its_extra(library: str, media_type: str) -> None:
    """Without the extra, the refusal says what to install."""
    program = f"""
import sys
sys.modules[{library!r}] = None  # as if it were not installed
from service.adapters.extraction import read
from service.core.errors import UnsupportedMedia
try:
    read(b"%PDF-1.7 %%EOF", {media_type!r}, max_characters=9)
except UnsupportedMedia as refusal:
    print(refusal.detail)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert "pip install 'precis[files]'" in done.stdout


def test_importing_the_reader_loads_no_library() -> None:
    """Those who send text pay neither the time nor the memory."""
    program = (
        "import sys, service.adapters.extraction; print({'lxml', 'trafilatura', 'pypdf', 'docx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.strip() == "set()"


def test_the_test_files_are_what_they_say() -> None:
    """The PDFs made here are read by pypdf itself, so that the refusals above are ours."""
    reader = PdfReader(BytesIO(pdf_of(lines_of("Hello."))))
    assert [sheet.extract_text().strip() for sheet in reader.pages] == ["Hello."]


@pytest.mark.parametrize("media_type", [PLAIN, MARKDOWN])
@pytest.mark.parametrize(
    "content",
    [
        b"https://example.org/article",
        b"\xef\xbb\xbf <https://example.org/a?b=c#d>\r\n",
        b"www.example.org/a",
        b"http://a.example\nhttps://b.example",
    ],
)
def test_a_text_that_is_an_address_is_refused(media_type: str, content: bytes) -> None:
    """Nothing is fetched, and whoever sends an address expects it."""
    with pytest.raises(NothingToRead, match="nothing is fetched: send the text"):
        text_of(content, media_type)


def test_a_text_with_an_address_in_it_is_a_text() -> None:
    """One word beside it is enough."""
    assert text_of(b"See https://example.org/article", PLAIN) == "See https://example.org/article"
    assert not is_address("")
    assert not is_address("https://a.example " * 100 + "and more")


@pytest.mark.parametrize("media_type", [PLAIN, MARKDOWN])
@pytest.mark.parametrize(("content", "right"), [(b"%PDF-1.7\n", PDF), (b"PK\x03\x04\x14\0", DOCX)])
def test_a_file_sent_as_text_is_told_its_type(media_type: str, content: bytes, right: str) -> None:
    """The bytes say what they are; the message says how to send them."""
    with pytest.raises(UnreadableFile) as refused:
        text_of(content, media_type)
    assert media_type in refused.value.detail
    assert f"Content-Type {right};" in refused.value.detail
