"""Names in the sources, with their other forms: who is meant where. The rules know English."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from service.core.types import Entity, EntityType, Mention, Sentence, Source

_TOKEN = re.compile(r"[^\W\d_][\w.’'&-]*|\d+|[^\w\s]")
_WORK = re.compile(r"\*(?P<title>[A-Z][^*\n]{1,80})\*")
_TITLED = re.compile(r"[“\"](?P<title>(?:[A-Z][\w’-]*:?)(?:\s(?:[A-Z][\w’-]*:?|of|the|and|in|a|to)){0,6})[”\"]")
_OFFICES = frozenset({"CEO", "CFO", "COO", "CTO"})
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
    r"\b(?:Inc|Corp|Corporation|Company|Co|Ltd|LLC|Group|Studios?|Pictures|University|College|Institute|Agency|Council"
    r"|Committee|Commission|Ministry|Department|Bank|Party|Union|Court|Police|Association|Foundation|Times|Post|News"
    r"|Press|Origin)\b\.?"
)
_PLACE = re.compile(
    r"\b(?:Station|Beach|Harbour|Harbor|Mount|Lake|River|Street|Island|Emirates|States|Kingdom|Earth|Mars|Moon)\b"
)
_ROLE = re.compile(
    r"\b(?:astronaut|director|producer|filmmaker|actor|actress|reporter|president|minister|senator|writer|author|singer"
    r"|star|cosmonauts?|entrepreneur|CEO|team|partner|son|daughter|wife|husband|by)\s+$"
)
_PERSON_VERB = re.compile(r"^\s+(?:said|says|told|has|had|was|wrote|argued|joked|plays|holds|announced|confirmed)\b")
_FEWEST_MENTIONS = 2


class _Named(NamedTuple):
    """One place where a name stands."""

    form: str
    document: str
    start: int
    end: int
    sentence: int
    type: EntityType | None


def entities(sources: Sequence[Source], cited: Iterable[tuple[str, int, int]] = ()) -> tuple[Entity, ...]:
    """Names that the sources use twice or more, that stand in a cited span, or whose forms differ, by first mention.

    A surname alone is the full name it belongs to; so is a first name that only one person has. Two full names with
    one surname are one entity with a `name_conflict` where the document also uses the bare surname, as if there were
    no other, and never sets the two side by side.

    Args:
        sources: the documents; only unmasked English sentences are read.
        cited: (document, start, end) of evidence.

    """
    named = [name for source in sources if source.language in (None, "en") for name in _names(source)]
    spans = list(cited)
    found: list[Entity] = []
    for group in _groups(named, _acronyms(sources)):
        mentions = sorted(group.mentions, key=lambda m: (group.order(m.document), m.start))
        in_evidence = any(
            mention.document == document and mention.start < end and start < mention.end
            for mention in mentions
            for document, start, end in spans
        )
        if len(mentions) < _FEWEST_MENTIONS and not in_evidence and not group.conflict:
            continue
        found.append(
            Entity(
                id=f"e{len(found) + 1}",
                name=group.name,
                aliases=tuple(sorted({m.form for m in mentions} - {group.name})),
                type=group.type,
                name_conflict=group.conflict,
                mentions=tuple(Mention(document=m.document, start=m.start, end=m.end) for m in mentions),
            )
        )
    return tuple(found)


class _Group(NamedTuple):
    name: str
    type: EntityType
    conflict: tuple[str, ...]
    mentions: tuple[_Named, ...]
    documents: tuple[str, ...]

    def order(self, document: str) -> int:
        return self.documents.index(document)


# --- finding names ---------------------------------------------------------------------------------------------------


def _names(source: Source) -> list[_Named]:
    text, readable = source.text, [s for s in source.readable if not _shouted(source.text[s.start : s.end])]
    inside, lower = _capitalised_inside(text, readable)
    found: list[_Named] = []
    for sentence in readable:
        body = text[sentence.start : sentence.end]
        taken: list[tuple[int, int]] = []
        for pattern in (_WORK, _TITLED):
            for match in pattern.finditer(body):
                taken.append(match.span())
                start, end = (sentence.start + at for at in match.span("title"))
                found.append(_Named(match["title"], source.document.id, start, end, sentence.number, "work"))
        for start, end in _runs(body, inside, lower):
            if any(a < end and start < b for a, b in taken):
                continue
            form = body[start:end]
            found.append(
                _Named(
                    form,
                    source.document.id,
                    sentence.start + start,
                    sentence.start + end,
                    sentence.number,
                    _type(form, body[:start], body[end:]),
                )
            )
    return found


def _shouted(sentence: str) -> bool:
    """Whether capitals say nothing about names: most letters are, or there are none."""
    letters = [c for c in sentence if c.isalpha()]
    return not letters or sum(c.isupper() for c in letters) * 2 > len(letters)


def _capitalised_inside(text: str, sentences: Sequence[Sentence]) -> tuple[Counter[str], Counter[str]]:
    """How often each word is capitalised inside a sentence, and how often it is in small letters."""
    inside: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    for sentence in sentences:
        before = ""
        for match in _TOKEN.finditer(text, sentence.start, sentence.end):
            word = match[0]
            if word[0].isupper() and before not in _BEFORE_FIRST:
                inside[_POSSESSIVE.sub("", word)] += 1
            elif word[0].islower():
                lower[_POSSESSIVE.sub("", word)] += 1
            before = word
    return inside, lower


def _runs(body: str, inside: Counter[str], lower: Counter[str]) -> list[tuple[int, int]]:
    """Spans of runs of capitalised words within a sentence."""
    tokens = list(_TOKEN.finditer(body))
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(tokens):
        if not _starts_name(tokens, at, inside, lower):
            at += 1
            continue
        last = at
        while not _ends_name(tokens[last][0]):
            after = last + 1
            if after < len(tokens) and tokens[after][0] in _CONNECTORS and last + 2 < len(tokens):  # "Isle of Man"
                after += 1
            if after >= len(tokens) or not _joins(body, tokens[last], tokens[after], connected=after > last + 1):
                break
            last = after
        start, end = tokens[at].start(), tokens[last].end()
        form = _POSSESSIVE.sub("", body[start:end])
        if not re.search(r"\b(?:[A-Z]|Jr|Sr|Inc|Co|Ltd|Corp)\.$", form):
            form = form.rstrip(".-&'’")
        no_name = last == at and (form in _OFFICES or _DEMONYM.search(form) is not None)
        if len(form) > 1 and not no_name:
            runs.append((start, start + len(form)))
        at = last + 1
    return runs


def _starts_name(tokens: Sequence[re.Match[str]], at: int, inside: Counter[str], lower: Counter[str]) -> bool:
    if not tokens[at][0][0].isupper():
        return False
    word = _POSSESSIVE.sub("", tokens[at][0])
    if word in _NEVER or word.rstrip(".") in _NEVER:
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
    if _ORGANISATION.search(form):
        return "organisation"
    if _PLACE.search(form):
        return "place"
    if _ROLE.search(before) or _PERSON_VERB.match(after):
        return "organisation" if form.isupper() else "person"
    if form.isupper() or any(c.isupper() for c in form[1:].partition(" ")[0]) or any(c.isdigit() for c in form):
        return "organisation"
    return None


# --- which names are one ---------------------------------------------------------------------------------------------


def _acronyms(sources: Sequence[Source]) -> dict[str, str]:
    """Short forms that a text introduces: "International Space Station (ISS)"."""
    return {
        match["short"]: match["full"]
        for source in sources
        for sentence in source.readable
        for match in _ACRONYM.finditer(source.text, sentence.start, sentence.end)
        if "".join(word[0] for word in match["full"].split() if word[0].isupper()) == match["short"]
    }


class _Links:
    """Which forms mean one entity (union-find)."""

    def __init__(self, by_form: Mapping[str, Sequence[_Named]]) -> None:
        self.by_form = by_form
        self._parent = {form: form for form in by_form}

    def root(self, form: str) -> str:
        while self._parent[form] != form:
            form = self._parent[form]
        return form

    def join(self, form: str, to: str) -> None:
        if form in self._parent and to in self._parent:
            self._parent[self.root(form)] = self.root(to)

    def groups(self) -> Iterable[list[str]]:
        gathered: dict[str, list[str]] = defaultdict(list)
        for form in self.by_form:
            gathered[self.root(form)].append(form)
        return gathered.values()


def _groups(named: Sequence[_Named], acronyms: Mapping[str, str]) -> list[_Group]:
    """Names that mean one entity, in order of first mention."""
    by_form: dict[str, list[_Named]] = defaultdict(list)
    for name in named:
        by_form[name.form].append(name)
    links = _Links(by_form)
    full = [form for form in by_form if " " in form and by_form[form][0].type != "work"]
    conflicts = _join_surnames(links, full)
    _join_given_names(links, full)
    for short, long in acronyms.items():
        links.join(short, long)
    documents = tuple(dict.fromkeys(name.document for name in named))
    return [
        _Group(
            name=max(forms, key=lambda form: (" " in form, len(by_form[form]))),
            type=_majority([name for form in forms for name in by_form[form]], forms),
            conflict=tuple(form for form in forms if form in conflicts),
            mentions=tuple(name for form in forms for name in by_form[form]),
            documents=documents,
        )
        for forms in links.groups()
    ]


def _join_surnames(links: _Links, full: Sequence[str]) -> set[str]:
    """Joins full names to their surname and to one another; returns those that differ and yet mean one person."""
    conflicts: set[str] = set()
    for surname, (first, *others) in _by(full, _surname).items():
        for other in others:
            if _same(first, other):
                links.join(other, first)
            elif _one_person(links.by_form, first, other, surname):
                links.join(other, first)
                conflicts.update((first, other))
        links.join(surname, first)
    return conflicts


def _join_given_names(links: _Links, full: Sequence[str]) -> None:
    """Joins a first name to the only person who has it, unless it is somebody's surname too."""
    for given, (first, *others) in _by(full, _given).items():
        free = given in links.by_form and links.root(given) == given
        if free and all(links.root(other) == links.root(first) for other in others):
            links.join(given, first)


def _by(forms: Sequence[str], part: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for form in forms:
        found[part(form)].append(form)
    return found


def _given(form: str) -> str:
    return form.split(maxsplit=1)[0]


def _surname(form: str) -> str:
    parts = [part for part in form.split() if part.rstrip(".") not in ("Jr", "Sr", "II", "III")]
    return parts[-1] if parts else form


def _same(one: str, other: str) -> bool:
    """Whether one full name only leaves out parts of the other."""
    a, b = (set(form.replace(".", "").split()) for form in (one, other))
    return a <= b or b <= a


def _one_person(by_form: Mapping[str, Sequence[_Named]], one: str, other: str, surname: str) -> bool:
    """Whether a document treats two full names with one surname as one: see `entities`."""
    for document in {name.document for name in by_form[one]} & {name.document for name in by_form[other]}:
        mine = {name.sentence for name in by_form[one] if name.document == document}
        theirs = {name.sentence for name in by_form[other] if name.document == document}
        bare = [name.sentence for name in by_form.get(surname, ()) if name.document == document]
        if not mine & theirs and any(s >= min(mine) for s in bare) and any(s >= min(theirs) for s in bare):
            return True
    return False


def _majority(named: Sequence[_Named], forms: Sequence[str]) -> EntityType:
    votes = Counter(name.type for name in named if name.type is not None)
    if votes and votes.most_common(1)[0][0] == "work":
        return "work"
    surnames = {_surname(form) for form in forms if " " in form}
    if any(form in surnames for form in forms) and not votes["organisation"] > votes["person"]:
        return "person"
    return votes.most_common(1)[0][0] if votes else "other"
