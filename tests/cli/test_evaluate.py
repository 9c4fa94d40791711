"""`precis evaluate`: what a reader is shown, and what is said where there is nothing to measure."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
(SEED,) = (ROOT / "seeds").glob("002_*.txt")
REFERENCE = ROOT / "tests/references/002.json"
OTHER = ROOT / "tests/references/000.json"

Precis = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def made(precis: Precis, tmp_path: Path) -> Path:
    """The file of an extractive summary of seed 002."""
    path = tmp_path / "summary.json"
    assert precis("summarise", SEED, "-o", path).returncode == 0
    return path


def resource(made: Path) -> dict[str, Any]:
    """What the file holds."""
    return dict(json.loads(made.read_text(encoding="utf-8")))


def written(path: Path, content: object) -> Path:
    """A file with JSON."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_json_holds_metrics_facts_and_conflicts(precis: Precis, made: Path) -> None:
    """Each share with its counts, each fact of the reference with the points that cover it."""
    ran = precis("evaluate", made, "--reference", REFERENCE, "--json")
    found, held = json.loads(ran.stdout), json.loads(REFERENCE.read_text(encoding="utf-8"))
    points = {point["id"] for point in resource(made)["result"]["key_points"]}
    assert (ran.returncode, found["metrics"]["quote_validity"]["value"]) == (0, 1.0)
    assert [fact["id"] for fact in found["facts"]] == [fact["id"] for fact in held["facts"]]
    assert all((fact["by"] is None) == (not fact["key_points"]) for fact in found["facts"])
    assert all(set(fact["key_points"]) <= points for fact in found["facts"])
    assert found["metrics"]["must_recall"]["of"] == sum(fact["importance"] == "must" for fact in held["facts"])


def test_the_table_says_what_each_number_means(precis: Precis, made: Path) -> None:
    """Name, value, counts, and a few words, on a line."""
    shown = precis("evaluate", made, "--reference", REFERENCE).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("  must_recall")]
    assert " of 7 " in line
    assert line.endswith("must facts that a point cites or says")


def test_what_is_missing_is_shown_in_words(precis: Precis, made: Path) -> None:
    """Which must facts no point covers, and which conflicts were missed."""
    ran = precis("evaluate", made, "--reference", REFERENCE, "--json")
    found = json.loads(ran.stdout)
    missing = [fact["text"] for fact in found["facts"] if fact["importance"] == "must" and not fact["by"]]
    missed = [conflict["note"] for conflict in found["conflicts"] if not conflict["found"]]
    shown = " ".join(precis("evaluate", made, "--reference", REFERENCE).stdout.split())
    assert missing
    assert missed
    assert all(" ".join(words.split()) in shown for words in (*missing, *missed))


def test_no_line_is_over_the_width_or_ends_in_spaces(precis: Precis, made: Path) -> None:
    """Piped, a hundred columns."""
    lines = precis("evaluate", made, "--reference", REFERENCE).stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)


def test_without_a_reference_its_metrics_are_dashes(precis: Precis, made: Path) -> None:
    """Neither 0 nor 1."""
    ran = precis("evaluate", made)
    values = {line.split()[0]: line.split()[1] for line in ran.stdout.splitlines() if line.startswith("  ")}
    assert ran.returncode == 0
    assert (values["must_recall"], values["conflict_precision"], values["cost"]) == ("-", "-", "-")
    assert values["quote_validity"] == "1.00"


def test_a_bare_result_is_a_summary_too(precis: Precis, made: Path, tmp_path: Path) -> None:
    """As is the whole resource."""
    bare = written(tmp_path / "bare.json", resource(made)["result"])
    assert precis("evaluate", bare).stdout == precis("evaluate", made).stdout


def test_a_summary_can_be_piped_in(precis: Precis, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From `precis summarise --json`, without a file between."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(made.read_bytes())))
    piped = precis("evaluate", "-")
    assert (piped.returncode, piped.stdout) == (0, precis("evaluate", made).stdout)


def test_marks_in_a_text_are_words_and_no_markup(precis: Precis, made: Path, tmp_path: Path) -> None:
    """What a reference holds in brackets is shown as it stands, on one line, and steers no terminal."""
    held = json.loads(REFERENCE.read_text(encoding="utf-8"))
    held["must_not"] = [{"text": "[bold]a[/bold] [/]\n\x1b[31m :smile:"}]
    shown = precis("evaluate", made, "--reference", written(tmp_path / "held.json", held)).stdout
    assert "  - [bold]a[/bold] [/] [31m :smile:\n" in shown
    assert "\x1b" not in shown


# --- wrong inputs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", 1, "this is not JSON"),
        (b"# Summary", 1, "this is not JSON"),
        (b"\xff\xfe{", 1, "this is not JSON"),
        (b'{"id": "\xff"}', 1, "this is not JSON"),
        (b'{"a":' * 100_000, 1, "this is not JSON"),
        (b"[]", 1, "this is a list, as --each makes them"),
        (b"7", 1, "this is no summary"),
        (b"{}", 1, "it has neither a result nor a schema_version"),
        (b'{"result": 7}', 1, "this is no summary"),
        (b'{"schema_version": "1", "offset_unit": "code_points"}', 1, "this is no summary"),
        (b'{"schema_version": "2", "offset_unit": "code_points"}', 1, "schema version '2'"),
        (b'{"schema_version": "1", "offset_unit": "bytes"}', 1, "offsets in 'bytes'"),
        (b'{"id": "sum_1", "status": "running", "result": null}', 1, "sum_1 is running"),
        (
            b'{"id": "sum_1", "status": "failed", "result": null, "error": {"title": "Too large", "detail": "Split."}}',
            1,
            "sum_1 is failed: Too large. Split.",
        ),
    ],
)
def test_what_is_no_summary_is_one_line(precis: Precis, tmp_path: Path, content: bytes, code: int, says: str) -> None:
    """Which file, what is wrong with it, and no trace."""
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    ran = precis("evaluate", path)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.startswith(f"precis: {path}: ")
    assert says in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", ["{}", "[]", "x", '{"documents": [], "facts": [{"id": "f1"}]}'])
def test_what_is_no_reference_is_one_line(precis: Precis, made: Path, tmp_path: Path, content: str) -> None:
    """As with the summary."""
    path = tmp_path / "odd.json"
    path.write_text(content, encoding="utf-8")
    ran = precis("evaluate", made, "--reference", path)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert ran.stderr.startswith(f"precis: {path}: ")


def test_a_reference_of_other_documents_names_both(precis: Precis, made: Path) -> None:
    """By their digests, as names say nothing."""
    ran = precis("evaluate", made, "--reference", OTHER)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "the summary is of d1 (3834c6786542), the reference of 000 (b09c512b9bfb)" in ran.stderr


def test_a_file_that_is_not_there_is_a_matter_of_usage(precis: Precis, made: Path, tmp_path: Path) -> None:
    """Whichever of the two; a folder is no file, and standard input is read once."""
    for arguments in (
        (tmp_path / "none.json",),
        (tmp_path,),
        (made, "--reference", tmp_path / "none.json"),
        ("-", "--reference", "-"),
        ("a\0b",),
        (),
    ):
        assert precis("evaluate", *arguments).returncode == 2
