"""A comparison at a terminal: it fits, and tells what was lost, changed and gained."""

import io
from collections.abc import Callable, Mapping

import pytest
from msgspec.structs import replace
from rich.console import Console

from service.core.comparison import Comparison, FactChange
from service.rendering.comparison import terminal

Built = tuple[Comparison, Mapping[str, str]]


def printed(comparison: Comparison, width: int = 100) -> list[str]:
    """The lines that are printed."""
    stream = io.StringIO()
    terminal.render(comparison, Console(file=stream, width=width, highlight=False))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_too_long_or_ends_in_a_space(built: Built, width: int) -> None:
    """A word of 5,000 letters and the metric table too."""
    comparison, _ = built
    (pair,) = comparison.pairs
    long = replace(comparison, pairs=(replace(pair, notes=(*pair.notes, "w" * 5_000)),))
    for line in printed(long, width):
        assert len(line) <= width
        assert line == line.rstrip()


def test_the_metric_table_fits_100_columns(built: Built) -> None:
    """In single lines where there are no intervals; with them verdicts may take two."""
    comparison, _ = built
    (pair,) = comparison.pairs
    lines = printed(comparison)
    at = lines.index("Metrics")
    assert lines[at + 2].startswith("  ↑ cited points *")
    assert lines[at + 2].endswith("too few")
    bare = tuple(replace(row, interval=None) for row in pair.metrics)
    lines = printed(replace(comparison, pairs=(replace(pair, metrics=bare),)))
    verdicts = ("too few documents", "better", "worse", "no detectable change", "not comparable")
    for line, verdict in zip(lines[at + 2 : at + 7], verdicts, strict=True):
        assert line.endswith(verdict)


def test_the_sentence_and_the_gate_come_first(built: Built) -> None:
    """With every rule and how it came out."""
    lines = printed(built[0])
    assert lines[0].startswith("news@2 against news@1: 2 same")
    at = lines.index("Gate regression")
    assert lines[at + 1 : at + 6] == [
        "  A rule speaks against news@2 in place of news@1.",
        "  pass           comparable: Same documents.",
        "  regression     trials: news@2 on s3: The endpoint was silent",
        "  regression     documents: s1: 1 claim that matters lost",
        "  inconclusive   margin coverage: An interval takes 20 sets.",
    ]


def test_each_document_tells_what_was_lost_changed_and_gained(built: Built) -> None:
    """The lost first, each under its sign."""
    lines = printed(built[0])
    at = lines.index("  bridge.txt")
    assert lines[at + 3 : at + 13] == [
        "    unsupported   number: It costs 340. (A number of k2 is in no quote.)",
        "    lost fact     (must) Ferries run until May 2027.",
        "    − lost        Ferries run every 20 minutes. (a must point)",
        "      contradicts polarity: negated → affirmed",
        "                  news@1: The mayor did not sign the order.",
        "                  news@2: The mayor signed the order.",
        "      changed     number: 430 → 340",
        "                  news@1: Rebuilding it costs 430 million euros.",
        "                  news@2: Rebuilding it costs 340 million euros.",
        "    + gained      Traders fear for the summer.",
    ]


def test_many_entries_and_many_documents_are_counted(many: Callable[[int], Built]) -> None:
    """The rest is in the other forms."""
    comparison, _ = many(terminal.MOST_SETS + 5)
    lines = printed(comparison)
    assert "  and 5 more" in lines
    (pair,) = comparison.pairs
    facts = tuple(FactChange(id=f"f{n}", text=f"Fact {n}.", importance="must", covered_by="a") for n in range(40))
    first = replace(pair.sets[0], facts=facts)
    lines = printed(replace(comparison, pairs=(replace(pair, sets=(first,)),)))
    assert f"    and {44 - terminal.MOST_ENTRIES} more" in lines


def test_nothing_commands_the_terminal(built: Built) -> None:
    """Whatever a claim, a name or a model brought along."""
    comparison, _ = built
    (pair,) = comparison.pairs
    named = replace(comparison, pairs=(replace(pair, sentence="a\x1b[2Jb\u202ec", notes=("d\x07\r\nmore",)),))
    text = "\n".join(printed(named))
    assert "a[2Jbc" in text
    assert not set(text) & set("\x1b\x07\r\u202e")


def test_colours_are_the_terminals_own_and_words_say_the_same(built: Built) -> None:
    """Without colours nothing is missing."""
    stream = io.StringIO()
    console = Console(file=stream, width=100, highlight=False, force_terminal=True, color_system="standard")
    terminal.render(built[0], console)
    coloured = stream.getvalue()
    assert "\x1b[" in coloured
    plain = terminal.text(built[0])
    assert "\x1b" not in plain
    assert plain.splitlines() == printed(built[0])
