"""English word lists, and what they say about the difference between two wordings.

The lists hold the words that change what a sentence claims, in lower case and with straight apostrophes; an entry with
a space is a phrase. Contractions are not listed: `n't` is a negation, `'ll` and `'d` are modals.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from rapidfuzz.distance import Indel

from service.core.text import stems
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

# Words that say nothing of what a sentence is about; negations among them, as two wordings are compared without.
FUNCTION_WORDS = SENTENCE_OPENERS | _words("""
    i me him them us my mine yours theirs ours himself herself itself themselves not no nor only just very too into onto
    with without about over under between among through again further once both each more most other some such own same
    out up down off for against will would shall should can could may might must s t n't isn't aren't wasn't weren't
    don't doesn't didn't won't wouldn't hasn't haven't hadn't can't couldn't one ones also yet any all am do does done
    get gets got make makes made cannot never neither nobody none nothing
""")

# Words that are frequent in other languages with Latin letters, and are no English ones.
FOREIGN_WORDS = (
    _words("""
    der das und ist nicht ein eine einen mit auf für von dem den im zu sich wird le les des du et est une dans que qui
    pour sur par aux au la el los las del y en con por se una il di che è per gli della nel sono het een van niet op
    voor zijn och att som på är det ett ikke av til og na nie się w do jest o os da do em um uma não para com é
""")
    - FUNCTION_WORDS
)

# Words that say of themselves that something is not so; with NEGATIONS, what a paraphrase puts for a "not".
SILENT_NEGATIONS = _words("""
    undisclosed secret unclear unknown unfinished unresolved missing absent wraps avoid avoids avoided halted cancelled
    canceled stopped ended banned barred delayed withheld blocked rather instead few little rarely seldom dropped ruled
    decline declines declined prevent prevents prevented false wrong impossible gone dead free except yet nil
    zero
""")

_UP_TO_TWENTIETH = """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth
""".split()
ORDINALS = {word: value for value, word in enumerate(_UP_TO_TWENTIETH, 1)} | {"thirtieth": 30, "thirty-first": 31}
ORDINALS |= {f"twenty-{word}": 20 + value for value, word in enumerate(_UP_TO_TWENTIETH[:9], 1)}

# Words that stand for a count: a claim may have the figure.
COUNTED = {
    "one": 1, "once": 1, "single": 1, "sole": 1, "both": 2, "couple": 2, "pair": 2, "duo": 2, "twins": 2, "twice": 2,
    "double": 2, "doubled": 2, "trio": 3, "triple": 3, "thrice": 3, "decade": 10, "dozen": 12, "noon": 12,
    "century": 100,
}  # fmt: skip
SHORT_SCALES = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9, "tn": 10**12}
CURRENCIES = {
    "$": "$", "dollar": "$", "dollars": "$", "usd": "$", "€": "€", "euro": "€", "euros": "€", "eur": "€", "£": "£",
    "pound": "£", "pounds": "£", "gbp": "£", "¥": "¥", "yen": "¥", "yuan": "¥",
}  # fmt: skip

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
_REMEMBERED_CHARACTERS = 2_000
"""Claims and quotes are looked at by one check after another; longer texts would fill the memory."""


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
    return _short_tokens(text) if len(text) <= _REMEMBERED_CHARACTERS else _tokens(text)


def _tokens(text: str) -> tuple[Token, ...]:
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


_short_tokens = lru_cache(maxsize=256)(_tokens)


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


def is_english(text: str) -> bool:
    """Say whether a short text can be English: most of its words have Latin letters, few are other languages' own.

    >>> is_english("Kelly retired."), is_english("Le film est tourné dans l’espace."), is_english("太空电影")
    (True, False, False)
    """
    tokens = tokenise(text)
    # Capitalised, they are parts of names: Los Angeles, El Greco.
    foreign = sum(token.text in FOREIGN_WORDS for token in tokens)
    own = sum(token.word in FUNCTION_WORDS for token in tokens)
    return sum(is_latin(token.word) for token in tokens) * 2 >= len(tokens) and foreign <= own


_EMPTY = frozenset(stems(" ".join(FUNCTION_WORDS | {"fail", "yet"})))


def content(text: str) -> list[str]:
    """Stems of the words of an English text that say what it is about.

    >>> content("It won’t be a part of the franchise.")
    ['part', 'franchis']
    """
    return [stem for stem in stems(text) if stem not in _EMPTY and not stem.endswith("n't")]
