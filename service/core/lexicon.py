"""English word lists, and what they say about the difference between two wordings.

The lists hold the words that change what a sentence claims, in lower case and with straight apostrophes; an entry with
a space is a phrase. Contractions are not listed: `n't` is a negation, `'ll` and `'d` are modals.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

from rapidfuzz.distance import Indel

from service.core.types import Value


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[str]:
    return frozenset(phrase.strip() for phrase in text.split(","))


# Words that turn a statement round; contractions without their apostrophe, as in tweets, among them.
NEGATIONS = _words("""
    not no never without nor neither none nobody nothing nowhere cannot non hardly scarcely barely unable
    deny denies denied denying refuse refuses refused refusing reject rejects rejected rejecting
    fail fails failed failing lack lacks lacked lacking refute refutes refuted dispute disputes disputed
    cant dont wont isnt arent wasnt werent didnt doesnt hasnt havent hadnt couldnt wouldnt shouldnt aint
""")

# Beginnings that turn a word into its opposite: possible, impossible.
NEGATIVE_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "de")

# Words that move a statement from what is to what may, will or ought to be.
MODALS = _words("""
    may might could would should will shall can must ought need needs
""") | _phrases("going to, about to, has to, have to, had to, able to")

# Words and phrases of reporting and uncertainty: the claim is somebody's, or not certain.
HEDGES = _words("""
    reportedly allegedly supposedly purportedly ostensibly apparently seemingly evidently presumably arguably
    possibly perhaps maybe probably likely unlikely potentially conceivably possible probable potential
    rumored rumoured rumor rumour rumors rumours alleged alleges allege purported supposed unconfirmed unverified
    said says say saying told tells claimed claims claim claiming reported reports report reporting
    suggested suggests suggest suggesting expected expects expect anticipated anticipates believed believes believe
    thought thinks think hinted hints hint hinting insisted insists insist argued argues argue arguing
    appears appear appeared seems seem seemed considers considering estimated estimates estimate
    predicted predicts predict speculated speculates speculate speculation assumed assumes assume
    tentative tentatively hopes hoped hope hoping
""") | _phrases("""
    according to, set to, sources say, in talks, in theory, is said to, are said to, is believed to, is thought to,
    it is understood, as far as, remains to be seen, yet to be confirmed
""")

# Words that say how much of something a statement covers, or how near a number is.
QUANTIFIERS = _words("""
    all some most many much few fewer every each any only first last more less least both half several various
    numerous almost nearly about approximately around roughly over under above below exactly just entire entirely
    whole wholly partly partially mostly mainly always often sometimes rarely seldom usually sole solely
""") | _phrases("at least, at most, up to, more than, less than, no more than, as many as, a lot of, a number of")

# Numbers in words, and words that multiply or order.
NUMBER_WORDS = _words("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion
    hundreds thousands millions billions trillions dozen dozens once twice thrice single double triple quadruple
    second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth quarter quarters thirds percent
    hundredth thousandth
""")

# Words that come in pairs of opposites: one put for the other reverses a statement of the same shape.
OPPOSITES = _words("""
    up down rise rises rose risen rising fall falls fell fallen falling increase increases increased increasing
    decrease decreases decreased decreasing grow grows grew growing shrink shrinks shrank shrinking gain gains gained
    lose loses lost losing win wins won winning higher lower high low before after early late earlier later
    accept accepts accepted approve approves approved oppose opposes opposed support supports supported
    guilty innocent alive dead true false right wrong better worse best worst buy buys bought sell sells sold
    begin begins began start starts started end ends ended stop stops stopped join joins joined leave leaves left
    against include includes included including exclude excludes excluded excluding
""")

# Words that may begin a sentence with a capital without being a name.
SENTENCE_OPENERS = _words("""
    a an the this that these those it its he him his she her hers they them their we us our you your my
    and but or so yet in on at by from to of as if than then now here there when while where who whom whose which
    what why how although though because since during until unless whether however also even still meanwhile instead
    is are was were be been being has have had do does did
""")

Protected = Literal[
    "number", "number word", "negation", "modal", "hedge", "quantifier", "opposite", "other script", "name"
]
_CLASSES: tuple[tuple[Protected, frozenset[str]], ...] = (
    ("negation", NEGATIONS),
    ("modal", MODALS),
    ("hedge", HEDGES),
    ("quantifier", QUANTIFIERS),
    ("number word", NUMBER_WORDS),
    ("opposite", OPPOSITES),
)
# Of two classes that hold a word ("first", "unlikely"), the earlier is named: reversed, so that it is written last.
_CLASS_OF: dict[str, Protected] = {entry: name for name, entries in reversed(_CLASSES) for entry in entries}
_CONTRACTIONS: dict[str, Protected] = {"n't": "negation", "'ll": "modal", "'d": "modal"}
_LONGEST_PHRASE_WORDS = max(len(entry.split()) for entry in _CLASS_OF)

UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Ranges, for a character class, of scripts without spaces between words: Thai to Khmer, Chinese, Japanese, Korean."""
_LETTERS = rf"[^\W_{UNSPACED}]"
_TOKEN = re.compile(rf"(?:(?<!\S)-)?[$£€¥₹]?\d+(?:[.,:]\d+)*{_LETTERS}*%?|{_LETTERS}+(?:['’]{_LETTERS}+)*|[{UNSPACED}]")
_SENTENCE_START = re.compile(r"(?:^|[.!?:…\n])[\s\"'“”‘’()\[\]-]*$|[\"“‘(\[]$")
_LOOK_BACK_CHARACTERS = 8


class Token(Value, frozen=True, kw_only=True):
    """A word or number of a text; `start` and `end` count from the start of that text."""

    text: str
    word: str
    """The text without case, with straight apostrophes."""
    start: int
    end: int
    opens: bool
    """Whether a sentence may begin here, so that a capital says nothing."""


def tokenise(text: str) -> tuple[Token, ...]:
    """Give the words and numbers of a text, in order; one character each in scripts without spaces.

    >>> [token.text for token in tokenise("It isn't $1,600 — it's 5%.")]
    ['It', "isn't", '$1,600', "it's", '5%']
    """
    return tuple(
        Token(
            text=match.group(),
            word=match.group().casefold().replace("’", "'"),
            start=match.start(),
            end=match.end(),
            opens=_SENTENCE_START.search(text[max(0, match.start() - _LOOK_BACK_CHARACTERS) : match.start()])
            is not None,
        )
        for match in _TOKEN.finditer(text)
    )


def protected_difference(a_tokens: Sequence[Token], b_tokens: Sequence[Token]) -> Protected | None:
    """Name the class of the first word in which two wordings differ and which may change the claim; else None.

    A word replaced, added or left out on either side counts. Case does not; nor does punctuation, which is no token.

    >>> protected_difference(tokenise("set in 430 days"), tokenise("set in 340 days"))
    'number'
    >>> protected_difference(tokenise("is set to film"), tokenise("is reportedly set to film"))
    'hedge'
    >>> protected_difference(tokenise("aboard a station"), tokenise("aboard the station"))
    """
    different = tuple(_different(a_tokens, b_tokens))
    found = next((name for tokens, at in different if (name := _protection(tokens, at))), None)
    if found is not None:
        return found
    words = {tokens[at].word for tokens, at in different}
    return "negation" if any(prefix + word in words for word in words for prefix in NEGATIVE_PREFIXES) else None


def _different(a_tokens: Sequence[Token], b_tokens: Sequence[Token]) -> Iterator[tuple[Sequence[Token], int]]:
    """Give each token that only one side has, as the side and the position in it."""
    a_words, b_words = ([token.word for token in tokens] for tokens in (a_tokens, b_tokens))
    for operation in Indel.opcodes(a_words, b_words):
        if operation.tag != "equal":
            yield from ((a_tokens, at) for at in range(operation.src_start, operation.src_end))
            yield from ((b_tokens, at) for at in range(operation.dest_start, operation.dest_end))


def _protection(tokens: Sequence[Token], at: int) -> Protected | None:
    """Name the class of a token that may change a claim."""
    token = tokens[at]
    if any(map(str.isnumeric, token.text)):
        return "number"
    for length in range(1, _LONGEST_PHRASE_WORDS + 1):
        for start in range(max(0, at - length + 1), at + 1):
            if name := _CLASS_OF.get(" ".join(each.word for each in tokens[start : start + length])):
                return name
    if ending := next((ending for ending in _CONTRACTIONS if token.word.endswith(ending)), None):
        return _CONTRACTIONS[ending]
    if not is_latin(token.text):
        return "other script"
    # At the start of a sentence only words that are never names are excused: "Cruise" for "Musk" is no typography.
    if token.text != token.text.lower() and not (token.opens and token.word in SENTENCE_OPENERS):
        return "name"
    return None


def is_latin(text: str) -> bool:
    """Say whether all letters are Latin ones, as the lists know no others."""
    return text.isascii() or all("LATIN" in unicodedata.name(char, "") for char in text if char.isalpha())
