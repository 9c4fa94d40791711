"""The marks around a sentence: of lists, quotations, headings and emphasis, as Markdown and plain texts have them."""

import re

_MARKER = re.compile(r"(?:>\s*|[-*+•]\s+|#{1,6}\s+|\d{1,3}[.)]\s+)*")
_HEADING = re.compile(r"(?:>\s*)*#{1,6}\s[^\n]*")
_HEADING_ABOVE = re.compile(r"\A#{1,6}\s[^\n]*\n\s*(?=\S)")
_QUOTED_LINE = re.compile(r"\n\s*(?:>\s?)+")
_EMPHASIS = re.compile(r"(\*{1,3})(?=\S)([^*\n]+)\1")


def unmarked(text: str) -> str:
    r"""A sentence without the heading and the marks before it; the rest is left as it stands.

    >>> unmarked("- *One*\nline"), unmarked("2. # A list"), unmarked("# Above\nBelow it.")
    ('*One*\nline', 'A list', 'Below it.')
    """
    rest = _HEADING_ABOVE.sub("", text)
    marker = _MARKER.match(rest)
    return rest[marker.end() :] if marker else rest


def plain(text: str) -> str:
    r"""A sentence as one line, without marks.

    >>> plain("> *I See\n> You* is **new**."), plain("3 * 4 * 5")
    ('I See You is new.', '3 * 4 * 5')
    """
    return _EMPHASIS.sub(r"\2", " ".join(_QUOTED_LINE.sub(" ", unmarked(text)).split()))


def is_heading(text: str) -> bool:
    r"""Whether a sentence is a heading and nothing else: marked as one, or in capitals and without an end.

    >>> is_heading("## Plans"), is_heading("# Plans\nIt begins."), is_heading("#plans"), is_heading("THE PLANS")
    (True, False, False, True)
    """
    return _HEADING.fullmatch(text) is not None or (text.isupper() and text[-1] not in '.!?:…”"')
