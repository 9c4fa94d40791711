"""`precis compare`: from recordings, from summaries, drawn again, and as a gate."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest

from service.core.comparison import Comparison

Precis = Callable[..., CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
REPLAY = ("--replay", str(ROOT / "tests/recordings"))
REFERENCE = ("--reference", str(ROOT / "tests/references"))


def read(path: Path) -> Comparison:
    """A comparison that was written as JSON."""
    return msgspec.json.decode(path.read_bytes(), type=Comparison)


def test_versions_are_compared_over_files(precis: Precis) -> None:
    """What was gained and lost stands first, in one sentence; three documents prove nothing."""
    ran = precis("compare", *SEEDS, "--prompts", "news@1,news@2,news@3", *REPLAY)
    assert ran.returncode == 0, ran.stderr
    said = " ".join(ran.stdout.split())
    assert said.startswith("news@3 against news@1: ")
    assert "too few documents" in said
    assert "9 trials" in ran.stderr


def test_three_documents_prove_nothing(precis: Precis, tmp_path: Path) -> None:
    """Every claim of significance over the sample articles is `too few documents`."""
    out = tmp_path / "report.json"
    precis("compare", *SEEDS, "--prompts", "news@1,news@2,news@3", *REPLAY, *REFERENCE, "--out", out)
    verdicts = {row.verdict for pair in read(out).pairs for row in pair.metrics if row.n and row.verdict}
    assert verdicts == {"too_few_documents"}


def test_the_form_of_a_report_follows_its_ending(precis: Precis, tmp_path: Path) -> None:
    """Several at once, each what its ending says."""
    outs = [tmp_path / f"report{ending}" for ending in (".html", ".md", ".json", ".csv", ".xml", ".txt")]
    flags = [flag for out in outs for flag in ("--out", str(out))]
    ran = precis("compare", SEEDS[2], "--prompts", "news@1,news@3", *REPLAY, *flags)
    assert ran.returncode == 0, ran.stderr
    html, markdown, js, csv, xml, text = (out.read_text(encoding="utf-8") for out in outs)
    assert html.startswith("<!doctype html>")
    assert markdown.startswith("#")
    assert json.loads(js)["schema_version"] == "1"
    assert "," in csv.splitlines()[0]
    assert xml.startswith("<?xml")
    assert "news@3 against news@1" in text


def test_a_report_of_the_seeds_is_under_a_megabyte(precis: Precis, tmp_path: Path) -> None:
    """And is the whole report, with the sources in it."""
    out = tmp_path / "report.html"
    precis("compare", *SEEDS, "--prompts", "news@1,news@2,news@3", *REPLAY, "--out", out)
    assert out.stat().st_size < 1_000_000
    assert "Tom Cruise" in out.read_text(encoding="utf-8")


def test_json_goes_to_standard_output(precis: Precis) -> None:
    """And can be read again."""
    ran = precis("compare", SEEDS[2], "--prompts", "news@1,news@3", *REPLAY, "--json")
    made = msgspec.json.decode(ran.stdout, type=Comparison)
    assert [version.id for version in made.versions] == ["news@1", "news@3"]


def test_a_comparison_is_drawn_again_without_a_call(precis: Precis, tmp_path: Path) -> None:
    """From its JSON alone; with the files, the texts are shown again, and a reference may come later."""
    first = tmp_path / "first.json"
    precis("compare", SEEDS[2], "--prompts", "news@1,news@3", *REPLAY, "--out", first)
    again = tmp_path / "again.json"
    ran = precis("compare", "--from", first, SEEDS[2], "--out", again)
    assert ran.returncode == 0, ran.stderr
    assert read(again).pairs == read(first).pairs
    held = precis("compare", "--from", first, "--metric", "must_recall", *REFERENCE, "--out", again)
    assert held.returncode == 0, held.stderr
    assert {row.n for row in read(again).pairs[0].metrics if row.name == "must_recall"} == {1}


def test_summaries_in_files_are_compared_without_a_call(precis: Precis, tmp_path: Path) -> None:
    """By one version each; their texts are shown where the files are given too."""
    for prompt in ("news@1", "news@3"):
        precis("summarise", SEEDS[2], "--prompt", prompt, *REPLAY, "-o", tmp_path / f"{prompt}.json")
    out = tmp_path / "out.json"
    flags = ("--summary", tmp_path / "news@1.json", "--summary", tmp_path / "news@3.json")
    ran = precis("compare", *flags, SEEDS[2], "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert [version.id for version in read(out).versions] == ["news@1", "news@3"]
    assert read(out).pairs[0].sets[0].strips
    alone = precis("compare", "--summary", tmp_path / "news@1.json")
    assert alone.returncode == 1
    assert "of one version, news@1" in alone.stderr


def test_repetitions_measure_the_noise(precis: Precis, tmp_path: Path) -> None:
    """news@3 was asked three times of one article: how far it differs from itself is a number, not a guess."""
    out = tmp_path / "out.json"
    precis("compare", SEEDS[1], "--prompts", "news@2,news@3", "--repeat", "3", *REPLAY, "--out", out)
    made = read(out)
    assert len(made.trials) == 6
    assert [trial.repetition for trial in made.trials if trial.version == "news@3" and trial.result] == [0, 1, 2]
    # news@2 was asked once: its other repetitions have no recording, and are told
    assert {trial.failure.code for trial in made.trials if trial.failure} == {"recording_missing"}
    (pair,) = made.pairs
    assert pair.noise_repetitions == 3
    noise = {row.name: row.noise for row in pair.metrics}
    assert noise["coverage"] is not None
    assert pair.sets[0].unstable


@pytest.mark.parametrize(
    ("prompts", "flags", "code"),
    [
        ("news@1,news@3", (), 10),
        ("news@2,news@3", ("--margin", "cited_points=0.1"), 10),
        ("news@1,news@3", ("--max-words", "1"), 10),
    ],
)
def test_the_gate_is_shut_by_a_regression(precis: Precis, prompts: str, flags: tuple[str, ...], code: int) -> None:
    """Held against the references: some fact that the baseline covers is lost, or a budget is passed."""
    ran = precis("compare", *SEEDS, "--prompts", prompts, *REPLAY, *REFERENCE, "--gate", *flags)
    assert ran.returncode == code, ran.stdout


def test_the_gate_passes_where_nothing_regressed(precis: Precis) -> None:
    """Without references, news@3 lost no claim of news@1 that matters."""
    ran = precis("compare", *SEEDS, "--prompts", "news@1,news@3", *REPLAY, "--gate")
    assert ran.returncode == 0, ran.stdout
    assert "gate: pass" in ran.stderr


def test_a_margin_over_three_documents_is_inconclusive(precis: Precis) -> None:
    """A metric gate alone, without enough documents, is neither pass nor regression."""
    ran = precis("compare", *SEEDS, "--prompts", "news@1,news@3", *REPLAY, "--gate", "--margin", "cited_points=0.1")
    assert ran.returncode == 11, ran.stdout


def test_other_engines_are_not_comparable(precis: Precis, tmp_path: Path) -> None:
    """An extractive summary is no version of a prompt; the gate says so."""
    precis("summarise", SEEDS[2], "-o", tmp_path / "plain.json")
    precis("summarise", SEEDS[2], "--prompt", "news@3", *REPLAY, "-o", tmp_path / "model.json")
    ran = precis("compare", "--summary", tmp_path / "plain.json", "--summary", tmp_path / "model.json", "--gate")
    assert ran.returncode == 12, ran.stdout
    assert "not comparable" in ran.stdout


def test_a_failed_trial_is_told_and_the_gate_stays_shut(precis: Precis, tmp_path: Path) -> None:
    """Without the gate the exit code says that the endpoint failed."""
    other = tmp_path / "other.txt"
    other.write_text("The harbour was closed on Monday. Two ships had to wait outside.", encoding="utf-8")
    for flags, code in (((), 3), (("--gate",), 10)):
        ran = precis("compare", SEEDS[2], other, "--prompts", "news@1,news@3", *REPLAY, *flags)
        assert ran.returncode == code
        assert "trials of news@3 failed" in " ".join(ran.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "--prompts news@1,news@2"),
        ((str(SEEDS[2]),), 2, "--prompts"),
        ((str(SEEDS[2]), "--prompts", "news@1"), 1, "two prompt versions"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@77"), 1, "news@4"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@2", "--out", "report.docx"), 2, ".html"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@2", "--out", "nowhere/report.html"), 2, "no folder"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@2", "--margin", "recall"), 2, "METRIC=NUMBER"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@2", "--metric", "recal"), 1, "no metric"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@2", "--reference", "nowhere"), 2, "nowhere"),
        (("missing.txt", "--prompts", "news@1,news@2"), 2, "missing.txt"),
        (("--from", "a.json", "--summary", "b.json"), 2, "Leave one of them out"),
        (("--from", "a.json", "--prompts", "news@1,news@2"), 2, "Leave --prompts out"),
        (("--from", "missing.json"), 2, "missing.json"),
        (("--from", "a.json", "--repeat", "2"), 2, "--repeat would do nothing"),
        (("--summary", "a.json", "--together", "--plan"), 2, "--together, --plan would do nothing"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@2", "--margin", "coverage=-1"), 2, "from 0 up"),
        ((str(SEEDS[2]), "--prompts", "news@1,news@2", "--margin", "coverage=nan"), 2, "from 0 up"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    precis: Precis, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Before anything is asked."""
    ran = precis("compare", *arguments, *(REPLAY if arguments and not arguments[0].startswith("--") else ()))
    assert ran.returncode == code, (ran.stdout, ran.stderr)
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_comparison_drawn_again_keeps_what_it_was_held_against(precis: Precis, tmp_path: Path) -> None:
    """In another form it is no other gate: its references, budgets and metric stay, unless others are given."""
    first = tmp_path / "first.json"
    ran = precis("compare", *SEEDS, "--prompts", "news@1,news@3", *REPLAY, *REFERENCE, "--gate", "--out", first)
    assert ran.returncode == 10
    assert precis("compare", "--from", first, "--gate").returncode == 10
    bounded = ("--max-words", "1", "--gate", "--out", first)
    assert precis("compare", SEEDS[2], "--prompts", "news@1,news@3", *REPLAY, *bounded).returncode == 10
    assert precis("compare", "--from", first, "--gate").returncode == 10
    assert precis("compare", "--from", first, "--gate", "--max-words", "9999").returncode == 0


def test_a_quote_that_was_put_in_is_not_shown(precis: Precis, tmp_path: Path) -> None:
    """With the text at hand, what stands nowhere in it is refused; so are numbers beyond reason."""
    first = tmp_path / "first.json"
    precis("compare", SEEDS[2], "--prompts", "news@1,news@3", *REPLAY, "--out", first)
    made = json.loads(first.read_text(encoding="utf-8"))
    place = made["trials"][0]["result"]["key_points"][0]["evidence"][0]
    for change in ({"quote": "THIS STANDS NOWHERE"}, {"end": 10**9}, {"start": -5}):
        before = dict(place)
        place.update(change)
        first.write_text(json.dumps(made), encoding="utf-8")
        ran = precis("compare", "--from", first, SEEDS[2])
        assert ran.returncode == 1
        assert "not what stands there" in ran.stderr
        place.clear()
        place.update(before)
    made["trials"][0]["result"]["usage"]["cost"] = 1e300
    made["trials"][1]["result"]["usage"]["cost"] = 1e300
    first.write_text(json.dumps(made), encoding="utf-8")
    ran = precis("compare", "--from", first)
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
    assert "beyond what is calculated with" in ran.stderr
    assert precis("compare", "--from", first, "--margin", "bogus=1").returncode == 1


def test_what_the_api_answers_is_drawn_again_too(precis: Precis, tmp_path: Path) -> None:
    """The resource holds the comparison."""
    first, resource = tmp_path / "first.json", tmp_path / "resource.json"
    precis("compare", SEEDS[2], "--prompts", "news@1,news@3", *REPLAY, "--out", first)
    made = json.loads(first.read_text(encoding="utf-8"))
    resource.write_text(json.dumps({"id": "cmp_1", "status": "succeeded", "result": made}), encoding="utf-8")
    assert precis("compare", "--from", resource).returncode == 0


def test_the_same_text_twice_is_refused_by_name(precis: Precis, tmp_path: Path) -> None:
    """Twenty copies of one article would prove twenty times what it proves once."""
    copy = tmp_path / "copy.txt"
    copy.write_bytes(SEEDS[2].read_bytes())
    ran = precis("compare", SEEDS[2], copy, "--prompts", "news@1,news@3", *REPLAY)
    assert ran.returncode == 1
    assert "copy.txt has the same text as" in ran.stderr


def test_the_file_at_fault_is_named(precis: Precis, tmp_path: Path) -> None:
    """Not the first document of its own set."""
    blank = tmp_path / "blank.txt"
    blank.write_text("  \n ", encoding="utf-8")
    ran = precis("compare", SEEDS[2], blank, "--prompts", "news@1,news@3", *REPLAY)
    assert ran.returncode == 1
    assert "blank.txt" in ran.stderr


def test_a_file_that_is_no_comparison_is_refused(precis: Precis, tmp_path: Path) -> None:
    """Neither broken JSON nor another value is drawn."""
    broken, other = tmp_path / "broken.json", tmp_path / "other.json"
    broken.write_text("{", encoding="utf-8")
    other.write_text("{}", encoding="utf-8")
    assert "is not JSON" in precis("compare", "--from", broken).stderr
    assert "no comparison" in precis("compare", "--from", other).stderr


def test_references_of_other_documents_are_refused(precis: Precis) -> None:
    """Nothing would be held against them, and the gate would look as if something had been."""
    one = ROOT / "tests/references/000.json"
    ran = precis("compare", SEEDS[2], "--prompts", "news@1,news@3", *REPLAY, "--reference", one)
    assert "None of the references is of these documents" in ran.stderr


def test_without_an_endpoint_it_says_what_to_set(precis: Precis) -> None:
    """Versions cannot be run by the extractive engine."""
    ran = precis("compare", SEEDS[2], "--prompts", "news@1,news@3")
    assert ran.returncode == 1
    assert "PRECIS_BASE_URL" in ran.stderr
    assert "--replay" in ran.stderr
