"""Where names stand in a text, and what each is the name of. The rules know English."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from service.core.markup import is_heading, unmarked
from service.core.types import EntityType, Source

_TOKEN = re.compile(r"[^\W\d_][\w.’'&-]*|\d+|[^\w\s]")
_WORK = re.compile(r"\*(?P<title>[A-Z][^*\n]{1,80})\*")
_TITLED = re.compile(r"[“\"](?P<title>(?:[A-Z][\w’-]*:?)(?:\s(?:[A-Z][\w’-]*:?|of|the|and|in|a|to)){0,6})[”\"]")
_OFFICES = frozenset({"CEO", "CFO", "COO", "CTO"})
_TITLES = frozenset(
    """
    Councillor Cllr Mayor Leader Minister President Professor Prof Judge Sir Dame Lord Lady Dr Coach Detective Captain
    Capt Sergeant Sgt Inspector Superintendent Constable Commissioner Colonel Lieutenant Senator Sen Governor Gov
    Congressman Congresswoman Representative Ambassador Secretary Chancellor Chairman Chairwoman Engineer Reverend Rev
    Pope Bishop Archbishop Cardinal Rabbi Imam Commander Admiral Premier Sheriff
    """.split()
)
_BEFORE_TITLES = frozenset(
    """
    Prime Vice Deputy Chief Foreign Finance Home Health Interior Defence Defense Education Justice Acting Former
    Assistant Associate Senior Junior Lead First Detective
    """.split()
)
_NO_NAMES = (
    _OFFICES
    | _TITLES
    | frozenset(
        """
    Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec D.C USD EUR GBP JPY CNY CHF AUD CAD NZD INR RUB BRL SEK NOK DKK PLN
    KRW MXN ZAR HKD SGD TRY
    """.split()
    )
)
"""By themselves: "Jan Smith" is one, "Jan. 5" is not."""
_ACRONYM = re.compile(
    r"(?<![\w’-])(?P<full>(?:[A-Z][\w’-]*\s+(?:(?:of|for|and|the)\s+)*){1,6}[A-Z][\w’-]*)\s+\((?P<short>[A-Z]{2,8})\)"
)
_BEFORE_FIRST = frozenset(["", *"“‘\"'(:—"])
_CONNECTORS = frozenset({"of", "de", "van", "von", "der", "al", "bin"})
_POSSESSIVE = re.compile(r"(?<=\w)['’]s?$")
_NEVER = frozenset(
    """
    The A An This That These Those It Its He She They We You I His Her Their Our My Your Who What When Where Why How If
    In On At By For From To Of With Without As But And Or Nor So Yet While Whether Although Though Because Since After
    Before Until During Despite Unlike Like Among Between Under Over Into Then There Here Now Today Yesterday Tomorrow
    However Meanwhile Instead Still Even Just Only Also Not No Yes Every Each All Some Many Most Few Several Another
    Other Others One Two Three Four Five Six Seven Eight Nine Ten First Second Third Last Next More Less Both Either
    Neither Such According Perhaps Maybe Whatever Let Please See Read
    Later Earlier Soon Recently Eventually Finally Afterwards Inside Outside Within Throughout Against Around Across
    Behind Beyond Near Above Below Together Once Twice Asked Said
    January February March April May June July August September October November December
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mr Mrs Ms Dr Mr. Mrs. Ms. Dr. Uh Ok
    """.split()
)
_PARTICIPLE = re.compile(r"(?:ed|ing|ly)$")
_DEMONYM = re.compile(r"(?:ian|ean|ese|ish|can)$")
_ORGANISATION = re.compile(
    r"\b(?:Inc|Corp|Corporation|Company|Co|Ltd|LLC|Group|Venture|Studios?|Pictures|University|College|Institute|Agency|Council"
    r"|Committee|Commission|Ministry|Department|Bank|Party|Union|Court|Police|Association|Foundation|Times|Post|News"
    r"|Press|Origin|Gazette|Herald|Trust|Authority|Office)\b\.?"
)
_OTHER = re.compile(r"\b(?:Licen[cs]e|Act|Treaty|Agreement|Prize|Award|Awards)\b")
_PLACE = re.compile(
    r"\b(?:Station|Beach|Harbour|Harbor|Mount|Lake|River|Street|Island|Emirates|States|Kingdom|Earth|Mars|Moon|ISS|Port|Bay|Cape|Bridge|Road"
    r"|Avenue|Square|Airport|County|Province|Republic|Peninsula|Ocean)\b"
)
_CALLED = re.compile(
    r"\b(?:astronaut|director|producer|filmmaker|actor|actress|reporter|president|minister|senator|writer|author|singer"
    r"|star|cosmonaut|entrepreneur|son|daughter|wife|husband|mayor|councillor|engineer|professor|coach|lawyer|judge"
    rf"|{'|'.join(sorted(_TITLES))})\.?\s+$"
)
_KIN = re.compile(
    r"\b(?:widow|widower|wife|husband|son|daughter|brother|sister|father|mother|uncle|aunt|cousin|nephew|niece|twin"
    r"|grandson|granddaughter|grandfather|grandmother|partner),?\s+$",
    re.IGNORECASE,
)
_NO_KIN = re.compile(r"^,[^.]{0,40}\b(?:no relation|not related|unrelated)\b")
_ARTICLE = re.compile(r"\b(?:the|an?|this|that|our|its|every|each)\s+$", re.IGNORECASE)
_BESIDE = re.compile(r"\b(?:cosmonauts|CEO|team|partner|by)\s+$")
_SAYS = re.compile(r"^\s+(?:said|says|told|wrote|argued|joked|announced|confirmed)\b")
_DOES = re.compile(r"^\s+(?:has|had|was|plays|holds)\b")
_CAMEL = re.compile(r"(?!(?:Mc|Mac|Fitz|[DO][’'])[A-Z])[^\s\d]+[A-Z]")
_LONGEST_ACRONYM = 5


class Named(NamedTuple):
    """One place where a name stands."""

    form: str
    document: str
    start: int
    end: int
    sentence: int
    type: EntityType | None
    called: bool = False
    """Whether a title or a role stands before it, which only people have."""
    kin: bool = False
    """Whether the text sets it beside somebody else of the name: "his widow, Karin Brandt"."""
    article: bool = False
    """Whether an article or the like stands before it, which no person has."""


def find_names(source: Source) -> list[Named]:
    """Every place of a document's unmasked prose where a name stands; headings are left out, as they capitalise all."""
    readable = [(sentence, source.text[sentence.start : sentence.end]) for sentence in source.readable]
    prose = [(sentence, unmarked(text)) for sentence, text in readable if _is_prose(text)]
    inside, lower = _capitalised_inside([body for _, body in prose])
    found: list[Named] = []
    for sentence, body in prose:
        at = sentence.end - len(body)
        taken: list[tuple[int, int]] = []
        for pattern in (_WORK, _TITLED):
            for match in pattern.finditer(body):
                taken.append(match.span())
                start, end = match.span("title")
                found.append(Named(match["title"], source.document.id, at + start, at + end, sentence.number, "work"))
        for start, end in _runs(body, inside, lower):
            if any(a < end and start < b for a, b in taken):
                continue
            before, after = body[:start], body[end:]
            kind = _type(body[start:end], before, after)
            found.append(
                Named(
                    form=body[start:end],
                    document=source.document.id,
                    start=at + start,
                    end=at + end,
                    sentence=sentence.number,
                    type=kind,
                    called=kind == "person" and _CALLED.search(before) is not None,
                    kin=_KIN.search(before) is not None or _NO_KIN.match(after) is not None,
                    article=_ARTICLE.search(before) is not None,
                )
            )
    return found


def _is_prose(sentence: str) -> bool:
    """Whether capitals say something about names: the sentence is no heading, and few of its letters are capitals."""
    letters = [c for c in sentence if c.isalpha()]
    return bool(letters) and sum(c.isupper() for c in letters) * 2 <= len(letters) and not is_heading(sentence)


def _capitalised_inside(bodies: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """How often each word is capitalised inside a sentence, and how often it is in small letters."""
    inside: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    for body in bodies:
        before = ""
        for match in _TOKEN.finditer(body):
            word = match[0]
            if word[0].isupper() and before not in _BEFORE_FIRST:
                inside[_bare(word)] += 1
            elif word[0].islower():
                lower[_bare(word)] += 1
            before = word
    return inside, lower


def _bare(word: str) -> str:
    """A word without a possessive or the full stop of its sentence."""
    return _POSSESSIVE.sub("", word).rstrip(".")


def _runs(body: str, inside: Counter[str], lower: Counter[str]) -> list[tuple[int, int]]:
    """Spans of runs of capitalised words within a sentence."""
    tokens = list(_TOKEN.finditer(body))
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(tokens):
        if _is_title(body, tokens, at) or not _starts_name(tokens, at, inside, lower):
            at += 1
            continue
        last = at
        while not _ends_name(tokens[last][0]):
            after = last + 1
            titled = at > 0 and tokens[at - 1][0].rstrip(".") in _TITLES
            connects = after + 1 < len(tokens) and tokens[after][0] in _CONNECTORS  # "Isle of Man"
            if connects and not (titled and tokens[after][0] == "of"):
                after += 1
            if (
                after >= len(tokens)
                or _is_title(body, tokens, after)
                or not _joins(body, tokens[last], tokens[after], connected=after > last + 1)
            ):
                break
            last = after
        start, end = tokens[at].start(), tokens[last].end()
        form = _POSSESSIVE.sub("", body[start:end])
        if not re.search(r"\b(?:[A-Z]|Jr|Sr|Inc|Co|Ltd|Corp)\.$", form):
            form = form.rstrip(".-&'’")
        no_name = tokens[at][0].rstrip(".") in _TITLES or (
            last == at and (form.rstrip(".") in _NO_NAMES or _DEMONYM.search(form) is not None)
        )
        if len(form) > 1 and not no_name:
            runs.append((start, start + len(form)))
        at = last + 1
    return runs


def _is_title(body: str, tokens: Sequence[re.Match[str]], at: int) -> bool:
    """Whether a word is a title, or a part of one, before a name: "Deputy Mayor Ana Ruiz"."""
    word = tokens[at][0].rstrip(".")
    if at + 1 >= len(tokens) or not (word in _TITLES or word in _BEFORE_TITLES):
        return False
    follows = _joins(body, tokens[at], tokens[at + 1], connected=False)
    return follows and (word in _TITLES or _is_title(body, tokens, at + 1))


def _starts_name(tokens: Sequence[re.Match[str]], at: int, inside: Counter[str], lower: Counter[str]) -> bool:
    if not tokens[at][0][0].isupper():
        return False
    word = _bare(tokens[at][0])
    if word in _NEVER:
        return False
    if at > 0 and tokens[at - 1][0] not in _BEFORE_FIRST:
        return True
    following = tokens[at + 1][0] if at + 1 < len(tokens) else ""
    if _PARTICIPLE.search(word) and not inside[word]:
        return False
    if following[:1].isupper() and not following.isupper():
        return True
    return inside[word] > 0 or (lower[word.lower()] == 0 and any(c.isupper() for c in word[1:]))


def _ends_name(token: str) -> bool:
    return _POSSESSIVE.search(token) is not None and token[-1] in "s’'"


def _joins(body: str, before: re.Match[str], after: re.Match[str], *, connected: bool) -> bool:
    word = after[0]
    between = body[before.end() : after.start()]
    return (
        word[0].isupper()
        and _POSSESSIVE.sub("", word) not in _NEVER | _OFFICES
        and (between.strip() in _CONNECTORS if connected else between == " ")
    )


def _type(form: str, before: str, after: str) -> EntityType | None:
    acronym = form.isupper()
    compound = _CAMEL.match(form) or any(c.isdigit() for c in form)
    does = _SAYS.match(after) or (" " in form and _DOES.match(after))
    rules: tuple[tuple[object, EntityType | None], ...] = (
        (_OTHER.search(form), "other"),
        (_ORGANISATION.search(form), "organisation"),
        (not acronym and _CALLED.search(before), "person"),
        (_PLACE.search(form), "place"),
        (acronym, "organisation" if len(form) <= _LONGEST_ACRONYM else None),
        (compound, "organisation"),
        (does or _BESIDE.search(before), "person"),
    )
    return next((found for holds, found in rules if holds), None)


def acronyms_of(sources: Sequence[Source]) -> dict[str, str]:
    """Short forms that a text introduces: "International Space Station (ISS)"."""
    return {
        match["short"]: match["full"]
        for source in sources
        for sentence in source.readable
        for match in _ACRONYM.finditer(source.text, sentence.start, sentence.end)
        if "".join(word[0] for word in match["full"].split() if word[0].isupper()) == match["short"]
    }
