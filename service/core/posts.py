"""Where a text holds posts of social media: what stands in one is somebody's, and often in jest."""

import re
from collections.abc import Sequence
from itertools import groupby

from service.core import cues
from service.core.types import Sentence

_DIALOGUE = re.compile(r"^[A-Z][\w. ]{0,24}:\s+\S")


def post_paragraphs(text: str, sentences: Sequence[Sentence]) -> set[int]:
    """Paragraphs of social posts among the sentences: those that end in a signature, and dialogue lines before them."""
    text_of = {
        paragraph: " ".join(text[sentence.start : sentence.end] for sentence in inside)
        for paragraph, inside in groupby(sentences, key=lambda sentence: sentence.paragraph)
    }
    found: set[int] = set()
    for paragraph, body in text_of.items():
        if cues.is_social(body):
            found.add(paragraph)
            before = paragraph - 1
            while before in text_of and _DIALOGUE.match(text_of[before].strip()):
                found.add(before)
                before -= 1
    return found
