"""One table of forms for every door, and the forms that machines read."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.core.comparison import Comparison, Unsupported
from service.core.text import visible
from service.rendering import comparison as reports
from service.rendering.comparison import csv as tables
from service.rendering.comparison import junit

Built = tuple[Comparison, Mapping[str, str]]


def test_endings_and_media_types_each_name_one_form() -> None:
    """JSON is the first, which is what is given where nothing is asked for."""
    assert next(iter(reports.FORMS)) == "json"
    types = [known.media_type for known in reports.FORMS.values()]
    assert len(set(types)) == len(types)
    assert sum(len(known.endings) for known in reports.FORMS.values()) == len(reports.ENDINGS)
    for form, known in reports.FORMS.items():
        assert reports.form_of(known.media_type) == form
        assert {reports.form_by_ending(ending) for ending in known.endings} == {form}
    assert [form for form, known in reports.FORMS.items() if not known.over_http] == ["terminal"]


@pytest.mark.parametrize("ending", ["", ".pdf", "json", ".xml "])
def test_other_endings_name_none(ending: str) -> None:
    """The command line then says which there are."""
    assert reports.form_by_ending(ending) is None


@pytest.mark.parametrize("form", reports.FORMS)
def test_every_form_is_text_that_can_be_written(built: Built, form: reports.Form) -> None:
    """In UTF-8, with a line end at its end, whether the texts are at hand or not."""
    comparison, texts = built
    for some in (texts, {}):
        shown = reports.render(form, comparison, some)
        assert shown.encode().endswith(b"\n")


@pytest.mark.parametrize("form", ["html", "markdown", "junit", "terminal"])
def test_forms_for_people_hide_nothing(built: Built, form: reports.Form) -> None:
    """No character in them turns a line around, commands a terminal or has no width."""
    shown = reports.render(form, *built)
    assert visible(shown) == shown


@pytest.mark.parametrize("form", ["html", "markdown", "junit", "terminal"])
def test_verdicts_are_said_alike(built: Built, apart: Comparison, form: reports.Form) -> None:
    """In the words that every form shares."""
    assert "too few documents" in reports.render(form, *built)
    assert "not comparable" in reports.render(form, apart, {})


def test_json_is_the_value_itself(built: Built) -> None:
    """Read again, it is the same comparison."""
    comparison, texts = built
    written = reports.render("json", comparison, texts)
    assert msgspec.json.decode(written, type=Comparison) == comparison
    assert written.startswith('{\n  "schema_version": "1",')
    assert json.loads(written)["pairs"][0]["b"] == "news@2"


# --- csv -------------------------------------------------------------------------------------------------------------


def rows(comparison: Comparison) -> list[dict[str, str]]:
    """The table, read again."""
    return list(csv.DictReader(io.StringIO(tables.render(comparison), newline="")))


def test_the_table_has_a_row_for_each_metric_value_and_claim(built: Built) -> None:
    """Averages over all, values by document set, entries of the ledgers; numbers are whole."""
    comparison, _ = built
    found = rows(comparison)
    (pair,) = comparison.pairs
    kinds = [row["kind"] for row in found]
    assert kinds.count("average") == len(pair.metrics)
    assert kinds.count("metric") == sum(len(one.metrics) for one in pair.sets)
    assert kinds.count("claim") == 9, "six of the bridge, two of the hostile text, one where the other failed"
    (coverage,) = [row for row in found if (row["kind"], row["name"]) == ("average", "coverage")]
    assert [coverage[name] for name in ("a", "b", "delta", "n", "interval_low", "verdict")] == [
        "0.25", "0.5", "0.25", "24", "0.1", "better"
    ]  # fmt: skip
    (changed,) = [row for row in found if row["label"] == "changed"]
    assert (changed["a_id"], changed["b_id"], changed["changes"]) == ("k2", "k2", "number: 430 → 340")


def test_lines_end_as_rfc_4180_has_it(built: Built) -> None:
    """And every line has every column."""
    table = tables.render(built[0])
    assert table.count("\r\n") == len(rows(built[0])) + 1
    assert "\n" not in table.replace("\r\n", "")
    assert all(None not in row for row in rows(built[0]))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\u200b=", " =", "＝"])
def test_no_cell_is_a_formula(built: Built, start: str) -> None:
    """Whatever a claim or a file name begins with."""
    comparison, _ = built
    named = [replace(one, name=f"{start}HYPERLINK(1)") for one in comparison.sets]
    found = rows(replace(comparison, sets=tuple(named)))
    names = {row["set_name"] for row in found} - {""}
    assert all(name.startswith("'") for name in names), names
    assert names


@given(text=st.text(max_size=40) | st.floats(allow_nan=False, allow_infinity=False).map(repr))
def test_a_cell_is_a_number_or_begins_with_nothing_that_runs(text: str) -> None:
    """And is never longer than what it shows by more than the apostrophe."""
    cell = tables.safe(text)
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        assert float(cell) == float(text)
    assert len(cell) <= len(text) + 1


# --- junit -----------------------------------------------------------------------------------------------------------


def suites(comparison: Comparison) -> ET.Element:
    """The document, read again."""
    return ET.fromstring(junit.render(comparison).encode())  # noqa: S314 - our own document


def test_rules_and_document_sets_are_cases_with_their_outcomes(built: Built) -> None:
    """Regressions are failures, failed trials errors, what is not decided is skipped."""
    root = suites(built[0])
    (suite,) = root
    outcomes = {case.get("name"): next((child.tag for child in case), "passed") for case in suite.iter("testcase")}
    assert outcomes == {
        "comparable": "passed",
        "trials": "error",
        "documents": "failure",
        "margin coverage": "skipped",
        "s3 ferry.txt": "error",
        "s1 bridge.txt": "failure",
        "s2 </script><b>evil.txt": "passed",
    }
    for element in (root, suite):
        assert [element.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["7", "2", "2", "1"]


def test_a_failure_says_what_was_lost(built: Built) -> None:
    """And what came in without support."""
    cases = suites(built[0]).iter("testcase")
    (failure,) = [case.find("failure") for case in cases if case.get("name") == "s1 bridge.txt"]
    assert failure is not None
    assert failure.text is not None
    assert failure.text.splitlines()[:3] == [
        "new and unsupported number: It costs 340. (A number of k2 is in no quote.)",
        "reference fact lost (must): Ferries run until May 2027.",
        "lost (a must point): Ferries run every 20 minutes.",
    ]


def test_what_cannot_be_compared_is_an_error(apart: Comparison) -> None:
    """Skipped would let it pass."""
    (suite,) = suites(apart)
    (case,) = [case for case in suite.iter("testcase") if case.get("name") == "comparable"]
    assert [child.tag for child in case] == ["error"]


@given(text=st.text(st.characters() | st.sampled_from('\0\x0b\x1f\ufffe\uffff\ud800<&]">'), max_size=30))
def test_any_text_is_valid_xml(built: Built, text: str) -> None:
    """Characters that XML 1.0 cannot hold are left out; nothing else is."""
    comparison, _ = built
    (pair,) = comparison.pairs
    named = replace(comparison, pairs=(replace(pair, sentence=text),))
    found = suites(named).find(".//property[@name='sentence']")
    assert found is not None
    lone = range(0xD800, 0xE000)
    kept = [char for char in visible(text) if char not in "\x0b\x0c\ufffe\uffff" and ord(char) not in lone]
    assert found.get("value") == "".join(kept)


def test_many_losses_are_counted_not_listed(many: Callable[[int], Built]) -> None:
    """A case stays readable."""
    comparison, _ = many(1)
    (pair,) = comparison.pairs
    (one,) = pair.sets
    new = tuple(Unsupported(kind="quote", text=f"claim {number}", detail="nowhere") for number in range(100))
    (suite,) = suites(replace(comparison, pairs=(replace(pair, sets=(replace(one, unsupported=new),)),)))
    (text,) = [case.findtext("failure") for case in suite.iter("testcase") if case.get("name") == "s1 town 1.txt"]
    assert text is not None
    assert len(text.splitlines()) == junit.MOST_LINES + 1
    assert text.endswith("and 63 more")
