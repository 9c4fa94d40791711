"""What a claim says as far as its words tell, and whether two claims may be one. The word lists know English."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

from service.core import cues
from service.core.lexicon import NUMBER_WORDS, SENTENCE_OPENERS, Token, is_latin, protected_difference, tokenise
from service.core.types import Attribution, DraftPoint, Stance, Value

WEAKEST_FIRST: tuple[Stance, ...] = ("claimed", "reported", "asserted", "confirmed")
"""Stances that may be joined; of several, the weakest survives."""

_ALONE: frozenset[Stance] = frozenset({"denied", "joke", "opinion"})
_COUNTING = NUMBER_WORDS | {"first", "last", "half"}
_MARKS = "$€£¥%"
_ARTICLES = frozenset({"a", "an", "the"})

_OFFICES = frozenset(
    """
    actor actress adviser ambassador analyst architect assistant astronaut attorney author boss buyer captain chair
    chairman chairwoman chief coach commander consultant contractor cosmonaut councillor customer defendant designer
    developer director doctor editor employee employer engineer executive father founder geologist governor inspector
    investor judge king landlord lawyer leader lender manager mayor minister mother nurse officer owner partner patient
    pilot plaintiff player premier president prince princess producer professor prosecutor queen reporter scientist
    screenwriter secretary seller senator spokesman spokesperson spokeswoman student supplier surgeon suspect teacher
    tenant treasurer victim witness writer brother daughter husband sister son wife ceo cfo coo cto
""".split()
)
_DEEDS = {
    **dict.fromkeys(("direct", "directs", "directed", "directing"), "director"),
    **dict.fromkeys(("produce", "produces", "produced", "producing"), "producer"),
    **dict.fromkeys(("write", "writes", "wrote", "written", "writing"), "writer"),
    **dict.fromkeys(("edit", "edits", "edited", "editing"), "editor"),
    **dict.fromkeys(("design", "designs", "designed", "designing"), "designer"),
    **dict.fromkeys(("founded", "founding", "co-founded"), "founder"),
}
"""What somebody does by whom an office may be meant: "directed by Liman" for "Liman, the director"."""
_QUALIFIERS = frozenset(
    "acting assistant associate chief co deputy ex executive foreign former interim junior prime senior vice".split()
)
_UNITS = frozenset(
    """
    hour minute day week month year decade century millimetre centimetre metre kilometre inch foot yard mile hectare
    acre gram kilogram ton pound ounce litre gallon barrel degree celsius fahrenheit bar volt watt kilowatt megawatt
    gigawatt dollar euro cent crown yen yuan rupee franc rouble
""".split()
)
_SPELLINGS = {
    "advisor": "adviser",
    "meter": "metre",
    "kilometer": "kilometre",
    "centimeter": "centimetre",
    "millimeter": "millimetre",
    "km": "kilometre",
    "kg": "kilogram",
    "feet": "foot",
    "inches": "inch",
    "tonne": "ton",
    "liter": "litre",
    "ruble": "rouble",
    "centuries": "century",
    "secretaries": "secretary",
    "witnesses": "witness",
    "bosses": "boss",
    "wives": "wife",
}


class Claim(Value, frozen=True, kw_only=True):
    """What points have to agree in to be one. Points that differ only in words that do not count have equal ones."""

    standing: Stance
    """The stance; one for all that may be joined."""
    alone: tuple[str, Attribution] | None
    """The words and the speaker, where only the same words by the same speaker are the same claim."""
    sense: tuple[str, str, bool]
    """Whether something is so: as the model says, and as the words say."""
    values: frozenset[tuple[str, int]]
    days: frozenset[str]
    names: frozenset[str]
    roles: frozenset[str]
    who: str | None


def claim(point: DraftPoint) -> Claim:
    """What a point claims, as far as its labels and words tell."""
    tokens = tokenise(point.text)
    return Claim(
        standing="asserted" if point.stance in WEAKEST_FIRST else point.stance,
        alone=(point.text, point.attribution) if point.stance in _ALONE else None,
        sense=(point.polarity, cues.polarity(point.text), cues.stance(point.text) == "denied"),
        values=_values(point.text, tokens),
        days=frozenset(date.iso or date.text.lower() for date in cues.dates(point.text)),
        names=_names(tokens),
        roles=frozenset(_roles(tokens)),
        who=point.attribution.who.casefold() if point.attribution.who else None,
    )


def agree(one: Claim, other: Claim) -> bool:
    """Whether two claims may be one: same numbers, dates, polarity and standing; names, roles and speakers that fit.

    Names fit where one claim's are among the other's, as "Kelly" is in "Scott Kelly"; so do offices and units, but
    "director" and "producer" do not, nor do "director" and "deputy director". Nothing that is denied, a joke or an
    opinion is the same in other words.
    """
    if one.alone is not None or other.alone is not None:
        return one == other
    return (
        one.standing == other.standing
        and one.sense == other.sense
        and one.values == other.values
        and one.days == other.days
        and (one.names <= other.names or other.names <= one.names)
        and (one.roles <= other.roles or other.roles <= one.roles)
        and (one.who is None or other.who is None or one.who == other.who)
    )


def fit(some: Collection[Claim], others: Collection[Claim]) -> bool:
    """Whether each of some claims may be one with each of the others."""
    return all(agree(one, other) for one in some for other in others)


def covers(fuller: str, other: str, *, english: bool) -> bool:
    """Whether a claim says in the same words all that another says, and nothing beside it that turns its sense.

    The other's words stand in it in the same order, and no word that it has more is a number, a name, a negation, a
    hedge or the like. In a language whose word lists are not known, the words have to be the same.

    >>> covers("The old machine was stopped by sand.", "The machine was stopped.", english=True)
    True
    >>> covers("The machine was reportedly stopped.", "The machine was stopped.", english=True)
    False
    >>> covers("The cast is not known.", "The plot is not known.", english=True)
    False
    """
    (a_tokens, a_words), (b_tokens, b_words) = _read(fuller), _read(other)
    if not a_words or not b_words:
        return fuller == other
    if a_words == b_words:
        return True
    left = iter(a_words)
    return english and all(word in left for word in b_words) and protected_difference(a_tokens, b_tokens) is None


@lru_cache(maxsize=64)
def _read(text: str) -> tuple[tuple[Token, ...], tuple[str, ...]]:
    """The tokens of a claim, which is held against several in a row, and its words without articles."""
    tokens = tokenise(text)
    return tokens, tuple(token.word for token in tokens if token.word not in _ARTICLES)


def _values(text: str, tokens: Sequence[Token]) -> frozenset[tuple[str, int]]:
    """Numbers of the claim itself, and how often; what a model lists beside it may be incomplete."""
    found = cues.numbers(text)
    read = {token.word for number in found for token in tokenise(number.text.replace("-", " "))}
    dated = {token.word for date in cues.dates(text) for token in tokenise(date.text)}
    values = [(number.value or number.text) + "".join(m for m in _MARKS if m in number.text) for number in found]
    # Those that are no numbers by themselves: "one", "first", "twice".
    words = [
        word for token in tokens for word in token.word.split("-") if word in _COUNTING and word not in read | dated
    ]
    return frozenset(Counter(values + words).items())


def _names(tokens: Sequence[Token]) -> frozenset[str]:
    """Words that may be names: written with a capital, or in a script that has none."""
    return frozenset(
        token.word.removesuffix("'s")
        for token in tokens
        if (token.text != token.text.lower() and not (token.opens and token.word in SENTENCE_OPENERS))
        or not is_latin(token.text)
    )


def _roles(tokens: Sequence[Token]) -> Iterator[str]:
    """Offices with what qualifies them, and units: words of which one put for another makes another claim."""
    qualified: list[str] = []
    for at, token in enumerate(tokens):
        word = _singular(token.word)
        following = _singular(tokens[at + 1].word) if at + 1 < len(tokens) else ""
        if word in _QUALIFIERS and (following in _OFFICES or following in _QUALIFIERS):
            qualified.append(word)
            continue
        if word in _OFFICES:
            yield " ".join((*qualified, word))
        elif word in _UNITS or word in _DEEDS:
            yield _DEEDS.get(word, word)
        qualified = []


def _singular(word: str) -> str:
    """The form under which a word is listed, where it is."""
    bare = word.removesuffix("'s").removesuffix("'")
    if bare in _SPELLINGS:
        return _SPELLINGS[bare]
    if bare in _OFFICES or bare in _UNITS or bare in _QUALIFIERS or bare in _DEEDS:
        return bare
    single = bare.removesuffix("s")
    return _SPELLINGS.get(single, single if single in _OFFICES or single in _UNITS else bare)
