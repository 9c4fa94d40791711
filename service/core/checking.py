"""A point held against its own evidence: what it says beyond it, and what it leaves out.

What words mean is only known for English; in other languages figures and URLs are compared, and nothing else.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from service.core import cues
from service.core.figures import figures, foreign_url, uncut, unsupported
from service.core.grounding import Index, Searchable
from service.core.lexicon import (
    HEDGES,
    ORDINALS,
    content,
    is_english,
    tokenise,
)
from service.core.markup import plain
from service.core.names import find_names
from service.core.negation import own_polarity, turned
from service.core.posts import post_paragraphs
from service.core.shadow import fold
from service.core.superlatives import unmatched_superlative
from service.core.text import stems
from service.core.types import Check, CheckCode, Document, DraftPoint, Evidence, Sentence, Source

Forms = Mapping[str, frozenset[str]]
"""Each form of a name in the sources, with all forms of the same entity."""


def blocking(point: DraftPoint, evidence: Sequence[Evidence], index: Index) -> tuple[Check, ...]:
    """What keeps a point from being shown: a number or a URL that its evidence, or any source, does not hold.

    The claim is held to both, who is said to say it to URLs.
    """
    copied = any(point.text in (place.quote, plain(place.quote)) for place in evidence)
    found = None if copied else unsupported(point.text, [uncut(place) for place in evidence], index)
    speakers = " ".join(name for name in (point.attribution.who, point.attribution.via) if name)
    found = found or foreign_url(speakers, index)
    return (found,) if found else ()


_OF_WORDS: frozenset[CheckCode] = frozenset({"negation", "superlative", "name"})
"""A sentence over several points has no stance of its own, and says little of each."""


def warnings(point: DraftPoint, evidence: Sequence[Evidence], index: Index, forms: Forms) -> tuple[Check, ...]:
    """What a reader should know of a point that is shown; at most one warning of each code."""
    places = [_place(one, index) for one in evidence]
    found: list[tuple[CheckCode, str | None]] = []
    if places and is_english(point.text) and all(place.source.language in (None, "en") for place in places):
        found = [
            ("hedge_dropped", _dropped_hedge(point, places)),
            ("negation", _negation(point, places)),
            ("superlative", _superlative(point.text, places)),
            ("date", _date(point, places)),
            ("name", _name(point.text, places, forms)),
            ("speaker", _speaker(point, places, forms)),
            ("social", _social(point, places)),
            ("support", _support(point.text, places)),
        ]
    if any(one.match == "fuzzy" for one in evidence):
        found.append(("fuzzy", "A quote was matched only nearly; the source words it a little differently."))
    return tuple(Check(code=code, severity="warning", detail=detail) for code, detail in found if detail)


def of_sentence(text: str, evidence: Sequence[Evidence], index: Index, forms: Forms) -> tuple[Check, ...]:
    """What a reader should know of a sentence that rests on several points: checks of its words, not of its fields."""
    found = warnings(DraftPoint(text=text, quotes=()), evidence, index, forms)
    return tuple(check for check in found if check.code in _OF_WORDS)


# --- what is cited, and where it stands ------------------------------------------------------------------------------

_LONGEST_PARAGRAPH = 12
"""Sentences either side of a quote that are looked at."""
_SENTENCES_BEFORE = 2


class _Place(NamedTuple):
    """A quote, and the sentences that it stands in, by their positions in the source."""

    quote: str
    start: int
    searchable: Searchable
    first: int
    last: int

    @property
    def source(self) -> Source:
        return self.searchable.source

    def around(self, reach: int = 0) -> str:
        """The sentences of the quote, with so many before and after."""
        near = self.source.sentences[max(0, self.first - reach) : self.last + 1 + reach]
        return self.source.text[near[0].start : near[-1].end] if near else self.quote

    def paragraph(self) -> Sequence[Sentence]:
        """The sentences of its paragraph, and two before the quote."""
        every = self.source.sentences
        low, high = max(0, self.first - _LONGEST_PARAGRAPH), self.last + 1 + _LONGEST_PARAGRAPH
        own = {sentence.paragraph for sentence in every[self.first : self.last + 1]}
        before = range(self.first - _SENTENCES_BEFORE, self.first)
        return [one for at, one in enumerate(every[low:high], low) if one.paragraph in own or at in before]


def _place(one: Evidence, index: Index) -> _Place:
    found = index.documents[one.document]
    first, last = (
        max(0, bisect_right(found.source.sentences, at, key=lambda sentence: sentence.start) - 1)
        for at in (one.start, one.end - 1)
    )
    return _Place(one.quote, one.start, found, first, last)


def _text(places: Iterable[_Place], reach: int = 0) -> str:
    return "\n".join(dict.fromkeys(place.around(reach) for place in places))


# --- hedges, negations, superlatives ---------------------------------------------------------------------------------

_WIDE_HEDGE = re.compile(
    r"\b(?:reportedly|allegedly|supposedly|purportedly|apparently|rumou?red|unconfirmed|according to"
    r"|(?:sources?|insiders)\b[^.;]{0,40}?\b(?:say|says|said|claim(?:ed)?)"
    r"|(?:is|are|was|were) (?:said|believed|thought|alleged) to)\b",
    re.IGNORECASE,
)
"""Holds for a whole sentence, wherever in it."""
_HEDGE_BEFORE = re.compile(
    r"\b(?:may|might|could|would|possibly|perhaps|likely|probably|arguably|(?:appear|seem)(?:s|ed)? to"
    r"|(?:claim|argue|hint|suggest|insist|believe)(?:s|d|ed)?(?: (?:that|at))?)\s+(?:\w+\s+)?$",
    re.IGNORECASE,
)
_NO_HEDGE = re.compile(
    r"\b(?:(?:who|which|that|where)\s+(?:\w+\s+)?(?:could|would)|could(?:n['’]t| not| no longer)|whether or not"
    r"|(?:as|even|only|know|see|ask\w*|wonder\w*)\s+if)\b|\bMay\s+\d|\b(?:[Ii]n|[Ss]ince|[Bb]y|[Uu]ntil|of|on|from"
    r"|early|late|mid|last|next|\d{1,2}(?:st|nd|rd|th)?)[ -]May\b"
)
_OPINION = re.compile(r"\b(?:arguably|surely|i think|in (?:my|our|his|her|their) (?:view|opinion))\b", re.IGNORECASE)
_HELD_BACK = ("reported", "claimed", "conditional", "joke")
_QUOTATION = re.compile(r"“[^“”]*”|\"[^\"]*\"|‘[^‘’]{12,}’|«[^«»]*»")
_CLAUSES = re.compile(r";\s|\s?[—–]\s?|,?\s(?=(?:while|whereas|although|though|but|yet)\b)")
_HEDGES = (HEDGES | {"may", "might", "could", "would"}) - set("expect expects expected hope hopes hoped".split())


def _dropped_hedge(point: DraftPoint, places: Sequence[_Place]) -> str | None:
    """Holds where every clause that carries a claim given as fact holds back, by a word in it or over its sentence."""
    flat = point.stance in ("asserted", "confirmed") and not cues.is_weak(cues.stance(_NO_HEDGE.sub(" ", point.text)))
    if not flat or any(token.word in _HEDGES for token in tokenise(point.text)):
        return None
    carrying = _carrying(point.text, [(clause, place) for place in places for clause in _CLAUSES.split(place.quote)])
    if carrying and all(_holds_back(clause, place) for clause, place in carrying):
        return f"Given as {point.stance}, while its evidence only reports, claims or supposes it."
    return None


def _holds_back(clause: str, place: _Place) -> bool:
    before = place.source.text[max(0, place.start - 60) : place.start] if place.quote.startswith(clause) else ""
    return (
        cues.stance(_NO_HEDGE.sub(" ", clause)) in _HELD_BACK
        or _OPINION.search(clause) is not None
        or _WIDE_HEDGE.search(_QUOTATION.sub(" ", place.around())) is not None
        or _HEDGE_BEFORE.search(_NO_HEDGE.sub(" ", before)) is not None
    )


def _carrying(claim: str, clauses: Sequence[tuple[str, _Place]]) -> list[tuple[str, _Place]]:
    """The clauses with at least half as many words of a claim as the nearest one has."""
    wanted = set(content(claim))
    shared = [len(wanted.intersection(content(clause))) for clause, _ in clauses]
    least = max(1, max(shared, default=0) / 2)
    return [clause for clause, common in zip(clauses, shared, strict=True) if common >= least]


def _negation(point: DraftPoint, places: Sequence[_Place]) -> str | None:
    if turned(point.text, [place.quote for place in places]):
        return "One of claim and evidence says “not” of what the other says without it."
    said = own_polarity(point.text)
    differs = said not in (None, point.polarity)
    return f"Given as {point.polarity}; the words of the claim say otherwise." if differs else None


def _superlative(claim: str, places: Sequence[_Place]) -> str | None:
    found = unmatched_superlative(claim, _text(places))
    return f"The claim says “{found}”; nothing in its evidence does." if found else None


# --- dates -----------------------------------------------------------------------------------------------------------

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MONTH = rf"\b(?:{'|'.join(_MONTHS)})(?:uary|ruary|ch|il|e|y|ust|t|t?ember|ober)?\b\.?"
_NAMED_MONTH = re.compile(_MONTH)
_DAY = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})|({_MONTH})\s+(\d{{1,2}})(?!\d)")
_IN_MONTH = re.compile(
    rf"\b(?:[Ii]n|[Ss]ince|[Bb]y|[Uu]ntil|[Ee]arly|[Ll]ate|[Mm]id|last|next)[\s-]+({_MONTH})|({_MONTH}),? \d{{4}}"
)
_YEAR = re.compile(r"(?<![\d$€£¥.,#])(?:1[5-9]|20)\d\d(?!\d|[,.]\d|\s?%)")
_SPELLED_DAY = re.compile(rf"\b([A-Za-z-]+)\s+(?:of\s+)?({_MONTH})")
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})[./-](\d{1,2})(?!\d)")


def _date(point: DraftPoint, places: Sequence[_Place]) -> str | None:
    """The first year, month or day that a claim states and its evidence does not hold, nor the point as inferred."""
    cited = _text(places)
    held = set(_date_parts(cited)) | {(month[0][:3],) for month in _NAMED_MONTH.finditer(cited)}
    held |= {(value,) for figure in figures(cited) for value in figure.values}
    held |= {(match[2][:3], str(ORDINALS.get(match[1].lower(), ""))) for match in _SPELLED_DAY.finditer(cited)}
    for pair in _NUMERIC.findall(cited):
        held |= {part for month, day in (pair, pair[::-1]) for part in _parts_of(month, day)}
    inferred = [date for date in point.dates if date.basis in ("inferred", "relative")]
    for date in inferred:
        held |= {
            *_date_parts(date.text),
            ((date.iso or "")[:4],),
            *_parts_of((date.iso or "")[5:7], (date.iso or "")[8:10]),
        }
    stated = {((date.iso or "")[:4],): date.text for date in point.dates if date.basis == "stated" and date.iso}
    missing = next((words for part, words in (_date_parts(point.text) | stated).items() if part not in held), None)
    return f"The date “{missing}” does not stand like that in the evidence." if missing else None


def _date_parts(text: str) -> dict[tuple[str, ...], str]:
    """Years, months and days that a text states: ("2016",), ("Mar",) or ("Mar", "5"), with its words for each."""
    found: dict[tuple[str, ...], str] = {(match[0],): match[0] for match in _YEAR.finditer(text)}
    found |= {((match[1] or match[2])[:3],): match[0] for match in _IN_MONTH.finditer(text)}
    return found | {
        ((match[2] or match[3])[:3], (match[1] or match[4]).lstrip("0")): match[0] for match in _DAY.finditer(text)
    }


def _parts_of(month: str, day: str) -> set[tuple[str, ...]]:
    name = _MONTHS[int(month) - 1] if month.isdecimal() and 1 <= int(month) <= len(_MONTHS) else ""
    return {(name,), (name, day.lstrip("0"))}


# --- names and speakers ----------------------------------------------------------------------------------------------

_TAIL = re.compile(r"(?:-[a-z]+)+$")
"""Of a word made with a name: "Cruise-linked"."""
_DEMONYM = re.compile(r"(?:ians?|ans?|ese|ish|ia|[yas])$")
_FEWEST_LETTERS = 4


def _name(claim: str, places: Sequence[_Place], forms: Forms) -> str | None:
    """The first name of a claim that neither its evidence nor what stands around it holds, in any of its forms."""
    named = _names(claim, places, forms)
    near: set[str] = set()
    for reach in (_text(places), *("\n".join(_read(place)) for place in places)) if named else ():
        near |= _name_words(reach) | _initials(reach)
        named = [name for name in named if not any(_stands(form, near) for form in {name, *forms.get(name, ())})]
        if not named:
            return None
    return f"The name “{named[0]}” stands neither in the evidence nor near it." if named else None


def _names(claim: str, places: Sequence[_Place], forms: Forms) -> list[str]:
    """Names in a claim; a word that opens it is one where the sources have it as a name.

    "The Inquiry" is none where the document has the word: it may be what calls itself "we".
    """
    whole = Sentence(number=1, start=0, end=len(claim), paragraph=1)
    source = Source(document=Document(id="", text=claim), language="en", sentences=(whole,))
    opening = re.match(r"[A-Z][\w-]+", claim)
    first = [opening[0]] if opening and opening[0] in forms else []
    own = [
        _TAIL.sub("", name.form)
        for name in find_names(source)
        if not (name.article and any(fold(name.form) in place.searchable.words for place in places))
    ]
    return list(dict.fromkeys([*first, *own]))


def _read(place: _Place) -> Iterator[str]:
    yield place.source.document.title or ""
    yield from (place.source.text[sentence.start : sentence.end] for sentence in place.paragraph())


def _name_words(text: str) -> set[str]:
    """Words as names compare: without case, possessive and full stops, and without the endings that make "Russian"."""
    words = {token.word.removesuffix("'s") for token in tokenise(text.replace(".", ""))}
    return words | {short for word in words if len(short := _DEMONYM.sub("", word)) >= _FEWEST_LETTERS}


def _initials(text: str) -> set[str]:
    """What names of several words in a text may be shortened to."""
    return {"".join(word[0] for word in run.split()).lower() for run in re.findall(r"\b[A-Z]\w+(?: [A-Z]\w+)+", text)}


def _stands(name: str, near: set[str]) -> bool:
    """Whether every word of a name, or its initials, are among the words."""
    parts = [_name_words(part) for part in re.split(r"[\s-]+", name)]
    return all(part & near for part in parts if part) or not near.isdisjoint(_initials(name))


def _speaker(point: DraftPoint, places: Sequence[_Place], forms: Forms) -> str | None:
    """Whether no word of the one who is said to speak, or of another form of the name, stands within one sentence."""
    who = point.attribution.who
    if not who or point.attribution.type == "author":
        return None
    around = _text(places, reach=1)
    names = {who, *forms.get(who, ()), *chain.from_iterable(forms.get(word, ()) for word in who.split())}
    wanted = {stem for name in names for stem in content(name)} or set(stems(who))
    anonymous = point.attribution.type == "anonymous" and cues.attribution(around).type == "anonymous"
    if anonymous or not wanted.isdisjoint(stems(around)):
        return None
    return f"“{who}” is given as the speaker, and is not named within one sentence of the evidence."


# --- posts, and words in common --------------------------------------------------------------------------------------

_AFTER_A_POST = 40
"""Sentences that a dialogue may go on for, until it is signed."""
_FEWEST_WORDS = 4
_SUPPORTED_SHARE = 0.25
"""Of a claim's words, by weight. Measured on the points of recorded replies: of 140 with their own evidence none has
less than 0.28; with that of another point of the same summary 455 of 470 have less than 0.25."""


def _social(point: DraftPoint, places: Sequence[_Place]) -> str | None:
    """Holds where all that carries a claim stands in posts, and the point does not say so."""
    if point.attribution.type == "social" or point.stance in ("joke", "opinion", "reported"):
        return None
    carrying = _carrying(point.text, [(place.quote, place) for place in places])
    inside = bool(carrying) and all(_in_a_post(place) for _, place in carrying)
    return "The evidence stands in a social media post, which the point does not say." if inside else None


def _in_a_post(place: _Place) -> bool:
    every = place.source.sentences
    low = max(0, place.first - _LONGEST_PARAGRAPH)
    near = [one for one in every[low : place.last + _AFTER_A_POST] if not one.masked]
    return bool(every) and every[place.first].paragraph in post_paragraphs(place.source.text, near)


def _support(claim: str, places: Sequence[_Place]) -> str | None:
    """Holds where few of a claim's words stand in the sentences that are cited; rare words count more.

    Names, figures and dates are left to their own checks.
    """
    held = set(content(_text(places)))
    common = {token.word for token in tokenise(claim) if token.text.islower() and token.text.isalpha()}
    weights = {stem: _weight(word, places) for word in sorted(common) for stem in content(word)}
    share = sum(weights[stem] for stem in weights if stem in held) / max(1, sum(weights.values()))
    few = len(weights) >= _FEWEST_WORDS and share < _SUPPORTED_SHARE
    return f"Few words of the claim stand in its evidence ({share:.0%} by weight)." if few else None


def _weight(word: str, places: Sequence[_Place]) -> float:
    """Inverse document frequency of a word over the sentences of the documents that are cited (Spärck Jones, 1972)."""
    cited = {id(place.searchable): place.searchable for place in places}.values()
    sentences = sum(len(one.source.sentences) for one in cited)
    return math.log((1 + sentences) / (1 + min(sentences, sum(len(one.words.get(word, ())) for one in cited)))) + 1
