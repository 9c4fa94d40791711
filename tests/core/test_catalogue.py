"""What a reference means: everything is found among what was loaded, and what is not there is not made up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.core.catalogue import Catalogue, Event, check_prompt, latest, listed, listing, parent, pinned, resolve
from service.core.errors import InvalidRequest, NotFound, PrecisError, PromptWithdrawn
from service.core.prompts import FrontMatter, Parameters, PromptVersion, Template, digest


def version(number: int, *, name: str = "news", dirty: bool = False, text: str = "", up: int | None = None) -> Any:
    """A version whose text is its number, unless another is given."""
    front = FrontMatter(
        name=name,
        version=number,
        change="c",
        output="key-points/1",
        order="claim_first",
        params=Parameters(max_output_tokens=9),
        parent=up,
    )
    stages = {"map": Template(system="s", user=text or str(number))}
    return PromptVersion(front=front, stages=stages, digest=digest(front, stages), dirty=dirty)  # type: ignore[arg-type]


ONE, TWO, THREE = (version(number, up=number - 1 or None) for number in (1, 2, 3))
DRAFT = version(5, dirty=True)
SHOP = Catalogue(
    released=(ONE, TWO, THREE),
    drafts=(DRAFT,),
    labels={"news": {"production": 1, "candidate": 3}},
    withdrawn={"news": {2: "It loses numbers."}},
)
DEV = replace(SHOP, dev=True)


def found(text: str, catalogue: Catalogue = SHOP, **how: bool) -> PromptVersion:
    """The version that a reference means."""
    return resolve(text, catalogue, **how).version


def refused(text: str, kind: type[PrecisError], catalogue: Catalogue = SHOP, **how: bool) -> str:
    """Why a reference means nothing."""
    with pytest.raises(kind) as raised:
        resolve(text, catalogue, **how)
    return raised.value.detail


# --- latest ----------------------------------------------------------------------------------------------------------


def test_a_name_alone_means_the_highest_released_version_by_number() -> None:
    """By number and not by letters, and whatever the order."""
    catalogue = Catalogue(released=tuple(version(number) for number in (2, 10, 9)))
    assert found("news", catalogue).id == "news@10"
    assert found("news@latest", catalogue).id == "news@10"


def test_a_name_alone_never_means_a_withdrawn_version_or_a_draft() -> None:
    """Not even where withdrawn versions may be read, or drafts used."""
    catalogue = replace(SHOP, labels={}, withdrawn={"news": {3: "bad"}}, dev=True)
    assert found("news", catalogue).id == "news@2"
    assert found("news@latest", catalogue, withdrawn_too=True).id == "news@2"


@pytest.mark.parametrize("released", [(), (ONE,)])
def test_where_no_version_can_be_meant_none_is(released: tuple[PromptVersion, ...]) -> None:
    """A prompt that has drafts or withdrawn versions only has no latest one; a withdrawn one is no fallback."""
    catalogue = Catalogue(released=released, drafts=(DRAFT,), withdrawn={"news": {1: "bad"}})
    assert latest("news", catalogue) is None
    assert "no released version that is not withdrawn" in refused("news", NotFound, catalogue)


@given(st.sets(st.integers(1, 30), min_size=1), st.data())
def test_the_latest_version_is_the_highest_of_those_that_are_left(numbers: set[int], data: st.DataObject) -> None:
    """Whatever is released, in whatever order, and whatever is withdrawn of it."""
    order = data.draw(st.permutations(sorted(numbers)))
    gone = data.draw(st.sets(st.sampled_from(order)))
    catalogue = Catalogue(
        released=tuple(version(number) for number in order), withdrawn={"news": dict.fromkeys(gone, "bad")}
    )
    highest = latest("news", catalogue)
    assert (highest.front.version if highest else None) == max(numbers - gone, default=None)


# --- numbers, labels, digests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number", "label"),
    [
        ("news@1", 1, None),
        ("news@production", 1, "production"),
        ("news@candidate", 3, "candidate"),
        ("news@latest", 3, None),
        (f"news@sha256:{THREE.digest[:8]}", 3, None),
        (f"news@sha256:{THREE.digest.upper()}", 3, None),
        (f"news@3+dirty.{THREE.digest[:8]}", 3, None),
    ],
)
def test_a_reference_means_one_version_and_keeps_its_label(text: str, number: int, label: str | None) -> None:
    """A label is kept, as the version it is on is another one tomorrow; `latest` is none."""
    resolved = resolve(text, SHOP)
    assert (resolved.version.front.version, resolved.label) == (number, label)


@pytest.mark.parametrize("one", [ONE, TWO, THREE, DRAFT])
def test_every_version_is_found_by_what_it_is_called(one: PromptVersion) -> None:
    """Its id is a reference to it, and so is its digest."""
    assert found(one.id, DEV, withdrawn_too=True) == one
    assert found(f"news@sha256:{one.digest}", DEV, withdrawn_too=True) == one


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nws", ["no prompt 'nws'", "Did you mean news?", "There are: news."]),
        ("nws@production", ["no prompt 'nws'", "Did you mean news?"]),
        ("news@4", ["no released prompt news@4", "There are: news@1, news@2, news@3."]),
        ("news@prodution", ["no label prodution", "Did you mean production?", "production (news@1)"]),
        ("news@staging", ["no label staging", "candidate (news@3)", "precis prompts label news@N staging"]),
        ("news@sha256:00000000", ["digest that begins so", ONE.digest[:12], "news@3"]),
        ("news@1+dirty.00000000", ["no news@1+dirty.00000000", "is now news@1"]),
        ("news@4+dirty.00000000", ["no released prompt news@4+dirty.00000000"]),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(text: str, says: list[str]) -> None:
    """The nearest names, and all there are; a missing label is never taken for something else."""
    detail = refused(text, NotFound)
    assert [word for word in says if word not in detail] == []


def test_names_of_other_prompts_do_not_mix() -> None:
    """Versions, labels, withdrawals and digests belong to their prompt."""
    other = version(2, name="other")
    catalogue = replace(SHOP, released=(*SHOP.released, other))
    assert found("other", catalogue) == other
    assert other.digest == TWO.digest
    assert "other has no label production. Labels there: none." in refused("other@production", NotFound, catalogue)
    assert found(f"other@sha256:{TWO.digest[:8]}", catalogue) == other


def test_a_digest_that_two_versions_have_is_an_error() -> None:
    """Versions that say the same have one digest: a number tells them apart, nothing else does."""
    again = version(4, text="1")
    catalogue = Catalogue(released=(ONE, again))
    detail = refused(f"news@sha256:{ONE.digest}", InvalidRequest, catalogue)
    assert "fits more than one version: news@1, news@4" in detail


def test_an_empty_catalogue_says_so() -> None:
    """No prompt is made up."""
    assert refused("news", NotFound, Catalogue()) == "There is no prompt 'news'. There are: none."


def test_a_long_list_is_cut_in_messages() -> None:
    """The newest twenty are named."""
    catalogue = Catalogue(released=tuple(version(number) for number in range(1, 200)))
    detail = refused("news@999", NotFound, catalogue)
    assert "news@199" in detail
    assert len(detail) < 400


@given(st.text(max_size=30) | st.from_regex(r"news@[a-z0-9:+.]{0,12}", fullmatch=True))
def test_a_reference_means_a_loaded_version_or_is_refused(text: str) -> None:
    """Whatever a caller writes, nothing else comes of it."""
    try:
        one = found(text, DEV, withdrawn_too=True)
    except PrecisError:
        return
    assert one in (ONE, TWO, THREE, DRAFT)


# --- withdrawn versions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["news@2", f"news@sha256:{TWO.digest[:8]}", f"news@2+dirty.{TWO.digest[:8]}"])
def test_a_withdrawn_version_is_refused_with_the_reason_and_what_to_use(text: str) -> None:
    """By whatever name; it can still be read."""
    detail = refused(text, PromptWithdrawn)
    assert detail == "news@2 was withdrawn: It loses numbers. Use news@3 instead."
    assert found(text, withdrawn_too=True) == TWO


def test_a_withdrawn_version_says_so_where_there_is_no_other() -> None:
    """Nothing is offered in its place then."""
    catalogue = Catalogue(released=(ONE,), withdrawn={"news": {1: "bad"}})
    assert refused("news@1", PromptWithdrawn, catalogue).endswith("bad. No other version of it is released.")


def test_what_was_accepted_for_a_version_runs_after_it_was_withdrawn() -> None:
    """A promise is kept."""
    assert pinned("news@2", SHOP) == TWO


# --- drafts and edited versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["news@5", DRAFT.id])
def test_a_draft_is_not_found_and_the_message_says_how_to_use_it(text: str) -> None:
    """Releasing it or --dev, which are two different things."""
    detail = refused(text, NotFound)
    assert "precis prompts release news@5" in detail
    assert "--dev" in detail
    assert found(text, DEV) == DRAFT


def test_a_draft_is_not_found_by_its_digest_either() -> None:
    """Only what may be used is looked through."""
    assert "digest that begins so" in refused(f"news@sha256:{DRAFT.digest}", NotFound)


def test_a_draft_that_was_edited_is_not_what_was_named() -> None:
    """What its name says is gone; the message gives its present name."""
    assert f"is now {DRAFT.id}" in refused("news@5+dirty.00000000", NotFound, DEV)


def test_what_was_accepted_for_a_draft_runs_once_that_is_released_as_it_was() -> None:
    """It is the same text; and not when it was edited before, or is not used any more."""
    released = replace(SHOP, released=(*SHOP.released, replace(DRAFT, dirty=False)), drafts=())
    assert pinned(DRAFT.id, released).id == "news@5"
    edited = replace(SHOP, released=(*SHOP.released, version(5, text="edited")), drafts=())
    with pytest.raises(NotFound, match="is now news@5"):
        pinned(DRAFT.id, edited)
    with pytest.raises(NotFound, match="--dev"):
        pinned(DRAFT.id, SHOP)


def test_what_was_accepted_for_a_released_version_does_not_run_with_an_edited_one() -> None:
    """A summary is of the version that was promised, or of none."""
    edited = version(3, text="edited", dirty=True)
    catalogue = replace(DEV, released=(ONE, TWO, edited))
    assert found("news@3", catalogue) == found("news@candidate", catalogue) == edited
    with pytest.raises(NotFound, match=rf"news@3 was edited since .* is now {edited.id.replace('+', '.')}"):
        pinned("news@3", catalogue)


# --- parents and lists -----------------------------------------------------------------------------------------------


def test_a_parent_is_found_withdrawn_or_not() -> None:
    """A version without one, or whose parent is gone, says so."""
    assert parent(THREE, SHOP) == TWO
    with pytest.raises(InvalidRequest, match="news@1 has no parent"):
        parent(ONE, SHOP)
    with pytest.raises(NotFound, match="no released prompt news@7"):
        parent(version(8, up=7), SHOP)


def test_a_list_says_what_was_decided_about_each_version() -> None:
    """State, labels, reason, and when it was released where the history knows it."""
    event = Event(at="2026-01-02T03:04:05Z", action="release", prompt="news", to=3)
    again = replace(event, at="2026-02-02T03:04:05Z")
    rows = listing("news", replace(SHOP, history=(event, again)))
    assert [(one.version.id, one.state, one.labels, one.latest) for one in rows] == [
        ("news@1", "released", ("production",), False),
        ("news@2", "withdrawn", (), False),
        ("news@3", "released", ("candidate",), True),
    ]
    assert [one.withdrawn for one in rows] == [None, "It loses numbers.", None]
    assert [one.released_at for one in rows] == [None, None, "2026-01-02T03:04:05Z"]


def test_drafts_are_listed_where_they_are_used_or_asked_for() -> None:
    """And never twice."""
    assert [one.version.id for one in listing("news", DEV)][-1] == DRAFT.id
    for catalogue in (SHOP, DEV):
        rows = listing("news", catalogue, drafts_too=True)
        assert [one.state for one in rows] == ["released", "withdrawn", "released", "draft"]
    assert (SHOP.names, Catalogue(drafts=(DRAFT,)).names) == (("news",), ())


@pytest.mark.parametrize("name", ["nws", "../x", "", "n" * 10_000, "news@2", "news\n"])
def test_a_list_of_a_prompt_that_is_not_there_is_refused(name: str) -> None:
    """With a part of the name, and those there are."""
    with pytest.raises(NotFound, match="There are: news") as raised:
        listing(name, SHOP)
    assert len(raised.value.detail) < 200


def test_a_prompt_that_has_drafts_only_is_not_there_to_be_used() -> None:
    """The message says how it can be."""
    catalogue = Catalogue(drafts=(DRAFT,))
    with pytest.raises(NotFound, match="precis prompts release news@N"):
        listing("news", catalogue)
    assert listed(DRAFT, catalogue).state == "draft"


# --- what does not load ----------------------------------------------------------------------------------------------


def test_what_is_released_and_does_not_load_is_not_replaced_by_another_version() -> None:
    """Its name means nothing then, and neither does the prompt's where it is the latest: never the one before."""
    catalogue = replace(SHOP, released=(ONE, TWO), broken={"news": {3: "released"}})
    for text in ("news", "news@3", "news@candidate"):
        assert "news@3 is released, and does not load. `precis prompts verify`" in refused(text, NotFound, catalogue)
    assert latest("news", catalogue) is None
    assert not any(one.latest for one in listing("news", catalogue))
    assert found("news@1", catalogue) == ONE


def test_a_broken_version_that_is_withdrawn_or_older_leaves_the_latest_as_it_is() -> None:
    """Neither could be meant."""
    for broken, gone in (({1: "released"}, {}), ({9: "released"}, {9: "bad"}), ({9: "draft"}, {})):
        catalogue = Catalogue(released=(TWO, THREE), broken={"news": broken}, withdrawn={"news": gone})  # type: ignore[dict-item]
        assert found("news", catalogue) == THREE


def test_a_draft_that_does_not_load_is_said_to_be_one() -> None:
    """And a prompt that has no other version is there all the same."""
    catalogue = replace(SHOP, broken={"news": {7: "draft"}, "sport": {1: "draft"}})
    assert "news@7 is a draft that does not load" in refused("news@7", NotFound, catalogue)
    assert "sport@1 is a draft that does not load" in refused("sport@1", NotFound, catalogue)
    check_prompt("sport", catalogue)
    with pytest.raises(NotFound, match=r"There is no prompt 'spot'\. Did you mean sport\? There are: news, sport\."):
        check_prompt("spot", catalogue)
