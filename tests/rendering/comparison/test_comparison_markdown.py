"""A comparison in a pull request, read back by a CommonMark parser."""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from service.core.comparison import Comparison, FactChange
from service.core.text import presentable
from service.rendering.comparison import markdown

Built = tuple[Comparison, Mapping[str, str]]

parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks that hold text, as (kind, text), comments left out."""
    tokens = parser.parse(text)
    found = []
    for before, token in pairwise(tokens):
        if token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "text_special", "strong_open", "strong_close", "html_inline"}, kinds
            comments = {child.content for child in token.children or () if child.type == "html_inline"}
            assert comments <= {"<!-- -->"}
            words = (child.content for child in token.children or () if child.type != "html_inline")
            found.append((before.tag, "".join(words)))
    return found


def test_it_begins_with_the_verdict_the_sentence_and_the_gate(built: Built) -> None:
    """What a reviewer needs first."""
    found = blocks(markdown.render(built[0]))
    assert found[0] == ("h1", "news@2 against news@1: too few documents")
    assert found[1][1].startswith("news@2 against news@1: 2 same, +1 gained, -1 lost (1 must)")
    texts = [text for _, text in found]
    assert texts.index("Gate: regression") < texts.index("A rule speaks against news@2 in place of news@1.")
    assert "regression trials: news@2 on s3: The endpoint was silent" in texts


def test_the_metrics_are_a_table(built: Built) -> None:
    """With its primary metric named, and the way that is better."""
    cells = [text for tag, text in blocks(markdown.render(built[0])) if tag in ("td", "th")]
    width = 10
    rows = [cells[at : at + width] for at in range(0, len(cells), width)]
    assert rows[0][:6] == ["", "A news@1", "B news@2", "B − A", "95% interval", "better / same / worse"]
    assert rows[1][:6] == ["cited points ↑ (primary)", "1.000", "0.900", "−0.100", "–", "0 / 1 / 1"]
    assert rows[1][6:] == ["2", "1.000", "unmeasured", "too few documents"]
    assert rows[2][:5] == ["coverage ↑", "0.250", "0.500", "+0.250", "+0.100 to +0.400"]
    assert rows[3][0] == "hedge drop ↓"
    assert rows[3][7] == "<0.001"


def test_each_document_tells_what_was_lost_changed_and_gained(built: Built) -> None:
    """The lost first; what is the same is only counted."""
    text = markdown.render(built[0])
    part = text[text.index("### bridge") : text.index("### \\<")]
    found = [line for _, line in blocks(part)]
    assert found[1].startswith("−1 lost (1 must), 1 contradicts, 1 changed, +1 gained, 1 reworded, 1 same · regressed")
    assert found[2:] == [
        "new and unsupported number: It costs 340. (A number of k2 is in no quote.)",
        "reference fact only in A (must): Ferries run until May 2027.",
        "− lost (a must point): Ferries run every 20 minutes. [sentences 1, 5]",
        "contradicts polarity: negated → affirmed",
        "news@1: The mayor did not sign the order. [sentence 4]",
        "news@2: The mayor signed the order. [sentence 4]",
        "changed number: 430 → 340",
        "news@1: Rebuilding it costs 430 million euros. [sentence 2]",
        "news@2: Rebuilding it costs 340 million euros. [sentence 2]",
        "+ gained: Traders fear for the summer. [sentence 6]",
    ]


def test_a_failed_trial_is_told(built: Built) -> None:
    """With its reason."""
    assert "- failed: news@2: The endpoint was silent (endpoint\\_timeout). For 30 s." in markdown.render(built[0])


def test_nobody_is_called_and_no_issue_is_linked(built: Built) -> None:
    """A host of code would send mail to everybody whose name stands in an article."""
    comparison, _ = built
    (pair,) = comparison.pairs
    named = replace(comparison, pairs=(replace(pair, sentence="@octocat fixes #12, GH-3; mail a@b.org"),))
    text = markdown.render(named)
    assert "@<!-- -->octocat fixes \\#<!-- -->12, GH-<!-- -->3; mail a@b.org" in text
    assert not re.search(r"(?<![\w\\])[@#]\w", text.replace("##", ""))


@given(text=st.text(st.sampled_from("a1 -+=.)*_`~#<>[]()!&;:|\\\"'/\n\t{}@GH") | st.characters(), max_size=30))
def test_a_claim_is_shown_as_it_is(text: str) -> None:
    """Whatever it holds: it makes no list, heading, link, entity, mention or emphasis."""
    line = presentable(text)
    expected = [("p", line)] if line else []
    assert [block for block in blocks(f"- {markdown._text(text)}") if block[1]] == expected


def test_a_long_claim_is_cut(built: Built) -> None:
    """It can be read where it stands in full."""
    comparison, _ = built
    (pair,) = comparison.pairs
    text = markdown.render(replace(comparison, pairs=(replace(pair, notes=("w" * 5_000,)),)))
    assert max(map(len, re.findall("w+", text))) < markdown.MOST_LETTERS
    assert "…" in text


def test_a_pull_request_can_carry_it_however_many_documents_there_are(many: Callable[[int], Built]) -> None:
    """What is left out is counted, and where it is said."""
    text = markdown.render(many(400)[0])
    assert markdown.MOST_CHARACTERS * 0.9 < len(text) <= markdown.MOST_CHARACTERS
    last = text.splitlines()[-1]
    shown = text.count("### town")
    assert last == f"{400 - shown} more parts of this comparison left out. {markdown.REST}"


def test_many_entries_of_one_document_are_counted(many: Callable[[int], Built]) -> None:
    """The first are those that weigh most."""
    comparison, _ = many(1)
    (pair,) = comparison.pairs
    (one,) = pair.sets
    facts = [FactChange(id=f"f{n}", text=f"Fact {n}.", importance="must", covered_by="a") for n in range(40)]
    long = replace(one, facts=tuple(facts))
    text = markdown.render(replace(comparison, pairs=(replace(pair, sets=(long,)),)))
    assert text.count("reference fact only in A") == markdown.MOST_ENTRIES
    assert f"- and {44 - markdown.MOST_ENTRIES} more. {markdown.REST}" in text


def test_quiet_documents_are_named_in_one_line(many: Callable[[int], Built]) -> None:
    """Nothing was lost, changed or gained there."""
    comparison, _ = many(3)
    (pair,) = comparison.pairs
    same = [replace(one, ledger=one.ledger[:1]) for one in pair.sets]
    text = markdown.render(replace(comparison, pairs=(replace(pair, sets=tuple(same)),)))
    assert "Nothing lost, changed or gained: town 1.txt, town 2.txt, town 3.txt" in text


def test_why_versions_cannot_be_compared_is_told(apart: Comparison) -> None:
    """First of all notes."""
    assert "- **not comparable**, model: Model that answered: one in news@1, two in news@2." in markdown.render(apart)


@pytest.mark.parametrize("fields", [{"pairs": ()}, {"sets": (), "trials": ()}])
def test_a_comparison_with_parts_missing_is_shown(built: Built, fields: dict[str, tuple[()]]) -> None:
    """Down to the gate alone."""
    assert "## Gate: regression" in markdown.render(replace(built[0], **fields))
