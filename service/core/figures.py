"""What a text counts and links to, held against its quotes: numbers by value, URLs by host and path.

Number words are only known for English; in other languages digits are compared.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from service.core import cues
from service.core.grounding import Index, Searchable
from service.core.lexicon import COUNTED, CURRENCIES, FUNCTION_WORDS, ORDINALS, SHORT_SCALES, is_english, tokenise
from service.core.shadow import fold, occurrences, shadow
from service.core.types import Check, Evidence


def unsupported(text: str, support: Sequence[str], index: Index) -> Check | None:
    """The first number of a text that none of its quotes holds, or URL that no source holds.

    Numbers compare by value, however they are written. To count what the evidence only lists ("two actors") is to give
    a number that it does not hold; "one", "the two" and "both" take up what is named. Years and dates are left out.
    """
    read = [source.source.language in (None, "en") for source in index.documents.values()]
    quotes = [_URL.sub(" ", quote) for quote in support]
    english = is_english(text) and (all(read) or is_english(" ".join(quotes)))
    missing = (_missing_number if english else _missing_digits)(_URL.sub(" ", text), quotes, index)
    if missing is None:
        return foreign_url(text, index)
    detail = f"The number “{missing}” stands in no quote of the evidence with that value."
    return Check(code="number_mismatch", severity="blocking", detail=detail)


# --- numbers ---------------------------------------------------------------------------------------------------------

_GLUED = re.compile(r"(?<=\d)(?=(?:k[gm]?|cm|m[nmi]?|bn?|tn|g|ft|mph|kph|[ap]m|hrs?|mins?)\b)")
_GLUED_SCALE = re.compile(r"(?<=[$€£¥])(\s?\d[\d.,]*)([KMB]n?)\b")
_CLOCK = re.compile(r"\b(\d{1,2})\.(\d\d)(?=\s?[ap]\.?m\b)")
_SHORT = re.compile(r"\s?(k|mn?|bn?|tn)\b", re.IGNORECASE)
_PART = re.compile(
    r"(?:[\s-](half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|eighths?|tenths?)\b|/([1-9]\d?)\b(?!/))"
)
_BOTTOMS = {"hal": 2, "thi": 3, "qua": 4, "fou": 4, "fif": 5, "six": 6, "eig": 8, "ten": 10}
_CURRENCY = re.compile(
    r"\s?([$€£¥])|[\s-](?:U\.?S\.? )?(dollars?|euros?|pounds?|usd|eur|gbp|yen|yuan)\b", re.IGNORECASE
)
_CODE = re.compile(r"\b(?:USD|EUR|GBP)(?=\s?$)")
_HALF_A = re.compile(r"\bhalf an? (hundred|thousand|million|billion)\b", re.IGNORECASE)
_HALVES = {"hundred": "50", "thousand": "500", "million": "500 thousand", "billion": "500 million"}
_TAKEN_UP = re.compile(r"\b(?:the|these|those|between)\s+$", re.IGNORECASE)
_NAMED = re.compile(r"(?<![\w@#/.&-])[A-Z][A-Za-z]*-?\d+\w*")
_NAME_BEFORE = re.compile(r"([A-Z][\w’'-]*\.?) $")
_CUT_BEFORE = re.compile(r"(?:[$€£¥]\s?|\b(?:[a-z]+ty-|(?:hundred|thousand|million)\s(?:and\s)?))+$", re.IGNORECASE)
_CUT_AFTER = re.compile(r"[\s-](?:hundred|thousand|million|billion|trillion)\b")
_DIGITS = re.compile(r"\d+(?:[.,'’٬٫]\d+|\s\d{3}(?!\d))*")
_DIGITS_OF_DATES = re.compile(r"(?<!\d)[1-9]\d*")
_PARTS = {"half": {"1/2", "50"}, "quarter": {"1/4", "25"}, "thirds": {"1/3"}}
_ORDINAL = re.compile(rf"\b(?:{'|'.join(sorted(ORDINALS, key=len, reverse=True))})\b", re.IGNORECASE)
_COMPOUND = re.compile(rf"\b(?:{'|'.join(word for word in ORDINALS if '-' in word)})\b", re.IGNORECASE)
_SOURCE = re.compile(
    r"(?:\s+(?:article|report|document|text|source|account|story|piece|version))?"
    r"\s+(?:says|said|calls|called|names|named|reports|reported|adds|added|describes|described|puts|put|tells|told)\b"
)
_YEARS = range(1500, 2100)
_YEAR_DIGITS = 4
_OFTEN_SPELLED = frozenset(map(str, range(1, 32)))
_LONGEST_SCALED = 40
_REMEMBERED_CHARACTERS = 2_000


class Figure(NamedTuple):
    """A number of a text."""

    text: str
    values: frozenset[str]
    """All that it may stand for: "5m" are metres or millions."""
    currency: str | None
    before: str
    """The characters before it, as far as they may belong to it."""


def figures(text: str) -> Iterator[Figure]:
    """The numbers of an English text, in order.

    >>> [(figure.text, sorted(figure.values), figure.currency) for figure in figures("It cost $5m.")]
    [('$5', ['5', '5000000'], '$')]
    """
    text = _CLOCK.sub(r"\1:\2", _GLUED.sub(" ", _GLUED_SCALE.sub(r"\1 \2", text)))
    text = _COMPOUND.sub(lambda match: f"{ORDINALS[_plain_letters(match[0])]}th", text)
    text = _HALF_A.sub(lambda match: _HALVES[_plain_letters(match[1])], text)
    end = 0
    for number in cues.numbers(text):
        start = text.find(number.text, end)
        end = max(start, 0) + len(number.text)
        part, scale = _PART.match(text, end), _SHORT.match(text, end)
        plain_value = number.value or "0"
        values = {plain_value}
        if (part or scale) and len(plain_value) <= _LONGEST_SCALED:
            value = Fraction(plain_value)
            if part:
                share = value / (_BOTTOMS[part[1][:3].lower()] if part[1] else int(part[2]))
                values = {str(share), str(share * 100)}
            elif scale:
                values.add(str(value * SHORT_SCALES[scale[1].lower()]))
        after = part or scale
        unit = _CURRENCY.match(text, after.end() if after else end)
        code = _CODE.search(text[max(0, start - 5) : start])
        signs = (number.text[0], unit and (unit[1] or unit[2]), code and code[0])
        currency = next((CURRENCIES[sign.lower()] for sign in signs if sign and sign.lower() in CURRENCIES), None)
        yield Figure(number.text, frozenset(values), currency, text[max(0, start - 30) : start])


def _plain_letters(word: str) -> str:
    """A word without case, in the letters that patterns without case take the long s and the dotless i for.

    >>> _plain_letters("Twenty-fırſt")
    'twenty-first'
    """
    return word.lower().replace("ſ", "s").replace("ı", "i")


def _missing_number(text: str, quotes: Sequence[str], index: Index) -> str | None:
    """The first number of an English text that is not in the quotes, nor part of a name in a source."""
    wanted, ordinals = list(figures(text)), list(_ordinals(text))
    of_quotes = [_held(quote) for quote in quotes] if wanted or ordinals else []
    held = [figure for one in of_quotes for figure in one.figures]
    values = set().union(*(one.values for one in of_quotes))
    for figure in wanted:
        currencies = {other.currency for other in held if other.values & figure.values}
        contradicted = figure.currency and currencies and not currencies & {figure.currency, None}
        pronoun = figure.text.lower() == "two" and _TAKEN_UP.search(figure.before)
        if (contradicted or not figure.values & values) and not pronoun and figure.values != {"0"}:
            name = _NAME_BEFORE.search(figure.before)
            if contradicted or not (
                name and name[1].lower() not in FUNCTION_WORDS and _named(f"{name[0]}{figure.text}", quotes, index)
            ):
                return figure.text
    for word, own in ordinals:
        # "First" is not a number but a claim, and "second" has other meanings.
        if not own & (values | {"1", "2"}):
            return word
    # a letter with an accent of its own character is one letter of the name
    names = (match[0] for match in _NAMED.finditer(unicodedata.normalize("NFC", text)))
    return next((name for name in names if not _named(name, quotes, index)), None)


class _Held(NamedTuple):
    """What numbers a quote holds."""

    figures: tuple[Figure, ...]
    values: frozenset[str]
    """Of these, and of dates, words that count, parts and ordinals."""


def _held(quote: str) -> _Held:
    return _held_by_short(quote) if len(quote) <= _REMEMBERED_CHARACTERS else _held_by(quote)


def _held_by(quote: str) -> _Held:
    found = tuple(figures(quote))
    values = {value for figure in found for value in figure.values}
    values.update(_DIGITS_OF_DATES.findall(" ".join(date.text for date in cues.dates(quote))))
    for token in tokenise(quote):
        word = token.word.removesuffix("'s")
        number = COUNTED.get(word.removesuffix("s")) or COUNTED.get(word)
        values.update({str(number)} if number else _PARTS.get(word, ()))
    values.update(value for _, own in _ordinals(quote) for value in own)
    return _Held(found, frozenset(values))


_held_by_short = lru_cache(maxsize=4_096)(_held_by)
"""The sentences of an abstract rest on the same quotes, one after another."""


def _ordinals(text: str) -> Iterator[tuple[str, set[str]]]:
    """Ordinals in words, each with what it may stand for: a third is a part, too.

    Those that count the sources themselves ("a third article says") are none of theirs.
    """
    for match in _ORDINAL.finditer(text):
        if _SOURCE.match(text, match.end()):
            continue
        value = ORDINALS[_plain_letters(match[0])]
        yield match[0], {str(value), f"1/{value}"}


def _named(name: str, quotes: Sequence[str], index: Index) -> bool:
    """Whether a name with a figure in it stands in the quotes or in a source, joined as it may be."""
    letters, *digits = re.split(r"[\s-]?(?=\d)", fold(name), maxsplit=1)
    # a number in words has one form: "Fantastic Four"
    forms = [f"{letters}{joint}{digits[0]}" for joint in ("", "-", " ")] if digits else [letters]
    texts = chain(
        (fold(shadow(quote).text) for quote in quotes), (one.shadow.folded for one in index.documents.values())
    )
    return any(next(occurrences(text, form, 0, len(text)), None) is not None for text in texts for form in forms)


def _missing_digits(text: str, quotes: Sequence[str], _: Index) -> str | None:
    """The first figure, in any language, whose digits are not in the quotes; years are left out.

    What may be a word in the quotes ("fünf") is only missed where they hold another figure that the text leaves out.
    """
    wanted = {digits: match for quote in [text] for digits, match in _digits(quote)}
    held = {digits for quote in quotes for digits, _ in _digits(quote)}
    held |= {value for quote in quotes for figure in figures(quote) for value in figure.values}
    changed = any(digits not in wanted for quote in quotes for digits, _ in _digits(quote))
    return next(
        (found for digits, found in wanted.items() if digits not in held and (changed or digits not in _OFTEN_SPELLED)),
        None,
    )


def _digits(text: str) -> Iterator[tuple[str, str]]:
    """Figures with their digits alone, leading zeros left out, each with its own words; years are none."""
    for match in _DIGITS.finditer(text):
        plain_year = match[0].isdigit() and len(match[0]) == _YEAR_DIGITS and int(match[0]) in _YEARS
        digits = "".join(str(unicodedata.digit(char)) for char in match[0] if char.isdigit()).lstrip("0") or "0"
        if not plain_year:
            yield digits, match[0]


def uncut(place: Evidence) -> str:
    """A quote with the numbers at its ends whole: "£5" may have been cut from "£5 million"."""
    before = _CUT_BEFORE.search(place.prefix) if place.quote[:1].isalnum() else None
    after = _CUT_AFTER.match(place.suffix)
    return (before[0] if before else "") + place.quote + (after[0] if after else "")


# --- URLs ------------------------------------------------------------------------------------------------------------

_ENDINGS = "com|org|net|io|co|gov|edu|mil|info|biz|eu|uk|de|fr|es|nl|pl|ru|cn|jp|kr|br|au|ca|ch|se|tv|ai|app|dev"
_URL = re.compile(
    rf"(?:https?://|(?<!\w)www\.)[^\s<>\"“”«»]+"
    rf"|(?<![\w@.+-])(?:[\w.+-]{{1,64}}@)?(?:[a-z0-9][\w-]*\.)+(?:{_ENDINGS})\b(?![\w-]|\.\w)(?:[/?#][^\s<>\"“”«»]*)?",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?:https?://)?(?:www\.)?", re.IGNORECASE)
_TRAILING = ".,;:!?…'’”\"»]}>*_"


def foreign_url(text: str, index: Index) -> Check | None:
    """The first URL, host or address of a text that no source holds."""
    for match in _URL.finditer(text):
        url = _trimmed(match[0])
        if not any(_holds(source, url) for source in index.documents.values()):
            return Check(code="url_not_in_source", severity="blocking", detail=f"“{url}” stands in no source.")
    return None


def _trimmed(url: str) -> str:
    """A URL without the punctuation of its sentence."""
    short = url.rstrip(_TRAILING)
    while short.endswith(")") and short.count(")") > short.count("("):
        short = short[:-1].rstrip(_TRAILING)
    return short


def _holds(source: Searchable, url: str) -> bool:
    """Whether a URL stands in a document or is its own; the case of the host is free, that of the path is not."""
    wanted = _SCHEME.sub("", shadow(url).text, count=1).rstrip("/")
    path = re.search(r"[/?#]", wanted)
    host = path.start() if path else len(wanted)
    folded = fold(wanted)
    document = source.source.document
    if any(folded in fold(shadow(own).text) for own in (document.url, document.title) if own):
        return True
    made = source.shadow
    for at in occurrences(made.folded, folded, 0, len(made.folded)):
        end = at + len(folded)
        before, after = made.text[max(0, at - 4) : at], made.text[end : end + 2]
        free = not re.search(r"[\w.-]$", before) or before.lower() == "www."
        whole = not re.match(r"[\w=&%-]|\.\w" if path is None else r"[\w=&%#?-]|[./]\w", after)
        if free and whole and made.text[at + host : end] == wanted[host:]:
            return True
    return False
