"""How prompt versions are named: what is a reference, what is a label, and what is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import ConflictingReference, InvalidRequest
from service.core.prompt_names import Reference, label_fault, reference, select, shown

HOSTILE = [
    "",
    "@",
    "../x",
    "a/b",
    "a\\b",
    "news@../../etc/passwd",
    "news@%2e%2e",
    "n" * 10_000,
    "news@" + "1" * 10_000,
    "news@" + "a" * 10_000,
    "news@" + "@" * 10_000,
    "news\n",
    "news@2\n",
    "news@production\n",
    "news\x00",
    "news@\x00",
    "news@2\x00",
    "news @2",
    " news",
    "News",
    "news@",
    "news@@2",
    "news@2@",
    "news@-1",
    "news@+1",
    "news@1.0",
    "news@1e3",
    "news@v2",
    "news@②",
    "news@٢",
    "ｎews",
    "news@Production",
    "news@deadbeef",
    "news@sha256",
    "news@sha256:",
    "news@sha256:1234567",
    "news@sha256:" + "0" * 65,
    "news@sha256:6907aa4g",
    "news@5+dirty",
    "news@5+dirty.1a2b3c4",
    "news@5+dirty.1a2b3c4d5",
    "news@+dirty.1a2b3c4d",
    "news@{{x}}",
    "news@\u202e2",
    "news@\ud800",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("news", Reference(name="news")),
        ("news@latest", Reference(name="news")),
        ("news@2", Reference(name="news", version=2)),
        ("news@007", Reference(name="news", version=7)),
        ("news@0", Reference(name="news", version=0)),
        ("long-news2@production", Reference(name="long-news2", label="production")),
        ("news@for-long.texts_2", Reference(name="news", label="for-long.texts_2")),
        ("news@facade", Reference(name="news", label="facade")),
        ("news@sha256:6907AA40", Reference(name="news", digest="6907aa40")),
        ("news@sha256:" + "0" * 64, Reference(name="news", digest="0" * 64)),
        ("news@5+dirty.1a2b3c4d", Reference(name="news", version=5, dirty="1a2b3c4d")),
    ],
)
def test_a_reference_is_a_name_and_what_stands_behind_the_at(text: str, expected: Reference) -> None:
    """A number, a label, a digest, or what a draft is called; without any of them the latest version is meant."""
    assert reference(text) == expected


@pytest.mark.parametrize("text", ["news@2", "news@production", "news@sha256:6907aa40", "news@5+dirty.1a2b3c4d"])
def test_a_reference_is_written_as_it_is_read(text: str) -> None:
    """Nothing of it is lost, so that messages can repeat it."""
    assert str(reference(text)) == text


@pytest.mark.parametrize("text", ["news", "news@latest"])
def test_a_name_alone_is_written_as_latest(text: str) -> None:
    """Which says what it means."""
    assert str(reference(text)) == "news@latest"


@pytest.mark.parametrize(
    "text",
    [
        "news@2@production",
        "news@production@2",
        "news@2@2",
        "news@a@b",
        "news@latest@2",
        "news@sha256:6907aa40@2",
        "news@1@2@3@4",
        "news" + "@2" * 5_000,
    ],
)
def test_two_versions_in_one_reference_are_a_conflict(text: str) -> None:
    """Nobody can say which of the two is meant when the label moves; the message says to name one."""
    with pytest.raises(ConflictingReference, match="Name one of them") as raised:
        reference(text)
    assert raised.value.status == 400
    assert len(raised.value.detail) < 400


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_reference_is_refused_in_few_words(text: str) -> None:
    """The message shows what a reference looks like, and never a control character."""
    with pytest.raises(InvalidRequest, match="news@2") as raised:
        reference(text)
    assert raised.value.status == 422
    assert len(raised.value.detail) < 500
    assert raised.value.detail.isprintable()


@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_is_refused(text: str) -> None:
    """Never anything else, whatever it holds; and what is read is written and read to the same."""
    try:
        found = reference(text)
    except (InvalidRequest, ConflictingReference):
        return
    assert reference(str(found)) == found


@pytest.mark.parametrize("name", ["../x", "news@2", "", "NEWS"])
def test_what_stands_behind_a_name_is_read_for_any_name(name: str) -> None:
    """Whether there is such a prompt is looked up among those loaded; a name is never a path."""
    assert select(name, "2") == Reference(name=name, version=2)


@pytest.mark.parametrize("label", ["production", "a", "staging-2", "x.y_z", "v", "vb", "facade", "l" * 61])
def test_what_can_be_a_label(label: str) -> None:
    """Small letters, digits, dots and hyphens, a letter first."""
    assert label_fault(label) is None
    assert reference(f"news@{label}").label == label


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("latest", "computed, and cannot be set"),
        ("2", "looks like the number of a version"),
        ("v2", "looks like the number of a version"),
        ("1.0", "looks like the number of a version"),
        ("2026-01-02", "looks like the number of a version"),
        ("deadbeef", "looks like a digest"),
        ("0123456789abcdef", "looks like a digest"),
        ("sha256", "looks like a digest"),
        ("sha256-6907aa40", "looks like a digest"),
        ("sha256:6907aa40", "looks like a digest"),
        ("", "is no label"),
        ("Production", "is no label"),
        ("a b", "is no label"),
        ("a@b", "is no label"),
        ("a/b", "is no label"),
        ("a\n", "is no label"),
        ("+dirty", "is no label"),
        ("l" * 62, "is no label"),
        ("ä", "is no label"),
    ],
)
def test_what_cannot_be_a_label(label: str, says: str) -> None:
    """What is computed, what could be taken for a number or a digest, and what could not be written in a reference."""
    assert says in (label_fault(label) or "")


def test_what_a_caller_sent_is_shown_in_part() -> None:
    """80 characters of it, with what cannot be seen escaped."""
    assert shown("x" * 81) == f"'{'x' * 80}…'"
    assert shown("a\nb\x00") == "'a\\nb\\x00'"
