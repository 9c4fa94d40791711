"""What the words of a sentence give away: numbers, dates, stance, polarity, speaker. The word lists know English."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Context, Decimal
from operator import itemgetter
from typing import NamedTuple

from service.core.types import Attribution, Date, Kind, Number, Polarity, Stance

# --- numbers ---------------------------------------------------------------------------------------------------------

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SMALL = {word: value for value, word in enumerate(_UNITS)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_NUMBER_WORD = "|".join(sorted([*_SMALL, *_SCALES], key=len, reverse=True))
_DIGITS = re.compile(
    r"(?<![\w.])(?<![A-Za-z]-)(?P<sign>[$€£¥]\s?)?"
    r"(?P<digits>\d{1,3}(?:,\s?\d{3})+(?:\.\s?\d+)?|\d{1,3}\.\s\d+(?=\s[a-z%])|\d+(?:\.\d+)?)"
    r"(?P<tail>\s?%|st\b|nd\b|rd\b|th\b)?"
    r"(?:[\s-](?P<scale>thousand|million|billion|trillion)\b)?(?![\w@])"
)
_EXACT = Context(prec=10_000)
"""A number is no longer than its sentence, so nothing is ever rounded."""
_SPELLED = re.compile(rf"\b(?:{_NUMBER_WORD})(?:[\s-](?:and\s)?(?:{_NUMBER_WORD})){{0,30}}\b", re.IGNORECASE)
_AFTER_DIGITS = re.compile(r"\d[\s-]$")
_LOOK_BACK = 3
"""As many characters as that may take: a digit, a space or hyphen, and a line break, which `$` passes over."""


def numbers(text: str) -> tuple[Number, ...]:
    """Numbers outside dates, in order, each with its value in plain digits.

    A lone "one" or "zero" is left out, being mostly a pronoun or a term ("zero gravity"). Digits that belong to a word
    ("Space11", "A-12") are none.

    >>> [(n.text, n.value) for n in numbers("It cost $1, 600 and took 340 days; five million saw it in May 2020.")]
    [('$1, 600', '1600'), ('340', '340'), ('five million', '5000000')]
    """
    digits, spelled = list(_DIGITS.finditer(text)), list(_SPELLED.finditer(text))
    # Most sentences hold no number, and looking for dates costs more than looking for both.
    dated = [match.span() for match in _DATE.finditer(text)] if digits or spelled else []
    found: list[tuple[int, Number]] = []
    for match in digits:
        if _is_within(match.start(), dated):
            continue
        value = _EXACT.multiply(Decimal(re.sub(r"[,\s]", "", match["digits"])), _SCALES.get(match["scale"] or "", 1))
        found.append((match.start(), Number(text=match[0].strip(), value=_plain(value))))
    for match in spelled:
        at = match.start()
        after_digits = _AFTER_DIGITS.search(text, max(0, at - _LOOK_BACK), at) is not None
        if match[0].lower() not in ("one", "zero") and not after_digits and not _is_within(at, dated):
            found.append((at, Number(text=match[0], value=_spelled(match[0]))))
    return tuple(number for _, number in sorted(found, key=lambda pair: pair[0]))


def _is_within(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a position lies in one of the spans; they stand in order, apart from one another."""
    last = bisect_right(spans, at, key=itemgetter(0)) - 1
    return last >= 0 and at < spans[last][1]


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _spelled(phrase: str) -> str:
    """Value of a spelled-out number in digits.

    >>> _spelled("two hundred and twenty-five thousand")
    '225000'
    """
    total = current = 0
    for word in re.findall(r"[a-z]+", phrase.lower()):
        if word in _SMALL:
            current += _SMALL[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _SCALES:
            total += max(current, 1) * _SCALES[word]
            current = 0
    return str(total + current)


# --- dates -----------------------------------------------------------------------------------------------------------

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?|Sept?(?:ember|\.)?"
    r"|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?!\d)"
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_SPAN_WORD = rf"(?:\d+|a|an|several|few|a\s+few|many|{_NUMBER_WORD})"
_DATE = re.compile(
    rf"""(?P<iso>\b\d{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b)
      | (?P<mdy>\b{_MONTH}\s+{_DAY}(?:st|nd|rd|th)?,?\s+\d{{4}}\b)
      | (?P<dmy>\b{_DAY}(?:st|nd|rd|th)?\s+{_MONTH},?\s+\d{{4}}\b)
      | (?P<my>\b{_MONTH},?\s+\d{{4}}\b)
      | (?P<md>\b{_MONTH}\s+{_DAY}\b)
      | (?P<year>(?<![\w$€£¥.,#-])(?:1[5-9]\d\d|20\d\d)\b(?![%\w]|,\d|\.\d))
      | (?P<weekday>\b(?:last\s+|next\s+|this\s+)?{_WEEKDAY}\b)
      | (?P<relative>\b(?:[Nn]ext|[Ll]ast|[Tt]his)\s+(?:year|month|week|summer|autumn|fall|winter|spring)\b
          | \b(?:[Yy]esterday|[Tt]oday|[Tt]omorrow|[Tt]onight)\b
          | \b(?i:{_SPAN_WORD})\s+(?:years?|months?|weeks?|days?|decades?)\s+(?:ago|back|earlier|later)\b)""",
    re.VERBOSE,
)


def dates(text: str) -> tuple[Date, ...]:
    """Dates in order: `stated` ones with as much of YYYY-MM-DD as the text gives, `relative` ones as they stand.

    >>> [(d.text, d.iso, d.basis) for d in dates("Set in March 2016, two years ago, posted May 5, 2020.")]
    [('March 2016', '2016-03', 'stated'), ('two years ago', None, 'relative'), ('May 5, 2020', '2020-05-05', 'stated')]
    """
    return tuple(_date(match) for match in _DATE.finditer(text))


def _date(match: re.Match[str]) -> Date:
    text = match[0]
    if match.lastgroup in ("weekday", "relative"):
        return Date(text=text, iso=None, basis="relative")
    if match.lastgroup in ("iso", "year"):
        return Date(text=text, iso=text, basis="stated")
    named = re.search(_MONTH, text)
    month = next(n for n, name in enumerate(_MONTHS, 1) if named and named[0].lower().rstrip(".")[:3] == name[:3])
    rest = text.replace(named[0], " ") if named else text
    year = re.search(r"\d{4}", rest)
    day = re.search(r"\b\d{1,2}(?!\d)", rest)
    if year is None:
        return Date(text=text, iso=None, basis="relative")
    iso = f"{year[0]}-{month:02d}" + (f"-{int(day[0]):02d}" if day else "")
    return Date(text=text, iso=iso, basis="stated")


# --- stance, polarity, kind ------------------------------------------------------------------------------------------

_NO_DETERMINER = "".join(
    rf"(?<!\b{word} )" for word in "the a that this these those his her their its any no such each every of on".split()
)
"""Keeps a noun from being taken for a verb: "to comment on that claim"."""
_STANCE_WORDS: tuple[tuple[Stance, str], ...] = (
    ("joke", r"jok(?:e|es|ed|ing|ingly)|quip(?:s|ped)?|tongue[- ]in[- ]cheek|just kidding"),
    (
        "denied",
        r"den(?:y|ies|ied|ying)|refut(?:e|es|ed)|disput(?:e|es|ed)|rejected (?:the )?(?:claim|report|rumou?r)s?",
    ),
    (
        "reported",
        (
            r"reportedly|allegedly|rumou?red|rumou?rs?|according to|insiders?|sources? (?:close|said|say|familiar)"
            r"|is said to|are said to|the report (?:says|said|adds|added)|apparently|unconfirmed"
        ),
    ),
    ("confirmed", r"confirm(?:s|ed)|verified|officially"),
    (
        "claimed",
        (
            rf"claim(?:ed|ing)|{_NO_DETERMINER}claims?|alleg(?:e|es|ed)|argu(?:e|es|ed)|insist(?:s|ed)?"
            r"|hint(?:s|ed)?(?: at| that)?|maintain(?:s|ed) that|suggest(?:s|ed)? that|believ(?:e|es|ed)|emphasi[sz]ed?"
        ),
    ),
    (
        "conditional",
        (
            r"if|unless|could|may|might|possibly|perhaps|potentially|remains? to be seen"
            r"|(?<!question )(?<!questions )(?<!questioned )(?<!questioning )whether"
            r"|(?:appear|seem)(?:s|ed)? to|likely|unlikely"
        ),
    ),
    (
        "planned",
        (
            r"will|won['’]t|shall|set to|about to|going to(?! (?:even|great\w*|new|an?|the|his|her|its|their)\b)"
            r"|aim(?:s|ing|ed)? to|plan(?:s|ned)?|(?<!\bthe )planning|expect(?:s|ed)? to"
            r"|scheduled|intend(?:s|ed)?|upcoming|hop(?:e|es|ed|ing) to|prepar(?:e|es|ing) to|attempt(?:s|ing)? to"
            r"|yet to|teaming up"
        ),
    ),
    (
        "opinion",
        (
            r"arguably|extraordinary|incredible|unbelievable|compelling|amazing|i think|in my (?:view|opinion)|surely"
            r"|should|best|worst|bold|resonant|no wonder"
        ),
    ),
)
_STANCES = tuple((stance, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for stance, words in _STANCE_WORDS)
_WOULD = re.compile(r"\bwould\b", re.IGNORECASE)
_PLANNED_BEFORE = re.compile(
    r"\bhad\s+(?:\w+\s+){0,3}?(?:plans?|planned|intended|(?:hoped|expected)\s+to|been\s+(?:about|set|scheduled)\s+to)\b",
    re.IGNORECASE,
)
"""What was planned once: "had announced plans two years ago" says nothing of what is planned now."""
_WEAK: frozenset[Stance] = frozenset({"reported", "claimed", "conditional", "joke", "opinion"})
_NEGATION = re.compile(
    r"\b(?:not(?! (?:only|just|merely|simply)\b)|no(?!\.| (?:wonder|doubt)\b)|never|neither|nor|none"
    r"|nobody|nothing|cannot|ha(?:s|ve) yet to|fail(?:s|ed)? to)\b"
    r"|(?<!\bor )\b(?:ca|wo|do|does|did|is|are|was|were|have|has|had|would|could|should|must)n['’]t\b"
    r"(?! (?:only|just|merely|simply)\b)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"“[^”]{3,}”|‘[^’]{12,}[.,!?…]’|\"[^\"]{3,}\"|«[^»]{3,}»")
_OPENING = frozenset('“‘"«„')
_CLOSING = frozenset('”’"»“')
_REACTION = re.compile(
    r"\b(?:fans?|critics?|sceptics?|skeptics?|observers?|social media|reacted|reaction|praised|criticis|criticiz"
    r"|question(?:ed)? whether|joked|excitement|debate)\b",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(
    r"\b(?:known for|has long|dates back|history|previous(?:ly)?|years (?:ago|back)|since then|in the past|used to"
    r"|already|formerly|reminiscent|has built|record for)\b",
    re.IGNORECASE,
)
_SOCIAL = re.compile(r"[—–-]\s*(?P<who>[^—–\n]{1,60}?)\s*\((?P<handle>@\w+)\)")


def stance(text: str) -> Stance:
    """How the sentence stands by what it says; what is only quoted does not count.

    >>> stance("The film is reportedly set to be shot next year."), stance("It could reshape cinema.")
    ('reported', 'conditional')
    >>> stance("He confirmed that he will travel."), stance("He was born in Rome.")
    ('confirmed', 'asserted')
    """
    if is_quotation(text):
        return "reported"
    outside = _unquoted(text)
    for name, pattern in _STANCES:
        if pattern.search(_PLANNED_BEFORE.sub(" ", outside) if name == "planned" else outside):
            return name
        if name == "conditional" and _WOULD.search(outside):
            # "said it would" is "will" in reported speech, and hangs on nothing
            return "reported" if _SPEECH.search(outside) else "conditional"
    return "reported" if outside != text else "asserted"


def is_quotation(text: str) -> bool:
    """Whether the whole sentence stands within quotation marks.

    >>> is_quotation("‘It is real.’"), is_quotation("‘It is real,’ he said.")
    (True, False)
    """
    body = text.strip()
    return body[:1] in _OPENING and body[-1:] in _CLOSING and not _SPEECH.search(_QUOTED.sub(" ", body))


def _unquoted(text: str) -> str:
    """The sentence without the words it quotes somebody for; terms in quotation marks stay."""
    outside = _QUOTED.sub(" ", text)
    return outside if _SPEECH.search(outside) else text


def is_weak(value: Stance) -> bool:
    """Whether a stance holds back from asserting.

    >>> is_weak("reported"), is_weak("planned")
    (True, False)
    """
    return value in _WEAK


def polarity(text: str) -> Polarity:
    """Negated where an odd number of negations stands outside what is only quoted; "not only" and "or don’t" are none.

    >>> polarity("It won’t be a part of it."), polarity("It is not only bold."), polarity("It has yet to start.")
    ('negated', 'affirmed', 'negated')
    """
    return "negated" if len(_NEGATION.findall(_unquoted(text))) % 2 else "affirmed"


def kind(text: str) -> Kind:
    """What sort of point the sentence makes.

    >>> kind("Fans praised it."), kind("He plans to fly."), kind("“It is an extraordinary honour,” he said.")
    ('reaction', 'plan', 'quote')
    """
    quoted = max((len(match[0].split()) for match in _QUOTED.finditer(text)), default=0)
    if is_quotation(text) or (quoted >= 4 and _SPEECH.search(_QUOTED.sub(" ", text))):  # noqa: PLR2004 - fewer words are a term, not a statement
        return "quote"
    if _REACTION.search(text):
        return "reaction"
    if stance(text) == "planned":
        return "plan"
    return "background" if _BACKGROUND.search(text) else "fact"


# --- speaker ---------------------------------------------------------------------------------------------------------

_VERB = (
    r"(?:said|says|saying|told|announced|confirmed|revealed|explained|added|adds|wrote|writing|argued|argues|claimed|claims"
    r"|joked|hinted|insisted|emphasi[sz]ed|stated|noted|warned|reported|denied|question(?:ed)?|expressed)"
)
_SPEECH = re.compile(rf"\b{_VERB}\b", re.IGNORECASE)
_NAME = r"[A-Z][\w.’'-]*(?:\s+(?:(?:of|de|van|von|the)\s+)?[A-Z][\w.’'-]*){0,3}"
_AUX = r"(?:\s+(?:has|have|had|also|long|quickly|previously|already|since|each|both|later)){0,3}"
_PATTERNS = (
    re.compile(rf"(?P<who>{_NAME})(?:,[^,.]{{1,80}},)?{_AUX}\s+{_VERB}\b"),
    re.compile(rf",\s+(?P<who>{_NAME}),{_AUX}\s+{_VERB}\b"),
    re.compile(rf"[”’\",]\s+{_VERB}\s+(?P<who>{_NAME})"),
)
_STOP = (
    r"(?:the|an?|this|that|these|those|his|her|their|its|our|my|your|it|he|she|they|we|you|i|who|which|and|but|or|as|if|so"
    r"|when|while|because|after|before|since|is|are|was|were|be|been|has|have|had|do|does|did|will|would|can|could|may|might"
    r"|must|should|not|of|for|from|at|in|on|to|by|with|about|against|over|under|into|close|familiar|cited|compiled"
    r"|conducted|filed|issued|made|obtained|posted|prepared|published|quoted|released|reviewed|seen|sent|shared|written"
    r"|say|saying|said|says|tells?|told|each|both|all|also|now|later|earlier|himself|herself|itself|themselves)\b"
)
"""Words that do not belong to the noun before them, or are none."""
_WORD = rf"(?!{_STOP})(?:(?:[A-Z]\.){{2,}}|[\w’'-]+)"
_NOUN = rf"(?:(?:[Tt]he|[Aa]n?|[Hh]is|[Hh]er|[Tt]heir|[Ii]ts)\s+)?{_WORD}(?:\s+{_WORD}){{0,4}}"
_ITS_OWN = rf"(?:\s+(?:of|for|from|at|(?i:close)\s+to|familiar\s+with)\s+(?:the\s+)?{_WORD}(?:\s+{_WORD}){{0,2}})?"
_ACCORDING = re.compile(
    rf"\b[Aa]ccording\s+to\s+(?:(?:the\s+)?(?P<via>{_NAME})(?![\w.’'-]|\s+(?!{_STOP})\w)|(?P<who>{_NOUN}{_ITS_OWN}))"
)
_PEOPLE = (
    r"(?:[Ss]ources?(?:\s+close\s+to\s+[\w\s]{1,30}?)?|[Ii]nsiders|[Oo]fficials|[Ff]ans?|[Cc]ritics|[Ss]keptics|[Ss]ceptics"
    r"|[Ee]xperts|[Aa]nalysts|[Ww]itnesses|[Rr]eport|[Oo]thers|[Pp]olice|[Pp]rosecutors|[Ll]awyers|[Rr]esidents"
    r"|[Nn]eighbou?rs|[Oo]rgani[sz]ers|[Rr]escuers|[Dd]octors|[Rr]esearchers|[Ss]cientists|[Ee]ngineers|[Aa]uthorities"
    r"|[Ii]nvestigators|[Ss]upporters|[Oo]pponents|[Cc]ampaigners)"
)
_TELLS = (
    r"(?:say|says|said|tells?|told|adds?|added|argues?|argued|wrote|explained|insist(?:s|ed)|joke[sd]|warn(?:s|ed))"
)
_SOMEBODY = rf"(?:[Tt]he|[Aa]n?|[Oo]ne|[Aa]nother|[Hh]is|[Hh]er|[Tt]heir|[Ii]ts)\s+{_WORD}(?:\s+{_WORD}){{0,2}}?"
_ANONYMOUS = re.compile(
    rf"\b(?P<people>(?:[Oo]ne\s+|[Aa]nother\s+|[Tt]he\s+)?{_PEOPLE})(?:,[^,.]{{1,60}},)?{_AUX}\s+(?:say|argue|{_VERB})\b"
    rf"|\b(?P<somebody>{_SOMEBODY}{_ITS_OWN}),?{_AUX}\s+{_TELLS}\b"
    rf"|[”’\",]\s+{_TELLS}\s+(?P<after>(?:[Oo]ne\s+|[Aa]nother\s+)?{_PEOPLE}|{_SOMEBODY}{_ITS_OWN}(?=\s*(?:[,.;:]|$|{_STOP})))"
)
_PART_OF_A_NOUN = re.compile(r"\b(?:of|for|from|at|in|near|with)\s+(?:the\s+)?$")
_NOT_NAMES = frozenset({"The", "He", "She", "They", "It", "We", "I", "You", "Who", "This", "That", "But", "And"})


class _Speaker(NamedTuple):
    who: str
    named: bool


def attribution(text: str) -> Attribution:
    """Who says it: the author where nobody else is named.

    >>> attribution("‘It is an honour,’ Iervolino said.").who
    'Iervolino'
    >>> a = attribution("Kelly has joined, according to Deadline."); (a.who, a.type, a.via)
    (None, 'author', 'Deadline')
    >>> a = attribution("It is late, according to a leaked memo seen by the BBC."); (a.who, a.type)
    ('a leaked memo', 'anonymous')
    """
    if social := _SOCIAL.search(text):
        return Attribution(who=social["handle"], type="social")
    outside = _QUOTED.sub("”", text)
    by = _ACCORDING.search(outside)
    if by and by["who"]:
        return Attribution(who=" ".join(by["who"].split()), type="anonymous")
    via = _name(by["via"]) if by else None
    speaker = _speaker(outside)
    if speaker is None:
        return Attribution(via=via)
    return Attribution(who=speaker.who, type="named" if speaker.named else "anonymous", via=via)


def _speaker(text: str) -> _Speaker | None:
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            who = _name(match["who"]).removeprefix("The ")
            own = who.split()[0] not in _NOT_NAMES and not _PART_OF_A_NOUN.search(text, 0, match.start())
            people = _ANONYMOUS.match(text, match.start())
            if own and not (people and people["people"]):
                return _Speaker(who, named=True)
    anonymous = _ANONYMOUS.search(text)
    if anonymous is None or anonymous.lastgroup is None:
        return None
    return _Speaker(" ".join(anonymous[anonymous.lastgroup].split()), named=False)


def _name(found: str) -> str:
    """A name without a possessive or the full stop of its sentence."""
    name = re.sub(r"['’]s?$", "", found.strip())
    return name if re.search(r"\b(?:[A-Z]|Jr|Sr|Inc|Co|Ltd|Corp)\.$", name) else name.rstrip(".")


def is_social(text: str) -> bool:
    """Whether the text carries the signature of a social post.

    >>> is_social("Wow — $KY (@skyhighshawn) May 5, 2020")
    True
    """
    return _SOCIAL.search(text) is not None


def hedges(text: str) -> bool:
    """Whether the sentence holds back: reports, claims, doubts or conditions.

    >>> hedges("He is rumoured to fly."), hedges("He flew.")
    (True, False)
    """
    return is_weak(stance(text))
