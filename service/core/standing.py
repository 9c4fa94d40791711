"""How far two claims stand behind what they say, and who says it. Words are read in English alone."""

import re

from service.core import cues
from service.core.lexicon import FUNCTION_WORDS, content, tokenise
from service.core.reading import ONE_CLAIM, Reading, overlap
from service.core.types import Attribution, Stance

Standing = str
"""A stance; one for those that assert, and one for those that pass on."""
_FIRM, _TOLD = "asserted", "reported"
_STANDINGS: dict[Stance, Standing] = {"confirmed": _FIRM, "claimed": _TOLD}
_UNSURE = frozenset({"conditional", "opinion", "joke"})
_NOBODY = frozenset({(), ("author",), ("article",), ("text",), ("narrator",)})

_CLAUSE = re.compile(
    r"[,;:—–()…]|\b(?i:and|but|which|who|because|since|although|though|while|when|as)\b|[.!?]+(?:\s|$)"
)
_GIVEN = re.compile(r"\b(?:since|because|as|who|which)\b([^,;:.]*)")
"""What a claim takes for granted: "is busy because he has a son"."""
_HEDGED = re.compile(
    r"\b(?:reportedly|allegedly|supposedly|purportedly|apparently|rumou?red|unconfirmed|said to)\b", re.IGNORECASE
)
_TELLS = re.compile(
    r"\b(?:sa(?:y|ys|id|ying)|tells?|told|according to|view(?:s|ed)?|opinion|accounts?|add(?:s|ed)|argue[sd]?|writes?"
    r"|wrote|announce[sd]?|reveal(?:s|ed)?|disclose[sd]?|confirm(?:s|ed)?|claim(?:s|ed)?|deni(?:es|ed)|joke[sd]?|stress(?:es|ed)?"
    r"|emphasi[sz]e[sd]?|express(?:es|ed)?|voice[sd]?|question(?:s|ed)?|think(?:s)?|thought|believe[sd]?|describe[sd]?"
    r"|call(?:s|ed)?|note[sd]?|warn(?:s|ed)?|insist(?:s|ed)?|state[sd]?|report(?:s|ed)?|hint(?:s|ed)?|imagine[sd]?"
    r"|find(?:s)?|found|regard(?:s|ed)?|conclude[sd]?|promise[sd]?|explain(?:s|ed)?|quoted|cited|prais(?:es|ed))\b",
    re.IGNORECASE,
)


def _standing(stance: Stance) -> Standing:
    return _STANDINGS.get(stance, stance)


def is_as_sure(a: Reading, b: Reading) -> bool:
    """Whether neither of two claims is a guess, an opinion or a joke where the other is none."""
    ours, theirs = (_standing(one.point.stance) for one in (a, b))
    return ours == theirs or not {ours, theirs} & _UNSURE


def stances(a: Reading, b: Reading) -> tuple[str, str] | None:
    """How far two claims stand behind what they say, where that differs, and their words do not say otherwise.

    What is given beside the words often differs where the words do not ("has confirmed that he will"): it counts
    where the words of neither claim hold the other's stance.
    """
    ours, theirs = _standing(a.point.stance), _standing(b.point.stance)
    if not (a.english and b.english):
        return (a.point.stance, b.point.stance) if ours != theirs else None
    said = _worded(a, b), _worded(b, a)
    if ours != theirs:
        differ = ours not in said[1] and theirs not in said[0]
        return (a.point.stance, b.point.stance) if differ else None
    hedged = [_hedged(one.said) for one in (a, b)]
    if ours == _FIRM and bool(hedged[0]) != bool(hedged[1]):
        return hedged[0] or a.point.stance, hedged[1] or b.point.stance
    return None


def _hedged(text: str) -> Stance | None:
    """The stance of a claim's words that hold back what it says, whatever is given beside them."""
    if _HEDGED.search(text):
        return "reported"
    return "conditional" if cues.stance(text) == "conditional" and not _CLAUSE.search(text.rstrip(" .!")) else None


def _worded(one: Reading, other: Reading) -> frozenset[Standing]:
    """The stances that the words of a claim have, clause by clause; that it asserts only what is given as a reason."""
    text = one.said
    said = {cues.stance(clause) for clause in (text, *_CLAUSE.split(text)) if clause.strip()}
    found = {_standing(stance) for stance in said if stance != _FIRM}
    if _has_it_said(one, other):
        found.add(_TOLD)
    shares = (len(other.about & set(content(reason))) for reason in _GIVEN.findall(text))
    if any(share and share >= ONE_CLAIM * len(other.about) for share in shares):
        found.add(_FIRM)
    return frozenset(found)


def is_denied(a: Reading, b: Reading) -> bool:
    """Whether one claim affirms what the other says that somebody denies."""
    denied = [one.point.stance == "denied" and cues.stance(one.said) == "denied" for one in (a, b)]
    firm = [_standing(one.point.stance) == _FIRM and _who(one.point.attribution) in _NOBODY for one in (a, b)]
    either = (denied[0] and firm[1]) or (denied[1] and firm[0])
    return either and cues.polarity(a.said) == cues.polarity(b.said) and overlap(a, b) >= ONE_CLAIM


# --- speaker ---------------------------------------------------------------------------------------------------------


def _who(attribution: Attribution) -> tuple[str, ...]:
    words = (token.word.removesuffix("'s") for token in tokenise(attribution.who or ""))
    return tuple(word for word in words if word not in FUNCTION_WORDS)


def speakers(a: Reading, b: Reading) -> tuple[str, str] | None:
    """Who says it, where that differs: given less fully, or in the words of a claim alone, it is the same speaker."""
    ours, theirs = _who(a.point.attribution), _who(b.point.attribution)
    nobody = ours in _NOBODY, theirs in _NOBODY
    if all(nobody) or ours == theirs:
        return None
    if a.english and b.english and _is_one_speaker(a, b, ours, theirs, nobody):
        return None
    shown = ["" if none else one.point.attribution.who or "" for none, one in zip(nobody, (a, b), strict=True)]
    return shown[0], shown[1]


def _is_one_speaker(
    a: Reading, b: Reading, ours: tuple[str, ...], theirs: tuple[str, ...], nobody: tuple[bool, bool]
) -> bool:
    if any(nobody):
        return _has_it_said(a, b) if nobody[0] else _has_it_said(b, a)
    if set(ours) <= set(theirs) or set(theirs) <= set(ours):
        return True
    if bool(a.speakers) == bool(b.speakers):
        return any(
            not one.entities.isdisjoint(other.entities)
            or set(one.words) <= set(other.words)
            or set(other.words) <= set(one.words)
            for one in a.speakers
            for other in b.speakers
        )
    described, named = (b, a) if a.speakers else (a, b)
    return described.point.attribution.type == named.point.attribution.type or _names_speaker(named, described)


def _has_it_said(one: Reading, other: Reading) -> bool:
    """Whether the words of a claim have the other's speaker say it, or do what that one does in the other, too.

    Who does something may be given as who says so: "the board resolved".
    """
    if _who(other.point.attribution) in _NOBODY or not _names_speaker(one, other):
        return False
    return _TELLS.search(one.text) is not None or _TELLS.search(other.text) is None


def _names_speaker(one: Reading, other: Reading) -> bool:
    """Whether the words of a claim name the other's speaker: by one name of it, or where it has none, by every word."""
    if other.speakers:
        return any(name.words[-1:] and name.words[-1] in one.words for name in other.speakers)
    return set(_who(other.point.attribution)) <= one.words
