"""What one summary says that another says too, otherwise, or not at all: small summaries that can be checked by eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import point, summary
from msgspec.structs import replace

from service.core.comparison import Change, ChangeKind, EntryLabel, LedgerCounts, LedgerEntry
from service.core.errors import InvalidRequest
from service.core.ledger import MATERIAL, carried, changed, counts, ledger, sentence, unstable
from service.core.types import Attribution, Date, Entity, Evidence, KeyPoint, Number, Options, Polarity, Stance
from service.core.types import SummaryResult as Result

FIRST, SECOND, THIRD, FOURTH, FIFTH = SENTENCES = (
    "A passage is cited here",
    "Something else is said in this one",
    "Then there was a third passage",
    "Later came what was told last week",
    "At the end stood a remark",
)
SOURCE = ". ".join(SENTENCES) + "."
LABELS = ("same", "reworded", "changed", "contradicts", "gained", "lost")


def claim(
    name: str,
    text: str,
    *quotes: str,
    stance: Stance = "asserted",
    polarity: Polarity = "affirmed",
    who: str | None = None,
    **fields: object,
) -> KeyPoint:
    """A key point that matters little, and cites the first sentence where nothing else is said."""
    given_fields = {"importance": "should", "attribution": Attribution(who=who, type="named" if who else "author")}
    return point(
        name,
        text,
        *(quotes or (FIRST,)),
        source=SOURCE,
        stance=stance,
        polarity=polarity,
        **{**given_fields, **fields},
    )


def result(*points: KeyPoint, language: str | None = "en", asked: str | None = None) -> Result:
    """A summary of the source."""
    made = summary(*points, source=SOURCE)
    documents = tuple(replace(facts, language=language) for facts in made.documents)
    manifest = replace(made.manifest, parameters=Options(language=asked))
    return replace(made, documents=documents, manifest=manifest)


def entry_of(a: KeyPoint, b: KeyPoint, language: str | None = "en", asked: str | None = None) -> LedgerEntry:
    """The one entry of two summaries of one claim each."""
    (found,) = ledger(result(a, language=language, asked=asked), result(b, language=language, asked=asked))
    return found


def pair(
    a: str, b: str, of_a: Stance = "asserted", of_b: Stance = "asserted", language: str | None = "en"
) -> LedgerEntry:
    """The entry of two claims that cite the same."""
    return entry_of(claim("k1", a, stance=of_a), claim("k2", b, stance=of_b), language)


def test_what_only_one_claim_of_a_pair_says_is_named() -> None:
    """To say less is no change; the number, date and name that fell are shown all the same."""
    found = pair(
        "Scott Kelly, a veteran of four space flights, joined the project in May 2020.",
        "Scott Kelly joined the project.",
    )
    assert found.label == "reworded"
    assert set(found.only_a) == {"four", "May 2020"}
    assert found.only_b == ()
    assert pair("Kelly flew with Wiseman.", "Kelly flew.").only_a == ("Wiseman",)
    changed = pair("Kelly flew for 340 days.", "Kelly flew for 430 days.")
    assert (changed.label, changed.only_a, changed.only_b) == ("contradicts", (), ())


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Kelly flew.", "Kelly flew."),
        ("Kelly flew on “Endurance”", "kelly  flew on 'Endurance'."),
        ("A film is set for 2027.", "The film is set for 2027."),
        ("It is the first feature-length film.", "It is the first feature length film."),
        ("It isn’t late.", "It isn't late."),
        ("—", "—"),
        ("", ""),
    ],
)
def test_typography_case_and_articles_leave_a_claim_the_same(a: str, b: str) -> None:
    """Nobody reads another claim."""
    assert pair(a, b).label == "same"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Scott Kelly flew for 340 days.", "Kelly flew for 340 days."),
        ("Kelly flew for two days.", "Kelly flew for 2 days."),
        ("It cost 1,600 crowns.", "It cost 1600 crowns."),
        ("It cost 1,600 dollars.", "It cost $1600."),
        ("It happened on 5 May.", "It happened on May 5, 2020."),
        ("It happened on May 5, 2020.", "It happened in 2020."),
        ("Kelly joined as script advisor.", "Kelly joined as script adviser."),
        ("Kelly flew.", "Kelly flew for 340 days in 2015 with Wiseman."),
        ("About 340 people died.", "345 people died."),
        ("It took 24 months.", "It took two years."),
        ("Half a million people came.", "500,000 people came."),
        ("Kelly flew twice.", "Kelly made two flights."),
        ("NASA built it.", "The National Aeronautics and Space Administration built it."),
        ("The rate is 5 per cent.", "The rate is 5%."),
        ("The cast has not been disclosed.", "The cast is being kept secret."),
        ("Some were filmed, but not all.", "Not all were filmed, but some were."),
        ("The bridge closes next week.", "The bridge closes next month."),
        ("Is it late?", "It is late."),
    ],
)
def test_other_words_and_less_detail_reword_a_claim(a: str, b: str) -> None:
    """What one side leaves out, or gives less fully, does not differ."""
    found = pair(a, b)
    assert (found.label, found.changes) == ("reworded", ())


@pytest.mark.parametrize(
    ("a", "b", "kind", "shown"),
    [
        ("Eight people died.", "Nine people were killed.", "number", ("Eight", "Nine")),
        ("More than 60 people died.", "Fewer than 60 people died.", "number", ("More than 60", "Fewer than 60")),
        ("In all, 9 men took 2 months.", "In all, 9 men took 2 years.", "number", ("2 months", "2 years")),
        ("Sales rose 5% to 3 million.", "Sales rose 6% to 3 million.", "number", ("5%", "6%")),
        ("It began in 2014 and ends in 2027.", "It began in 2014 and ends in 2028.", "date", ("2027", "2028")),
        ("Kelly flew for 340 days.", "Wiseman flew for 340 days.", "name", ("Kelly", "Wiseman")),
        ("Kelly and Wiseman flew.", "Kelly and Hansen flew.", "name", ("Wiseman", "Hansen")),
        ("The film is directed by Liman.", "The film is directed by Fincher.", "name", ("Liman", "Fincher")),
        ("It is by Andrea Rossi.", "It is by Domenico Rossi.", "name", ("Andrea Rossi", "Domenico Rossi")),
    ],
)
def test_another_value_of_the_same_thing_changes_a_claim(
    a: str, b: str, kind: ChangeKind, shown: tuple[str, str]
) -> None:
    """Both are shown as they are written."""
    found = pair(a, b)
    assert (found.label, found.changes) == ("changed", (Change(kind=kind, a=shown[0], b=shown[1]),))


def test_a_number_of_something_else_changes_nothing() -> None:
    """Two missions and 340 days may both be so."""
    assert pair("Kelly flew two missions.", "Kelly spent 340 days aboard.").label == "reworded"
    assert pair("Kelly flew in 2015.", "Kelly was aboard on Monday.").label == "reworded"


@pytest.mark.parametrize(
    ("a", "b", "of_a", "of_b", "shown"),
    [
        ("Kelly flew.", "Kelly flew.", "asserted", "reported", ("asserted", "reported")),
        ("Kelly flew.", "Kelly reportedly flew.", "asserted", "asserted", ("asserted", "reported")),
        ("Kelly may fly.", "Kelly will fly.", "conditional", "planned", ("conditional", "planned")),
        ("Kelly may fly.", "Kelly flies.", "asserted", "asserted", ("conditional", "asserted")),
    ],
)
def test_another_stance_changes_a_claim(a: str, b: str, of_a: Stance, of_b: Stance, shown: tuple[str, str]) -> None:
    """By what is given beside the words, or by the words where that says nothing."""
    found = pair(a, b, of_a, of_b)
    assert (found.label, found.changes) == ("changed", (Change(kind="stance", a=shown[0], b=shown[1]),))


@pytest.mark.parametrize(
    ("a", "b", "of_a", "of_b"),
    [
        ("He has confirmed that he will fly.", "He confirmed he will fly.", "confirmed", "planned"),
        ("Insiders say it is late.", "It is late, say insiders.", "claimed", "reported"),
        ("Kelly reportedly flew.", "Kelly reportedly flew again.", "asserted", "reported"),
        ("It happened on 5 May.", "It happened on that day.", "asserted", "asserted"),
        ("Musk is a father.", "Musk may be busy, as Musk is a father.", "asserted", "conditional"),
    ],
)
def test_words_that_agree_outweigh_labels_that_do_not(a: str, b: str, of_a: Stance, of_b: Stance) -> None:
    """Models label one sentence in two ways; a month is no “may”, and a reason is taken for granted."""
    assert pair(a, b, of_a, of_b).label == "reworded"


@pytest.mark.parametrize(
    ("who", "other", "differs"),
    [
        ("Kelly", "Musk", True),
        ("Kelly", None, True),
        ("Scott Kelly", "Kelly", False),
        ("the author", None, False),
        ("NASA officials", "Officials", False),
        ("insiders", "critics", True),
    ],
)
def test_another_speaker_changes_a_claim(who: str | None, other: str | None, *, differs: bool) -> None:
    """One who is named less fully is the same."""
    text = "The film is late."
    found = entry_of(claim("k1", text, who=who), claim("k1", text, who=other))
    expected = (Change(kind="speaker", a=who or "", b=other or ""),) if differs else ()
    assert (found.label, found.changes) == ("changed" if differs else "same", expected)


def test_a_speaker_in_the_words_is_named() -> None:
    """A label that is missing beside them takes nothing away; words that no longer have anybody say it, do."""
    said = claim("k1", "Kelly said that he flew.", who="Kelly", stance="reported")
    assert entry_of(said, claim("k1", "According to Kelly, he flew.", stance="reported")).label == "reworded"
    assert [change.kind for change in entry_of(said, claim("k1", "Kelly flew.")).changes] == ["stance", "speaker"]


def test_who_does_something_may_be_given_as_who_says_so() -> None:
    """The words are the same."""
    a = claim("k1", "The board resolved to sell.", who="the board", stance="reported")
    assert entry_of(a, claim("k1", "The board has resolved to sell.")).label == "reworded"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("It will be part of the series.", "It will not be part of the series."),
        ("No studio has signed on to the film.", "A studio has signed on to the film."),
        ("The council approved the plan.", "The council rejected the plan."),
        ("All scenes will be filmed in orbit.", "Not all scenes will be filmed in orbit."),
        ("Kelly flew for 340 days.", "Kelly flew for 430 days."),
        ("The film is set for 2027.", "The film is set for 2028."),
        ("The vote is on Monday.", "The vote is on Tuesday."),
        ("It cost $5 million.", "It cost £5 million."),
    ],
)
def test_claims_that_cannot_both_hold_contradict_each_other(a: str, b: str) -> None:
    """Opposites, and two values of one number or date; what they differ in is named."""
    found = pair(a, b)
    assert found.label == "contradicts"
    assert len(found.changes) == 1


def test_to_assert_what_is_only_denied_contradicts_it() -> None:
    """Where both cite the same."""
    a = claim("k1", "The company dumped waste in the river.")
    b = claim("k1", "The company denied that it dumped waste in the river.", stance="denied", who="the company")
    assert entry_of(a, b).label == "contradicts"


def test_what_two_speakers_say_is_no_contradiction() -> None:
    """Both may have said so."""
    a = claim("k1", "It will be part of the series.", who="Kelly", stance="reported")
    b = claim("k1", "It will not be part of the series.", who="Musk", stance="reported")
    assert (entry_of(a, b).label, [change.kind for change in entry_of(a, b).changes]) == (
        "changed",
        ["polarity", "speaker"],
    )


def test_a_guess_is_no_contradiction() -> None:
    """What may not be may still be."""
    found = pair("It will be part of the series.", "It may not be part of the series.", "planned", "conditional")
    assert found.label == "changed"


def test_numbers_that_the_source_has_both_are_no_contradiction() -> None:
    """They may be of two things, whatever the claims make of them."""
    quote = "He spent 340 days in one flight and 520 days in all"
    place = Evidence(
        document="d1", sentence=1, quote=quote, start=0, end=len(quote), prefix="", suffix="", match="exact"
    )
    a, b = (replace(claim("k1", f"Kelly spent {days} days in space."), evidence=(place,)) for days in (340, 520))
    assert entry_of(a, b).label == "changed"


def test_numbers_of_other_passages_are_no_contradiction() -> None:
    """Where claims are one by their words alone, the source may have said both."""
    a = result(claim("k1", "Kelly flew for 340 long days.", FIRST))
    b = result(claim("k1", "Kelly flew for 430 long days.", SECOND))
    (found,) = ledger(a, b)
    assert (found.by, found.label) == ("text", "changed")


def test_polarity_that_only_labels_give_is_none() -> None:
    """English words say it themselves."""
    found = entry_of(claim("k1", "The cast is secret."), claim("k1", "The cast is secret.", polarity="negated"))
    assert found.label == "same"


def test_clear_words_that_the_labels_confirm_change_polarity() -> None:
    """Where forms of the verb hide that it is the same one."""
    found = entry_of(
        claim("k1", "Kelly flew to the station."), claim("k1", "Kelly did not fly to the station.", polarity="negated")
    )
    assert (found.label, found.changes) == ("changed", (Change(kind="polarity", a="affirmed", b="negated"),))


def test_names_of_one_entity_are_one() -> None:
    """“ISS” is the International Space Station, where the summaries say so."""
    entity = Entity(id="e1", name="Orbital Base", aliases=("Zvezda",), type="place", name_conflict=(), mentions=())
    a, b = claim("k1", "Kelly flew to Zvezda."), claim("k1", "Kelly flew to Orbital Base.")
    (known,) = ledger(replace(result(a), entities=(entity,)), result(b))
    (unknown,) = ledger(result(a), result(b))
    assert (known.label, unknown.label) == ("reworded", "changed")


def test_numbers_given_beside_words_that_hold_none_count() -> None:
    """As do dates."""
    a, b = (claim("k1", "Kelly flew for a year.", numbers=(Number(text=n, value=n),)) for n in ("340", "430"))
    assert [change.kind for change in entry_of(a, b).changes] == ["number"]
    a, b = (claim("k1", "Kelly flew then.", dates=(Date(text="then", iso=iso),)) for iso in ("2015", "2016"))
    assert [change.kind for change in entry_of(a, b).changes] == ["date"]


def test_what_is_given_beside_the_words_may_be_wrong() -> None:
    """The words are what a reader sees, and garbage is none."""
    a = claim("k1", "Kelly flew for 340 days.", numbers=(Number(text="430", value="430"),))
    b = claim("k1", "Kelly flew.", numbers=(Number(text="many", value="1e9"),), dates=(Date(text="then", iso="soon"),))
    assert entry_of(a, claim("k1", "Kelly flew for 340 days.")).label == "same"
    assert entry_of(a, b).label == "reworded"


# --- other languages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "label"),
    [
        ("Der Film hat 340 Szenen.", "Der Film hat 430 Szenen.", "contradicts"),
        ("Der Film hat 1.600 Szenen.", "Der Film hat 1600 Szenen.", "reworded"),
        ("Der Film kommt 2027.", "Der Film kommt 2028.", "contradicts"),
        ("Der lange Film kommt erst 2027.", "Der Film kommt 2028 heraus.", "changed"),
        ("Das Haus wird nicht gebaut.", "Das Haus wird gebaut.", "reworded"),
        ("Der Rat will das Haus bauen.", "Der Rat will not das Haus bauen.", "reworded"),
        ("Kelly fliegt.", "Musk fliegt.", "reworded"),
        ("太空电影将于2027年上映。", "太空电影将于2027年上映。", "same"),
    ],
)
def test_words_of_other_languages_are_not_read(a: str, b: str, label: EntryLabel) -> None:
    """Digits are."""
    assert pair(a, b, language="de").label == label


def test_labels_of_other_languages_count_and_contradict_nothing() -> None:
    """There is nothing else to go by."""
    a, b = claim("k1", "Es kommt."), claim("k1", "Es kommt nicht.", polarity="negated", stance="denied", who="Kelly")
    found = entry_of(a, b, "de")
    assert (found.label, [change.kind for change in found.changes]) == ("changed", ["polarity", "stance", "speaker"])


def test_the_language_asked_for_is_that_of_the_claims() -> None:
    """A summary in German of an English text is German, and the other way round; where none is known, words tell."""
    a, b = claim("k1", "It will be part of the series."), claim("k1", "It will not be part of the series.")
    assert entry_of(a, b, "en", "de").label == "reworded"
    assert entry_of(a, b, "de", "en").label == "contradicts"
    assert entry_of(a, b, None).label == "contradicts"
    foreign = pair("Der Film und das Haus hat will.", "Der Film und das Haus hat will not.", language=None)
    assert foreign.label == "reworded"


# --- one side only, order, weight ------------------------------------------------------------------------------------


def test_what_only_one_side_has_stands_where_it_belongs() -> None:
    """By place in the source, whatever the order in the summaries."""
    a = result(claim("k1", "It ended.", FIFTH), claim("k2", "It began.", FIRST), claim("k3", "It rained.", THIRD))
    b = result(claim("k1", "Snow fell.", FOURTH), claim("k2", "It ended.", FIFTH), claim("k3", "Wind blew.", SECOND))
    found = [(entry.label, entry.a, entry.b) for entry in ledger(a, b)]
    assert found == [
        ("lost", "k2", None),
        ("gained", None, "k3"),
        ("lost", "k3", None),
        ("gained", None, "k1"),
        ("same", "k1", "k2"),
    ]


def test_nothing_against_nothing_is_nothing() -> None:
    """And something against nothing is lost."""
    assert ledger(result(), result()) == ()
    assert [entry.label for entry in ledger(result(claim("k1", "It began.")), result())] == ["lost"]
    assert [entry.label for entry in ledger(result(), result(claim("k1", "It began.")))] == ["gained"]


@pytest.mark.parametrize(
    ("one", "weight", "reasons"),
    [
        (claim("k1", "It ended.", FIFTH), 0.0, ()),
        (claim("k1", "It began.", FIRST), 0.5, ("lead",)),
        (claim("k1", "It ended in 2015.", FIFTH), 0.5, ("number",)),
        (claim("k1", "It ended after two days.", FIFTH), 0.5, ("number",)),
        (claim("k1", "It was the first to end.", FIFTH), 0.0, ()),
        (claim("k1", "It ended.", FIFTH, importance="must"), 1.0, ("must",)),
        (claim("k1", "It began in 2015.", THIRD, importance="must"), 2.0, ("must", "lead", "number")),
    ],
)
def test_a_loss_weighs_by_what_a_reader_misses(one: KeyPoint, weight: float, reasons: tuple[str, ...]) -> None:
    """What a reader has to know, what the lead says, numbers and dates; that something is the first is no number."""
    (found,) = ledger(result(one), result())
    assert (found.weight, found.reasons) == (weight, reasons)
    assert counts([found]).lost_material == (weight >= MATERIAL)


def test_masked_sentences_are_no_lead() -> None:
    """Where it is known which sentences can be read."""
    one = result(claim("k1", "It rained.", FOURTH))
    digest = one.documents[0].sha256
    assert ledger(one, result(), lead={digest: frozenset({2, 3, 4})})[0].reasons == ("lead",)
    assert ledger(one, result(), lead={"other": frozenset({4})})[0].reasons == ()


@pytest.mark.parametrize(("times", "versions", "common"), [(2, 3, True), (1, 2, False), (2, 2, False), (2, 4, False)])
def test_what_most_versions_carry_weighs_more(times: int, versions: int, *, common: bool) -> None:
    """More than half of three or more."""
    one = result(claim("k1", "It ended.", FIFTH))
    (found,) = ledger(one, result(), carried_a={"k1": times}, versions=versions)
    assert found.reasons == (("common",) if common else ())


def test_a_pair_weighs_as_its_heavier_side() -> None:
    """A must that became a should still matters."""
    a, b = claim("k1", "It ended.", FIFTH, importance="must"), claim("k1", "It has ended.", FIFTH)
    for found in (entry_of(a, b), entry_of(b, a)):
        assert (found.weight, found.reasons) == (1.0, ("must",))


def test_a_claim_that_cites_no_place_is_refused() -> None:
    """It cannot be held against anything."""
    broken = claim("k1", "It began.")
    broken = replace(broken, evidence=(replace(broken.evidence[0], document="d9"),))
    with pytest.raises(InvalidRequest, match="no such place"):
        ledger(result(broken), result())


# --- what it comes to ------------------------------------------------------------------------------------------------


def entry(label: EntryLabel, *kinds: ChangeKind, must: bool = False, weight: float = 0.0) -> LedgerEntry:
    """An entry by what is counted of it."""
    return LedgerEntry(
        label=label,
        a=None,
        b=None,
        changes=tuple(Change(kind=kind, a="", b="") for kind in kinds),
        weight=weight,
        reasons=("must",) if must else (),
    )


def test_entries_are_counted_by_label() -> None:
    """Those that a reader has to know, and losses that matter, once more."""
    found = counts(
        [
            *(entry(label) for label in ("same", "same", "reworded", "contradicts", "lost")),
            entry("changed", "number"),
            entry("gained", must=True, weight=1.0),
            entry("lost", must=True, weight=1.5),
            entry("same", must=True, weight=1.5),
        ]
    )
    assert found == LedgerCounts(
        same=3, reworded=1, changed=1, contradicts=1, gained=1, lost=2, gained_must=1, lost_must=1, lost_material=1
    )


def test_the_headline_says_what_there_is() -> None:
    """And no zeros but that of what stayed the same."""
    found = [entry("changed", "stance"), entry("changed", "number", "speaker"), entry("changed", "number")]
    told = [entry("contradicts", "number"), entry("reworded"), entry("gained", must=True), entry("lost"), *found]
    assert sentence("a@1", "b@2", counts(told), changed(told)) == (
        "b@2 against a@1: 0 same, 1 reworded, +1 gained (1 must), -1 lost, 2 changed numbers, 1 changed stance, "
        "1 contradicts"
    )
    assert sentence("a", "b", LedgerCounts(same=2)) == "b against a: 2 same"
    assert sentence("a", "b", LedgerCounts(changed=2, contradicts=2)) == "b against a: 0 same, 2 changed, 2 contradict"


def test_a_headline_counts_every_claim_once() -> None:
    """By the change that matters most; what contradicts is told by itself."""
    told = [entry("changed", "date", "stance"), entry("changed", "polarity"), entry("contradicts", "number")]
    assert [change.kind for change in changed(told)] == ["date", "polarity"]


# --- whichever comes first -------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(
    [
        "Kelly flew for 340 days.",
        "Kelly flew for 430 days in 2015.",
        "Wiseman flew for two days.",
        "Scott Kelly did not fly.",
        "It may be late, insiders say.",
        "It is late and costs $5 million.",
        "Der Film kommt nicht.",
        "",
        "—",
    ]
)
CLAIMS = st.lists(
    st.builds(
        lambda text, quotes, stance, who, importance: claim(
            "", text, *quotes, stance=stance, who=who, importance=importance
        ),
        TEXTS,
        st.lists(st.sampled_from([*SENTENCES, SOURCE, FIRST[:12]]), min_size=1, max_size=2),
        st.sampled_from(["asserted", "reported", "planned", "denied"]),
        st.sampled_from([None, "Kelly", "Musk"]),
        st.sampled_from(["must", "should"]),
    ),
    max_size=6,
)
RESULTS = st.builds(
    lambda points, language: result(*(replace(one, id=f"k{n}") for n, one in enumerate(points, 1)), language=language),
    CLAIMS,
    st.sampled_from(["en", "de", None]),
)


def mirrored(entries: tuple[LedgerEntry, ...]) -> list[LedgerEntry]:
    """The same entries with their sides exchanged."""
    turned: dict[EntryLabel, EntryLabel] = {"gained": "lost", "lost": "gained"}
    return [
        replace(
            one,
            label=turned.get(one.label, one.label),
            a=one.b,
            b=one.a,
            only_a=one.only_b,
            only_b=one.only_a,
            changes=tuple(Change(kind=change.kind, a=change.b, b=change.a) for change in one.changes),
        )
        for one in entries
    ]


def ordered(entries: list[LedgerEntry]) -> list[LedgerEntry]:
    """Entries in an order that does not depend on where they stand."""
    return sorted(entries, key=lambda one: (one.a or "", one.b or ""))


@given(RESULTS, RESULTS)
def test_to_exchange_two_summaries_exchanges_the_sides(a: Result, b: Result) -> None:
    """And nothing else: pairs stay, gained is lost."""
    assert ordered(list(ledger(b, a))) == ordered(mirrored(ledger(a, b)))


@given(RESULTS, RESULTS)
def test_every_claim_has_its_entry(a: Result, b: Result) -> None:
    """One that is lost or gained has no other."""
    found = ledger(a, b)
    assert {one.a for one in found} - {None} == {point.id for point in a.key_points}
    assert {one.b for one in found} - {None} == {point.id for point in b.key_points}
    single = [one.a or one.b for one in found if one.label == "lost"]
    assert len(single) == len(set(single))
    assert not {one.a for one in found if one.label == "lost"} & {one.a for one in found if one.b is not None}


@given(RESULTS)
def test_a_summary_against_itself_is_the_same(one: Result) -> None:
    """Whatever it says; its ids and the order of its documents play no part."""
    assert {found.label for found in ledger(one, one)} <= {"same"}
    assert len(ledger(one, one)) == len(one.key_points)


def test_documents_are_matched_by_their_digests() -> None:
    """Their ids in two summaries may differ."""
    a = result(claim("k1", "It began."))
    other = claim("k1", "It began.")
    other = replace(other, evidence=(replace(other.evidence[0], document="x7"),))
    b = replace(a, key_points=(other,), documents=(replace(a.documents[0], id="x7"),))
    assert [entry.label for entry in ledger(a, b)] == ["same"]


def test_five_hundred_claims_are_held_against_five_hundred() -> None:
    """Each finds its own."""
    source = " ".join(f"Station {n} reported the level of its river." for n in range(500))
    texts = [f"Station {n} reported the level of its river." for n in range(500)]
    a, b = (
        summary(*(point(f"k{n}", text, text, source=source) for n, text in enumerate(order)), source=source)
        for order in (texts, texts[::-1])
    )
    found = ledger(a, b)
    assert {entry.label for entry in found} == {"same"}
    assert len(found) == 500


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"{n} days in {1900 + n % 99} with Kelly{n}," for n in range(2_000)),
        "9" * 5_000 + " years ago it cost $" + "9" * 5_000,
        "A" * 50_000,
        "\u0301\u200d🚀" * 500,
        "１２３ ٣٤٠ ¼ ² Ⅷ days",
        "not " * 3_000,
    ],
    ids=["numbers", "digits", "letters", "marks", "scripts", "negations"],
)
def test_whatever_a_model_writes_is_read(text: str) -> None:
    """In time that grows with its length."""
    a, b = claim("k1", text), claim("k1", f"{text} and 5 more.")
    assert entry_of(a, a).label == "same"
    assert entry_of(a, b).label in LABELS


# --- of more than two ------------------------------------------------------------------------------------------------


def test_a_claim_stands_in_the_versions_that_make_it() -> None:
    """In whatever words; one with another number is another claim."""
    first = result(claim("k1", "Kelly flew for 340 days."), claim("k2", "It ended.", FIFTH))
    second = result(claim("k1", "For 340 days, Kelly flew."))
    third = result(claim("k9", "It has ended.", FIFTH), claim("k2", "Kelly flew for 430 days."))
    assert carried([first, second, third]) == ({"k1": 2, "k2": 2}, {"k1": 2}, {"k9": 2, "k2": 1})
    assert carried([first]) == ({"k1": 1, "k2": 1},)
    assert carried([]) == ()


def test_what_not_every_repetition_says_is_unstable() -> None:
    """Each claim once, in the order of the source; a number that varies makes two."""
    first = result(claim("k1", "It ended.", FIFTH), claim("k2", "Kelly flew for 340 days."))
    second = result(claim("k1", "It has ended.", FIFTH), claim("k2", "Kelly flew for 340 days."))
    third = result(claim("k1", "Kelly flew for 430 days."))
    assert unstable([first, second, third]) == (
        "Kelly flew for 340 days.",
        "Kelly flew for 430 days.",
        "It ended.",
    )


def test_repetitions_that_agree_are_stable() -> None:
    """And one alone says nothing about it."""
    one = result(claim("k1", "It ended.", FIFTH))
    assert unstable([one, one, one]) == unstable([one]) == unstable([]) == ()


def test_a_repetition_without_claims_makes_all_unstable() -> None:
    """Nothing stands in every one."""
    assert unstable([result(claim("k1", "It ended.", FIFTH)), result()]) == ("It ended.",)
