"""What all readers share: the value they return, the limit on it, and how a library's failure becomes ours."""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from service.core.errors import PrecisError, TooLarge, UnreadableFile, UnsupportedMedia
from service.core.types import Value

PLAIN = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

SUPPORTED: tuple[str, ...] = (PLAIN, MARKDOWN, HTML, PDF, DOCX)
"""The media types that `read` reads."""

UNTEXT = re.compile("[\0\ud800-\udfff]")
SEND_TEXT = "Send the text itself as text/plain."


class Extracted(Value, frozen=True, kw_only=True):
    """The text of a file and what the file states about itself; None where it states nothing usable."""

    text: str
    title: str | None = None
    published_at: str | None = None
    """ISO 8601 date or date and time."""
    url: str | None = None


def within(text: str, max_characters: int) -> str:
    """The text, where it keeps the limit; raises TooLarge."""
    if len(text) > max_characters:
        raise TooLarge(
            f"The text has at least {len(text):,} characters; the limit is {max_characters:,} for all documents of a "
            "request together. Split it and send the parts, or raise PRECIS_MAX_CHARACTERS."
        )
    return text


def joined(blocks: Iterable[str], max_characters: int) -> str:
    """Blocks that are not blank, with a blank line between them; stops at the limit, so that a bomb is not unrolled."""
    kept: list[str] = []
    characters = 0
    for block in blocks:
        text = UNTEXT.sub("", block).strip()
        if text:
            kept.append(text)
            characters += len(text)
            if characters > max_characters:
                break
    return within("\n\n".join(kept), max_characters)


@contextmanager
def refusing(what: str, advice: str) -> Iterator[None]:
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


def silence(*loggers: str) -> None:
    """Keep libraries from logging: what they log may quote the document."""
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def stated(value: object) -> str | None:
    """What a file states of itself, in one line; None where it states nothing."""
    return UNTEXT.sub("", " ".join(value.split())) or None if isinstance(value, str) else None
