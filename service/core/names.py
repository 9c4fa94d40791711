"""Where names stand in a text, and what each is the name of. The rules know English."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from service.core.lexicon import SENTENCE_OPENERS
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
_NEVER_JOINED = _NEVER | _OFFICES
_PARTICIPLE = re.compile(r"(?:ed|ing|ly)$")
_DEMONYM = re.compile(r"(?:ian|ean|ese|ish|can)$")
_ORGANISATION = re.compile(
    r"\b(?:Inc|Corp|Corporation|Company|Co|Ltd|LLC|Group|Venture|Studios?|Pictures|University|College|Institute|Agency|Council"
    r"|Committee|Commission|Ministry|Department|Bank|Party|Union|Court|Police|Association|Foundation|Times|Post|News"
    r"|Press|Origin|Gazette|Herald|Trust|Authority|Office|Engineering|Mutual|Insurance|Holdings|Industries|Airlines"
    r"|Technologies|Inquiry|Society|Federation)\b\.?"
)
_OTHER = re.compile(r"\b(?:Licen[cs]e|Act|Treaty|Agreement|Prize|Award|Awards|Appendix|Annex)\b")
_PLACE = re.compile(
    r"\b(?:Station|Beach|Harbour|Harbor|Mount|Lake|River|Street|Island|Emirates|States|Kingdom|Earth|Mars|Moon|ISS|Port|Bay|Cape|Bridge|Road"
    r"|Avenue|Square|Airport|County|Province|Republic|Peninsula|Ocean|Burj|Stadium|Desert|Strait)\b"
)
_ROLE = (
    r"(?:astronaut|director|producer|filmmaker|actor|reporter|president|minister|senator|writer|author|singer|star"
    r"|cosmonaut|entrepreneur|son|daughter|mayor|councillor|engineer|professor|coach|lawyer|judge)"
)
_HONORIFICS = frozenset({"Mr", "Mrs", "Ms", "Miss", "Dr"})
_CALLS = _TITLES | _HONORIFICS
_CALLED = re.compile(rf"\b(?:{_ROLE}|actress|wife|husband|{'|'.join(sorted(_TITLES | _HONORIFICS))})\.?\s+$")
_CALLED_BOTH = re.compile(rf"\b(?:{_ROLE}s|team|duo|pair|couple|brothers|sisters|siblings|twins)\s+$")
"""What names after it share, for as long as the list of them goes on: "cosmonauts Yuliya Peresild and"."""
_LISTS = re.compile(r",?\s+and\s+|,\s+")
_FULL_NAME_WORDS = range(2, 4)
_SIGNED = re.compile(r"\s*\(@\w")
_ADDRESS = re.compile(r"https?://\S+|(?<![\w.+-])(?:[\w.+-]*@\w[\w.-]*|[\w-]+(?:\.[\w-]+)+/\S*)")
"""Handles, e-mail and web addresses: what they are made of are no names."""
_ENDED = re.compile(r"[^\W\d_]{5,}\.$")
"""The end of a sentence that was not taken for one; abbreviations are shorter."""
_COMPOUND = re.compile(r"[^\W\d_]{3,}\d+$")
_LETTER_SHAPED = re.compile(r"[A-Z]-[a-z]+$")
"""T-shirts and X-rays are no names."""
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


_MARKS_AROUND = " *_\"“”„‟«»‘’'"
_DETERMINER = re.compile(r"(?:the|an?|this|that|these|those|his|her|its|their|our|my|your)\s+", re.IGNORECASE)
_PARTICLES = frozenset("al bin da de del della den der di du ibn la le ten ter van von y zu".split())
"""Small words within the names of people."""
_SMALL = _PARTICLES | frozenset("a an and at by et for from in of on or the to und v vs with & -".split())
"""Small words within other names."""
_LONGEST = 80
_MOST_WORDS = 12
_IN_SENTENCE = re.compile("[。，；！？]")
_MOST_LOWER_WORDS = 3


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
        taken = [match.span() for match in _ADDRESS.finditer(body)] if "@" in body or "/" in body else []
        for pattern in (_WORK, _TITLED):
            for match in pattern.finditer(body):
                taken.append(match.span())
                start, end = match.span("title")
                found.append(Named(match["title"], source.document.id, at + start, at + end, sentence.number, "work"))
        shared_to = -1
        for start, end in _runs(body, inside, lower):
            if any(a < end and start < b for a, b in taken):
                continue
            before, after = body[:start], body[end:]
            kind = _type(body[start:end], before, after)
            full = len(body[start:end].split()) in _FULL_NAME_WORDS
            shares = full and kind in (None, "person")
            listed = shared_to >= 0 and _LISTS.fullmatch(body, shared_to, start)
            shared_to = end if shares and (listed or _CALLED_BOTH.search(before)) else -1
            if shared_to == end:
                kind = "person"
            if full and kind is None and _SIGNED.match(after):
                kind = "person"
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
        while not (_ends_name(tokens[last][0]) or _ENDED.match(tokens[last][0])):
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
            last == at
            and (form.rstrip(".") in _NO_NAMES or any(found.search(form) for found in (_DEMONYM, _LETTER_SHAPED)))
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
    return inside[word] > lower[word.lower()] or (lower[word.lower()] == 0 and any(c.isupper() for c in word[1:]))


def _ends_name(token: str) -> bool:
    return _POSSESSIVE.search(token) is not None and token[-1] in "s’'"


def _joins(body: str, before: re.Match[str], after: re.Match[str], *, connected: bool) -> bool:
    word = after[0]
    between = body[before.end() : after.start()]
    return (
        word[0].isupper()
        and not {_bare(word), word} & _NEVER_JOINED
        and (between.strip() in _CONNECTORS if connected else between == " ")
    )


def _type(form: str, before: str, after: str) -> EntityType | None:
    acronym = form.isupper()
    compound = _CAMEL.match(form) or _COMPOUND.match(form)
    does = _SAYS.match(after) or (" " in form and _DOES.match(after))
    rules: tuple[tuple[object, EntityType | None], ...] = (
        (_OTHER.search(form), "other"),
        (_ORGANISATION.search(form), "organisation"),
        (not acronym and _CALLED.search(before), "person"),
        (_PLACE.search(form), "place"),
        (acronym and not any(map(str.isdigit, form)), "organisation" if len(form) <= _LONGEST_ACRONYM else None),
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
        if source.text.find("(", sentence.start, sentence.end) >= 0
        for match in _ACRONYM.finditer(source.text, sentence.start, sentence.end)
        if "".join(word[0] for word in match["full"].split() if word[0].isupper()) == match["short"]
    }


# --- names that are given --------------------------------------------------------------------------------------------


def readings(given: str, kind: EntityType) -> tuple[str, ...]:
    """What a given name may be in a text, likeliest first: without marks, article and titles before it.

    >>> readings("the Authority", "organisation"), readings("Dr. Fenella Marsh", "person")
    (('Authority',), ('Fenella Marsh',))
    >>> readings("*The Sopranos*", "work"), readings("Lord of the Rings", "work")
    (('The Sopranos', 'Sopranos'), ('Lord of the Rings',))
    """
    whole = " ".join(given.split()).strip(_MARKS_AROUND)
    article = _DETERMINER.match(whole)
    bare = whole[article.end() :] if article else whole
    untitled = bare if kind == "work" else _without_titles(bare)
    part_of_it = article is not None and article[0].istitle() and untitled == bare
    found = (*([whole] if part_of_it else []), untitled, _POSSESSIVE.sub("", untitled))
    return tuple(dict.fromkeys(form for form in found if form))


def _without_titles(name: str) -> str:
    words = name.split()
    at = 0
    while at + 1 < len(words) and words[at + 1][0].isupper():
        first, second = (word.rstrip(".") for word in words[at : at + 2])
        if first not in _CALLS and not (first in _BEFORE_TITLES and second in _TITLES):
            break
        at += 1
    return " ".join(words[at:])


def may_be_name(form: str, kind: EntityType, *, alias: bool, english: bool) -> bool:
    """Whether words that no rule takes for a name may be one because a model says so.

    >>> [may_be_name(form, "person", alias=True, english=True) for form in ("Bell", "he", "producer", "SpaceX CEO")]
    [True, False, False, False]
    >>> may_be_name("bell hooks", "person", alias=False, english=True)
    True
    """
    words = form.split()
    if not (1 < len(form) <= _LONGEST and len(words) <= _MOST_WORDS and form[0].isalnum()) or _IN_SENTENCE.search(form):
        return False
    if any(c.isupper() for c in words[0]) or not any(c.islower() or c.isupper() for c in form):
        shaped = all(any(map(str.isupper, word)) or not word[0].isalpha() or word in _SMALL for word in words[1:])
        says = not form.isdigit() or kind == "work"
        return says and (not english or (shaped and not _is_common(words, kind)))
    if form[0].isdigit():
        return any(word[0].isupper() for word in words)
    lower_name = not alias and kind != "other" and len(words) <= _MOST_LOWER_WORDS
    return english and lower_name and not SENTENCE_OPENERS & set(words)


def _is_common(words: Sequence[str], kind: EntityType) -> bool:
    """Whether capitalised words are an office, or what a sentence may begin with."""
    last = words[-1].rstrip(".")
    if len(words) == 1 and (words[0] in _NEVER or last in _NO_NAMES or last.lower() in SENTENCE_OPENERS):
        return True
    office = words[0] in _TITLES and len(words) > 1 and words[1] in _SMALL  # "Minister of Works"
    return kind != "work" and (office or last in _OFFICES | _TITLES)


def holds_together(form: str, parts: Sequence[str], kind: EntityType) -> bool:
    """Whether a given name may be one name although the rules find others in it.

    >>> holds_together("Charlie and the Chocolate Factory", ["Charlie", "Chocolate Factory"], "work")
    True
    >>> holds_together("Elon Musk’s SpaceX", ["Elon Musk", "SpaceX"], "organisation")
    False
    >>> holds_together("Ann Lee and Bo Day", ["Ann Lee", "Bo Day"], "work")
    False
    """
    rest = form
    for part in parts:
        rest = rest.replace(part, "\0", 1)
    if re.search(r"\0(?:['’]s?\b|['’] |,)|\0 (?:and|or|&|with) \0", rest):
        return False
    words = [word for word in rest.split() if word != "\0"]
    return kind != "person" or all(word in _PARTICLES or not (word.islower() or word[0].isupper()) for word in words)


def follows_article(text: str, start: int) -> bool:
    """Whether an article or the like stands before an offset.

    >>> follows_article("It is the film.", 10), follows_article("It is film.", 6)
    (True, False)
    """
    return _ARTICLE.search(text[max(0, start - 8) : start]) is not None
