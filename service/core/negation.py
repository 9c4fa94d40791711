"""What negations leave of a claim, and whether a passage says the opposite. The word lists know English."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from service.core import cues
from service.core.lexicon import NEGATIONS, SILENT_NEGATIONS, content, tokenise
from service.core.text import stems
from service.core.types import Polarity


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARTLY = re.compile(r"\bnot (?=(?:all|every\w*|always|entirely|necessarily)\b)", re.IGNORECASE)
_LEAST_SHARED, _LEAST_SHARE = 2, 0.6  # of a clause's words, for other passages to speak of the same
_MOST_WORDS = 1_500
_IS = r"(?:remain(?:s|ed|ing)?|stay(?:s|ed)?|kept|held|is|are|was|were|be|been)"
_HIDDEN = (
    r"(?:(?:tightly|closely)[ -])?(?:under wraps|guarded|(?:a )?secret|un(?:known|clear|disclosed)|not (?:yet )?known)"
)
_BALKED = r"(?:fail(?:s|ed)?|refus(?:es?|ed)|declin(?:es?|ed)|unable)"
# Put in plain words before clauses are read: what is no negation, what is one, and what says "not disclosed".
_PLAINLY = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), plain)
    for words, plain in (
        (r"not (?:only|just|merely|simply|least)|no (?:wonder|doubt)|why not", " "),
        *((r"a few", "some"), (r"whether or not|rather than|instead of", " unless "), (r"left out", "not included")),
        (rf"remain(?:s|ed)? to be seen|{_IS} (?:still |being |largely )?{_HIDDEN}", " not disclosed "),
        (rf"(?:not )?yet to|still to|no longer|far from|{_BALKED} to", " not "),
        (r"un(?=(?:likely|willing|aware|true|sure|safe|clear|certain|confirmed)\b)", " not "),
    )
)
_DENYING = _listed("deny denies denied denying refute refutes refuted dispute disputes disputed")
_TURNING = {word for word in NEGATIONS if not re.match("without|non$|unable|refus|reject|fail", word)}
# In a claim they may say what its source says with a negation: "too thin to form a plug".
_BARRING = _listed("before until unless doubt doubts doubted too hard difficult await awaits awaited")
_BREAK = re.compile(r"[,;:—–()…\n]|[.!?](?:\s|$)")
_BREAKING = _listed("and but nor which who whom whose when while where because since although though if") | _listed(
    "after before until unless"
)
_ALL = _listed("all every everyone everybody everything always entirely entire whole necessarily")
_LIGHT = frozenset(stems("current still even yet been being expected believed thought ever longer first"))
# Stems of what is so, and of what is the opposite: "fell" is "not rose".
_OPPOSED = tuple(
    tuple(stems(words) for words in pair.split("/"))
    for pair in """
    confirmed admitted acknowledged/denied denies refuted disputed, accepted approved approve/rejected,
    rose rise risen increase grew grow/fell fall fallen decrease shrank, disclosed revealed announced known/undisclosed,
    won win/lost lose, bought buy/sold sell, opened/closed shut, allowed permitted/banned forbade forbid prohibited,
    included/excluded, succeeded/failed, supported/opposed, higher/lower, began begin start/end stop, guilty/innocent
    """.split(",")
)
_SIDES = {stem: (pair[0][0], side == 0) for pair in _OPPOSED for side, of in enumerate(pair) for stem in of}


class _Word(NamedTuple):
    """As negations leave it; the first after one is turned, as is an opposite."""

    stem: str
    holds: bool
    turned: bool
    negated: bool
    clause: int
    sentence: int


class _Passage(NamedTuple):
    """Soft: clauses negated by a word's meaning; loose: sentences with a negation that is about none of their words."""

    words: list[_Word]
    soft: set[int]
    barred: set[int]
    loose: set[int]
    part: bool
    whole: bool


def turned(claim: str, passages: Sequence[str]) -> bool:
    """Say whether a claim and passages on the same have a word that only one of them says "not" of.

    >>> turned("It will be part of the series.", ["while it won’t be a part of the series"])
    True
    >>> [turned(f"Details were {so}.", ["Details remain under wraps."]) for so in ("not disclosed", "disclosed")]
    [False, True]
    """
    ours, theirs = _passage(claim), _passage("\n".join(passages))
    if -1 in ours.loose | theirs.loose or (ours.part != theirs.part and not (ours.whole and theirs.whole)):
        return False
    every = {word.stem for word in theirs.words}
    silent = not (theirs.soft or theirs.loose or any(word.negated for word in theirs.words))
    for word in ours.words:
        about = {one.stem for one in ours.words if one.clause == word.clause}
        if len(about) < _LEAST_SHARED:
            about = {one.stem for one in ours.words if one.sentence == word.sentence}
        same = [other for other in theirs.words if other.stem == word.stem]
        if len(about & every) < _LEAST_SHARE * len(about):
            continue
        if word.negated and not same and silent and len(about & every) > _LEAST_SHARED:
            return True
        agreed = any(other.holds == word.holds for other in same)
        agreed |= any(one.stem == word.stem and one.holds != word.holds for one in ours.words)
        if not agreed and any(_opposed(word, other, about, ours, theirs) for other in same):
            return True
    return False


def _opposed(word: _Word, other: _Word, about: set[str], ours: _Passage, theirs: _Passage) -> bool:
    """Whether the same word is denied on one side only, in a passage on the same, and in no other way on the other."""
    near = {one.stem for one in theirs.words if one.sentence == other.sentence}
    unsure = word.turned and (other.clause in theirs.soft or other.sentence in theirs.loose)
    unsure |= other.turned and (word.clause in ours.soft | ours.barred or word.sentence in ours.loose)
    denied = {one.stem for one in ours.words if one.clause == word.clause and not one.holds}
    both = any(one.stem in denied and not one.holds for one in theirs.words if one.clause == other.clause)
    return (word.turned or other.turned) and len(about & near) >= _LEAST_SHARED and not (unsure or both)


def _passage(text: str) -> _Passage:
    """The words of a text as its negations, each up to the end of its clause, leave them."""
    for pattern, plain in _PLAINLY:
        text = pattern.sub(plain, text)
    tokens = tokenise(text)[:_MOST_WORDS]
    every = any(token.word in _ALL for token in tokens)
    found = _Passage([], set(), set(), set(), _PARTLY.search(text) is not None, every)
    clause = sentence = end = 0
    odd, pending, once, before = False, False, False, ""
    for token in tokens:
        between, end = text[end : token.start], token.end
        that = token.word == "that" and before not in _DENYING
        if _BREAK.search(between) or token.word in _BREAKING or that:
            found.loose.update([sentence] if pending else [])
            clause, sentence = clause + 1, sentence + bool(re.search(r"[.!?;\n]", between))
            odd = pending = once = False
        pending = pending and not (token.word == "that" and before in _DENYING)
        if before in _DENYING and token.word in ("it", "this", "them"):
            found.loose.add(-1)  # what is denied stands elsewhere
        for stem in content(token.word) if not token.word.endswith("ly") else ():
            if stem not in _LIGHT:
                name, so = _SIDES.get(stem, (stem, True))
                holds = (odd == once) == so
                first = not holds and (pending or not so)
                found.words.append(_Word(name, holds, first, first and pending and odd, clause, sentence))
                pending = once = False
        if token.word in _TURNING or token.word.endswith("n't"):
            odd, pending = not odd, True
        once |= token.word == "without"
        found.soft.update([clause] * (once or token.word in SILENT_NEGATIONS))
        found.barred.update([clause] * (token.word in _BARRING))
        before = token.word
    found.loose.update([sentence] if pending else [])
    return found


_CLAUSE = re.compile(
    r"[,;:—–()…]\s*|[.!?]+(?:\s|$)|\b(?i:and|but|or|that|which|who|whom|whose|when|while|where|because|since|although"
    r"|though|after|before|until|unless|if|whether)\b"
)


def own_polarity(claim: str) -> Polarity | None:
    """The polarity of a claim of one clause, where its words are clear.

    >>> own_polarity("It won’t be a part of it."), own_polarity("He denied it.")
    ('negated', None)
    """
    said = [part for part in _CLAUSE.split(claim) if content(part) or cues.polarity(part) == "negated"]
    if len(said) != 1 or _PARTLY.search(said[0]):
        return None
    words = [token.word for token in tokenise(said[0])]
    silent = any(word in NEGATIONS | SILENT_NEGATIONS or word.endswith("n't") for word in words)
    sense = cues.polarity(said[0])
    return None if silent and sense == "affirmed" else sense
