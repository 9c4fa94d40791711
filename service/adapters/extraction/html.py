"""HTML becomes text by trafilatura; what states its title, date and address is read from the page itself."""

import codecs
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from service.adapters.extraction.common import SEND_TEXT, Extracted, joined, refusing, silence, stated
from service.core.errors import MalformedBody, TooLarge, UnreadableFile

MAX_HTML_ELEMENTS = 50_000

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


def decode_html(content: bytes) -> str:
    """The page as text: UTF-8, else the charset that it names; raises MalformedBody."""
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
    with refusing("The HTML page", SEND_TEXT):
        tree = _parse_html(_UNXML.sub("", text))
        title, url = _html_title(tree), _html_url(tree)
        published_at = _html_date(tree)
        main = joined(_html_blocks(tree), max_characters)
    if not main:
        raise _no_html_text()
    return Extracted(text=main, title=title, published_at=published_at, url=url)


def _no_html_text() -> UnreadableFile:
    return UnreadableFile(f"No text was found in the HTML page: it is empty, or a script writes its text. {SEND_TEXT}")


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
            f"than 10 MB. {SEND_TEXT}"
        )
    if sum(1 for _ in tree.iter()) > MAX_HTML_ELEMENTS:
        raise TooLarge(
            f"The HTML page has more than {MAX_HTML_ELEMENTS:,} elements, the limit for one page. "
            f"Send the part that is to be read, or split it. {SEND_TEXT}"
        )
    return tree


def _html_blocks(tree: Any) -> list[str]:
    """Paragraphs of the main text. Changes the tree."""
    # Heavy (200 ms, 30 MB), and not needed by those who send text.
    from trafilatura import bare_extraction  # noqa: PLC0415

    silence("trafilatura", "htmldate", "courlan", "justext", "charset_normalizer")
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
        content = stated(meta.get("content"))
        if content:
            metas.setdefault(name.lower(), content)
    return metas


def _html_title(tree: Any) -> str | None:
    headings = [heading.text_content() for heading in tree.iter("h1")]
    heading = headings[0] if len(headings) == 1 else None
    return stated(_metas(tree).get("og:title")) or stated(heading) or stated(tree.findtext(".//title"))


def _html_url(tree: Any) -> str | None:
    links = [link.get("href") for link in tree.iter("link") if link.get("rel") == "canonical"]
    candidates = (stated(url) for url in (*links, _metas(tree).get("og:url")))
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
