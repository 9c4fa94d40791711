"""One comparison of prompt versions, shown in several ways; every door finds them in one table."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from service.core.comparison import Comparison
from service.rendering.comparison import csv, html, json, junit, markdown, terminal

Form = Literal["json", "html", "markdown", "csv", "junit", "terminal"]
Texts = Mapping[str, str]
"""Texts of documents by their SHA-256, as far as they are at hand."""


class Known(NamedTuple):
    """A form, as files and HTTP name it."""

    media_type: str
    endings: tuple[str, ...]
    over_http: bool
    render: Callable[[Comparison, Texts], str]


FORMS: Mapping[Form, Known] = {
    "json": Known("application/json", (".json",), True, lambda comparison, _: json.render(comparison)),
    "html": Known("text/html", (".html", ".htm"), True, html.render),
    "markdown": Known("text/markdown", (".md", ".markdown"), True, lambda comparison, _: markdown.render(comparison)),
    "csv": Known("text/csv", (".csv",), True, lambda comparison, _: csv.render(comparison)),
    "junit": Known("application/xml", (".xml",), True, lambda comparison, _: junit.render(comparison)),
    "terminal": Known("text/plain", (".txt",), False, lambda comparison, _: terminal.text(comparison)),
}
"""The first is what is given where nothing is asked for."""
ENDINGS: Mapping[str, Form] = {ending: form for form, known in FORMS.items() for ending in known.endings}


def render(form: Form, comparison: Comparison, texts: Texts) -> str:
    """The comparison in a form; only the page shows the texts, and says which are missing."""
    return FORMS[form].render(comparison, texts)


def form_of(media_type: str) -> Form:
    """The form that a media type names.

    Raises:
        KeyError: none does.

    >>> form_of("text/html"), form_by_ending(".md"), form_by_ending(".pdf")
    ('html', 'markdown', None)
    """
    return {known.media_type: form for form, known in FORMS.items()}[media_type]


def form_by_ending(ending: str) -> Form | None:
    """The form of a file by the ending of its name, in whatever case; None where there is none.

    >>> form_by_ending(".HTML")
    'html'
    """
    return ENDINGS.get(ending.lower())
