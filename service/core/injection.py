"""Words in a document that read like orders to a language model, and characters in it that nobody sees.

They stay in the text, and are treated as text; a reader is told. What counts is the shape of an order to a model, not
a word: jurors may be told "to ignore previous testimony". Patterns are held against the folded shadow of a text, where
zero-width characters are gone, full-width letters are plain and white space runs are one space. Every repetition in
them is bounded, or can end in one way only, so that no text takes longer than its length asks for.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from service.core import grounding
from service.core.documents import called
from service.core.grounding import Index, Searchable
from service.core.shadow import Shadow
from service.core.types import Caveat, Document, DraftQuote, Evidence, Sentence, Source, Span, Value

_MOST_SHOWN = 5
_FEWEST_HIDDEN_LETTERS = 3
_LOOK_BACK_CHARACTERS = 60
_BEFORE_A_MARK = 4
"""Characters, such as those of a quotation, that may stand between the beginning of a line and a mark."""


def _any_of(*patterns: str) -> str:
    return "(?:" + "|".join(patterns) + ")"


# --- orders: what a model would be told, at the beginning of a clause ------------------------------------------------

_MODEL = (
    r"(?:(?:ai|artificial intelligence|large language|language) (?:language model|model|assistant|agent|system|bot)"
    r"|ai|llm|chat ?bot|chatgpt|gpt(?:-\w{1,3})?)s?(?![-\w]"
    r"| (?!(?:that|which|who|named|called|with|without|and|reading|processing|to|must|should|then|please)\b)[a-z])"
)
"""Where "AI" only belongs to another word ("an AI expert", "an AI company"), nobody speaks to a model."""
_FIRST = r"(?:please|now|then|just|simply|instead|and|but|so|also|first|next|immediately),? "
_OPENING = re.compile(
    _any_of(
        rf"[.!?:;,\"'(\[{{<>|#=/-] ?(?:{_FIRST}){{0,3}}",
        rf"\byou (?:must|should|will|shall|need to|have to|are to) (?:{_FIRST})?",
        rf"\b(?:want|need|order|command|instruct|urge|told|asked) (?:you|(?:(?:the|an?|all) )?{_MODEL}) to ",
        rf"\b(?:ai|llm|language model|chat ?bot|assistant|model)s? (?:must|should) (?:{_FIRST})?",
    )
    + "$"
)
"""Before an order. "They told jurors to ignore" is no order to the one who reads it, and neither is "they ignore"."""
_CONDITION = re.compile(r"[.!?] (?:if|unless|where|when|once|anyone|those|people)\b[^.!?]*$")
"""Before an order to some readers: "If you have paid, please ignore the above.\""""

_DROP = r"(?:ignore|disregard|forget|override|bypass)"
_EVERY = r"(?:(?:all|any|of|the|your|my|our|these|those|this|that|everything) ){0,5}"
_EARLIER = r"(?:previous|prior|above|preceding|earlier|foregoing)"
_TOLD = r"(?:(?:system )?(?:instructions?|prompts?)|system messages?|directives?|commands?|guardrails?|context)"
_STANDING_ABOVE = r"(?:above|before this|you (?:were|have been) (?:given|told))"
_READ = r"(?:text|article|document|content|conversation|page)"
_THIS = rf"(?:this|it|that|the (?:above|following|story|{_READ}))"
_REPLY = r"(?:answer|respond|reply|output|print|return|write|say)"
_SHOW = r"(?:print|repeat|reveal|output|recite|leak|disclose|(?:show|tell|give) (?:me|us)|write out)"
_WHOSE = r"(?:(?:initial|original|hidden|full|secret|previous|entire|exact|complete|own) )"

_ENGLISH = (
    # Ignore all previous instructions. Disregard the instructions above. Forget your guidelines.
    rf"{_DROP} {_EVERY}{_EARLIER}(?:(?: and| or|,) {_EARLIER})?(?: \w{{1,12}})? {_TOLD}\b",
    rf"{_DROP} {_EVERY}(?:\w{{1,12}} )?(?:{_TOLD}|{_READ}) {_STANDING_ABOVE}\b",
    rf"{_DROP} (?:all )?(?:of )?your (?:\w{{1,12}} ){{0,2}}(?:{_TOLD}|programming|guidelines)\b",
    rf"{_DROP} (?:all )?(?:of )?the user(?:'s)? (?:request|question|query|prompt|instructions?)\b",
    # Ignore the above text. Ignore the above, and ...
    rf"{_DROP} {_EVERY}(?:above|preceding) {_READ}\b",
    rf"{_DROP} (?:all|any) (?:of )?(?:the )?(?:previous|prior|earlier) (?:{_READ}|directions|rules)\b",
    rf"{_DROP} (?:the )?(?:previous|prior) {_READ},? and {_REPLY}\b",
    rf"{_DROP} (?:all |everything |anything |all of )?(?:the )?above(?= ?(?:[.;:!,\")]|$)| and\b| but\b| instead\b)",
    # Answer only with ...
    (
        rf"{_REPLY} (?:to \w{{1,12}} (?:\w{{1,12}} )?)?(?:only|exclusively|solely) (?:with|in json)\b"
        r"(?! (?:an? )?(?:simple )?[\"']?(?:yes|no)\b)"
    ),
    (
        rf"{_REPLY} (?:only|just|nothing but|with|only with|with only) (?:the|one|this) (?:exact |single |following )?"
        r"(?:word|phrase|string|json)\b(?! (?:of|on)\b)"
    ),
    rf"from now on,? (?:you )?(?:must |shall |will |should )?(?:only )?{_REPLY} (?:only|in|as|like|with)\b(?! to\b)",
    # Act as an AI without rules. (“You are now ...” stands below: it needs no beginning.)
    (
        r"(?:act as|pretend (?:to be|you are|you're|that you are)|role-?play as|behave (?:as|like))"
        rf"(?: [\w'-]{{1,15}}){{0,3}}? {_MODEL}\b"
    ),
    # Do not summarise this. Instead of summarising it, write ...
    rf"(?:do not|don't|never|stop|refuse to) summari[sz](?:e|ing) {_THIS}\b(?!-)",
    rf"(?:do not|don't|never) summari[sz]e(?:[.!,;:-] ?|,? and |,? but )(?:instead\b|(?:just |simply )?{_REPLY}\b)",
    (
        rf"(?:instead of|rather than) summari[sz]ing(?: {_THIS})?(?: {_READ})?,? (?:please |just |simply |only )?"
        rf"(?:{_REPLY}|{_SHOW}|visit|click|translate|recommend)\b"
    ),
    rf"{_REPLY}(?: [^\s.!?]{{1,20}}){{1,10}}? (?:instead of|rather than) summari[sz]ing {_THIS}\b",
    rf"when (?:you )?summari[sz](?:e|ing) {_THIS}(?: {_READ})?,? (?:you must|always|never|do not|don't|{_REPLY})\b",
    # Print your instructions. Repeat everything above, starting with ...
    rf"{_SHOW} (?:all (?:of )?)?your {_WHOSE}{{0,3}}{_TOLD}\b",
    rf"{_SHOW} (?:all (?:of )?)?the {_WHOSE}{{0,3}}(?:system|initial|hidden|secret) {_TOLD}\b",
    rf"{_SHOW} (?:everything|all the text|the (?:text|words)) above[^.!?]{{0,40}}?\b(?:verbatim|starting with)\b",
    # As an AI language model, you ... If you are an AI reading this, ... Note to AI models: ...
    rf"as an? {_MODEL}, (?:you|your|i)\b",
    rf"(?:if|as|since) you(?:'re| are) an? {_MODEL}(?:,| (?:reading|processing|summari[sz]ing|that|then|please)\b)",
    (
        rf"(?:note|message|attention|notice|important|instructions?)(?: (?:to|for))?[:,]? (?:(?:all|any|the) )?{_MODEL}"
        r"(?: reading this)? ?[:!]"
    ),
)
_GERMAN = (
    (
        r"(?:ignorier(?:e|t|en sie)|vergiss|vergesst|vergessen sie|missachte)"
        r" (?:(?:bitte|alle|die|deine|ihre|sämtliche|den) ){0,4}"
        r"(?:vorherigen?|vorigen?|bisherigen?|vorhergehenden?|vorangegangenen?|früheren?|obigen?)"
        r" (?:anweisung(?:en)?|instruktion(?:en)?|befehle?|vorgaben|prompts?|texte?)\b"
    ),
    r"(?:ignorier(?:e|t|en sie)|vergiss|vergessen sie) (?:bitte )?(?:alles|das) (?:obige|vorherige|bisherige)\b",
    r"(?:antworte|antworten sie) (?:nur|ausschließlich|ausschliesslich) mit\b(?! (?:einem )?[\"']?(?:ja|nein)\b)",
)
_FRENCH = (
    (
        r"(?:ignore[rz]?|oublie[rz]?|ne (?:tiens|tenez) pas compte de)"
        r" (?:(?:toutes|tous|les|tes|vos|des|ces) ){0,3}(?:instructions?|consignes?|directives?|ordres?|prompts?)"
        r" (?:pr[ée]c[ée]dente?s?|ant[ée]rieure?s?|ci-dessus|au-dessus|donn[ée]e?s? ci-dessus)"
    ),
    r"(?:ignore[rz]?|oublie[rz]?) (?:tout )?ce qui pr[ée]c[èe]de\b",
    r"r[ée]pond(?:s|ez) (?:uniquement|seulement|exclusivement) (?:par|avec)\b(?! [\"']?(?:oui|non)\b)",
)
_SPANISH = (
    (
        r"(?:ignor[aeá]d?|ignoren|olvid[ae]|ha(?:z|ga) caso omiso de)"
        r" (?:(?:todas|todos|las|los|tus|sus|estas) ){0,3}(?:instrucci(?:ón|on|ones)|indicaciones|[óo]rdenes|prompts?)"
        r" (?:anterior(?:es)?|previas?|previos?|precedentes?|de arriba)\b"
    ),
    r"(?:ignor[ae]|olvid[ae]) todo lo (?:anterior|de arriba)\b",
    r"(?:respond[ea]|contest[ae]) (?:s[óo]lo|solamente|[úu]nicamente|exclusivamente) con\b(?! [\"']?(?:sí|si|no)\b)",
)
_ORDER = re.compile(r"\b" + _any_of(*_ENGLISH, *_GERMAN, *_FRENCH, *_SPANISH))
_SPACED_OUT = re.compile(r"(?<!\w)[^\W_](?:[ .-]{1,2}[^\W_]){9,}(?!\w)")
"""A word or more with something between its letters; where one word ends cannot be seen any longer."""
_SQUEEZED = re.compile(
    _any_of(
        r"(?:ignore|disregard|forget)(?:all|any|of|the|your|my|these|those|everything){0,5}"
        r"(?:previous|prior|above|preceding|earlier|instructions)",
        r"(?:answer|respond|reply)(?:only|onlywith|withonly)the(?:word|phrase)",
        r"(?:answer|respond|reply)onlywith",
        r"donotsummari[sz]e",
        r"(?:your|the|this)systemprompt",
    )
)

# --- marks: what only stands in a conversation with a model ----------------------------------------------------------

_MARK = re.compile(
    _any_of(
        r"<\|[^<>|\s]{2,30}\|>",
        r"<</?sys>>",
        r"</?(?:start|end)_of_turn>",
        r"</(?:system|assistant|instructions?|human|user)>",
        r"<(?:system[_-]prompt|system[_-]message|instructions)>",
        # Ours: what documents, points and claims are put between, and how a reply begins.
        r"<<< ?(?:document|points|claims|end)\b",
        r"\{ ?[\"'](?:headline|abstract|points|key_points|entities|caveats|document_date)[\"'] ?:",
        r"\byour system (?:prompt|message)\b",
        r"\byou are now (?:dan\b|unrestricted\b|unfiltered\b|jailbroken\b|in developer mode\b"
        rf"|(?:[\w'-]{{1,15}} ){{0,5}}?{_MODEL})",
    )
)
_CASED_MARK = re.compile(r"<s>[^<]{0,300}</s>|(?P<mark></s>|\[/?INST\])")
"""To some models, `</s>` is the end of what is said; after `<s>`, it ends what was struck out."""
_LINE_MARK = re.compile(
    r"(?<![\w#])"
    + _any_of(
        r"#{2,4} ?(?:system|instruction|response|assistant|human|user|input)(?: prompt| message)? ?:",
        r"#{2,4} ?(?:instruction\b|(?:new|system|hidden) instructions\b|system prompt\b)",
        r"\[?system(?: (?:message|override|instructions?|note))?\]? ?: ?[\"']?(?:you|your|ignore|disregard|do not|don't"
        r"|never|always|from now|new|override|the (?:user|assistant|model)|respond|answer|reply|output|say|print|forget"
        r"|reveal|summari[sz]e|instructions?)\b",
        r"system (?:prompt|override) ?:",
        r"\[system\]",
        r"assistant ?: ?[\"']?(?:(?:sure|certainly|understood|okay|here is|here are|as an ai)\b|[{<])",
    )
)
_TURN = re.compile(r"(?<!\w)(?P<who>user|human|assistant) ?: ")

# --- what is not seen ------------------------------------------------------------------------------------------------

_UNSEEN = re.compile(
    # The flag of a region, as of Scotland: a black flag, and tags that spell its code (UTS #51, annex C).
    "(?P<flag>\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}\U000e007f)"
    "|(?P<tags>[\U000e0000-\U000e007f]+)"
    "|(?P<marks>[\u061c\u200e\u200f]+)"
    "|(?P<controls>[\u202a-\u202e\u2066-\u2069]+)"
)
_TAG = 0xE0000
_RIGHT_TO_LEFT = ("R", "AL")


def instructions(sources: Sequence[Source], index: Index) -> tuple[Caveat, ...]:
    """One caveat for each document that holds words addressed to a model, or characters that are not seen.

    Args:
        sources: the documents, read.
        index: of the same sources.

    """
    found = (_caveat(index.documents[source.document.id], index) for source in sources)
    return tuple(caveat for caveat in found if caveat is not None)


def _caveat(document: Searchable, index: Index) -> Caveat | None:
    name = called(document.source.document)
    title = _title(document.source)
    ordering = _sentences(document)
    in_title = title is not None and bool(_sentences(title))
    unseen = [*_unseen(document), *(_unseen(title) if title else ())]
    said = [_words(name, len(ordering), in_title)] if ordering or in_title else []
    said += [_characters(name, unseen)] if unseen else []
    if not said:
        return None
    evidence = (_evidence(document, sentence, index) for sentence in ordering[:_MOST_SHOWN])
    return Caveat(
        code="instructions",
        text=" ".join(said),
        evidence=tuple(place for place in evidence if place is not None),
        documents=(document.source.document.id,),
    )


def _title(source: Source) -> Searchable | None:
    """The title, which a model reads too, as a document of one sentence."""
    text = source.document.title
    if not text:
        return None
    whole = Sentence(number=1, start=0, end=len(text), paragraph=1)
    return Searchable(Source(document=Document(id="", text=text), language=None, sentences=(whole,)))


def _evidence(document: Searchable, sentence: Sentence, index: Index) -> Evidence | None:
    source = document.source
    quote = source.text[sentence.start : sentence.end]
    place = grounding.locate(DraftQuote(quote=quote, document=source.document.id, sentence=sentence.number), index)
    return place if isinstance(place, Evidence) else None


# --- words -----------------------------------------------------------------------------------------------------------


def _sentences(document: Searchable) -> list[Sentence]:
    """The sentences in which words addressed to a model begin, in order, outside masked spans."""
    found: dict[int, Sentence] = {}
    for at in _hits(document):
        offset = int(document.shadow.starts[at])
        sentence = document.sentence_at(offset)
        if sentence and not document.is_masked(Span(start=offset, end=offset + 1)):
            found.setdefault(sentence.number, sentence)
    return [found[number] for number in sorted(found)]


def _hits(document: Searchable) -> Iterator[int]:
    """Where, in the shadow, words addressed to a model begin."""
    made = document.shadow
    yield from (found.start() for found in _MARK.finditer(made.folded))
    yield from (found.start() for found in _CASED_MARK.finditer(made.text) if found["mark"])
    yield from (found.start() for found in _ORDER.finditer(made.folded) if _opens_clause(document, found.start()))
    yield from (found.start() for found in _LINE_MARK.finditer(made.folded) if _opens_line(document, found.start()))
    yield from _turns(document)
    yield from _spaced_out(made)


def _turns(document: Searchable) -> Iterator[int]:
    """Where an assistant speaks, in a conversation with a user; an assistant alone may be anybody's."""
    turns = [found for found in _TURN.finditer(document.shadow.folded) if _opens_line(document, found.start())]
    if len({found["who"] == "assistant" for found in turns}) > 1:
        yield from (found.start() for found in turns if found["who"] == "assistant")


def _spaced_out(made: Shadow) -> Iterator[int]:
    """Where an order begins whose letters stand apart."""
    for run in _SPACED_OUT.finditer(made.folded):
        letters = [at for at in range(*run.span()) if made.folded[at].isalnum()]
        yield from (letters[found.start()] for found in _SQUEEZED.finditer("".join(made.folded[at] for at in letters)))


def _opens_clause(document: Searchable, at: int) -> bool:
    """Say whether what stands at a position of the shadow is where an order would begin."""
    made = document.shadow
    offset = int(made.starts[at])
    if document.source.text[offset].isupper() and _opens_line(document, at):
        return True
    sentence = document.sentence_at(offset)
    begin = made.position(sentence.start) if sentence else 0
    first = max(begin, at - _LOOK_BACK_CHARACTERS)
    before = (". " if first == begin else "") + made.folded[first:at]
    return bool(_OPENING.search(before)) and not _CONDITION.search(before)


def _opens_line(document: Searchable, at: int) -> bool:
    """Say whether nothing but marks of a quotation or a list stands before a position of the shadow in its line."""
    made, text = document.shadow, document.source.text
    for place in range(at, max(-1, at - _BEFORE_A_MARK - 1), -1):
        if place == 0 or len(f"{text[made.starts[place - 1] : made.starts[place]]}.".splitlines()) > 1:
            return True
        if made.folded[place - 1] not in " >\"'([-":
            return False
    return False


def _words(name: str, count: int, in_title: bool) -> str:
    places = [f"{count} sentence{'s' * (count != 1)}"] if count else []
    places += ["its title"] if in_title else []
    shown = f" (the first {_MOST_SHOWN} are shown)" if count > _MOST_SHOWN else ""
    return (
        f"Words in {name} read like instructions to a language model, in {' and in '.join(places)}{shown}; "
        "they were treated as text."
    )


# --- characters ------------------------------------------------------------------------------------------------------


class _Unseen(Value, frozen=True, kw_only=True):
    """Characters in a row that are not seen."""

    kind: str
    count: int
    spelled: str
    """What tags say in ASCII."""


def _unseen(document: Searchable) -> Iterator[_Unseen]:
    """The invisible characters outside masked spans that are left out of prompts; marks that a script needs are not."""
    text = document.source.text
    found = [match for match in _UNSEEN.finditer(text) if match.lastgroup != "flag"]
    excused = any(match.lastgroup == "marks" for match in found) and _is_right_to_left(text)
    for match in found:
        kind = match.lastgroup or ""
        if (kind == "marks" and excused) or document.is_masked(Span(start=match.start(), end=match.end())):
            continue
        spelled = "".join(chr(ord(char) - _TAG) for char in match[0]) if kind == "tags" else ""
        yield _Unseen(kind=kind, count=len(match[0]), spelled="".join(filter(str.isprintable, spelled)))


def _is_right_to_left(text: str) -> bool:
    """Say whether a text has letters of a script that is written from right to left."""
    return any(char.isalpha() and unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in set(text))


def _characters(name: str, unseen: Sequence[_Unseen]) -> str:
    """What is said of invisible characters; never what they spell."""
    count = sum(one.count for one in unseen)
    tags = any(one.kind == "tags" for one in unseen)
    directions = any(one.kind != "tags" for one in unseen)
    kinds = " and ".join(["Unicode tags"] * tags + ["controls of the direction of writing"] * directions)
    spelled = "".join(one.spelled for one in unseen)
    is_text = sum(map(str.isalpha, spelled)) >= _FEWEST_HIDDEN_LETTERS
    hidden = f", among them a hidden text of {len(spelled)} characters" if is_text else ""
    return (
        f"{count} invisible character{'s' * (count != 1)} ({kinds}) in {name} "
        f"{'was' if count == 1 else 'were'} left out of what a model reads{hidden}."
    )
