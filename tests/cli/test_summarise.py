"""`precis summarise`: files in, one result out, and everything else on standard error."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docx import Document as NewDocx

SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.txt"))
FIRST, SECOND, THIRD = SEEDS

Precis = Callable[..., subprocess.CompletedProcess[str]]


def result(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The result of the one summary that was printed as JSON."""
    assert ran.returncode == 0, ran.stderr
    resource = json.loads(ran.stdout)
    assert resource["status"] == "succeeded"
    return dict(resource["result"])


def quoted(found: dict[str, Any]) -> list[dict[str, Any]]:
    """All the evidence in a result."""
    return [evidence for point in found["key_points"] for evidence in point["evidence"]]


def written(path: Path, content: bytes) -> Path:
    """Write a file and give its path back."""
    path.write_bytes(content)
    return path


# --- what is printed -------------------------------------------------------------------------------------------------


def test_every_quote_of_several_files_is_the_source_at_its_offsets(precis: Precis) -> None:
    """One summary over all the files, whose evidence can be looked up in each."""
    found = result(precis("summarise", *SEEDS, "--json"))
    texts = {f"d{number}": path.read_bytes().decode() for number, path in enumerate(SEEDS, 1)}
    assert {document["id"]: document["name"] for document in found["documents"]} == {
        f"d{number}": path.name for number, path in enumerate(SEEDS, 1)
    }
    assert len(quoted(found)) >= 3
    for evidence in quoted(found):
        assert texts[evidence["document"]][evidence["start"] : evidence["end"]] == evidence["quote"]


def test_each_makes_a_summary_of_every_file(precis: Precis) -> None:
    """With --each, JSON is a list in the order of the files."""
    ran = precis("summarise", "--each", *SEEDS, "--json")
    assert ran.returncode == 0
    names = [[document["name"] for document in one["result"]["documents"]] for one in json.loads(ran.stdout)]
    assert names == [[path.name] for path in SEEDS]


def test_each_of_one_file_is_still_a_list(precis: Precis) -> None:
    """The shape of the output hangs on the flag, not on the number of files."""
    assert isinstance(json.loads(precis("summarise", "--each", FIRST, "--json").stdout), list)


def test_the_readable_form_shows_evidence_and_masked_parts(precis: Precis) -> None:
    """What a person needs in order to check is there: the places, and what was left out and why."""
    ran = precis("summarise", FIRST)
    assert ran.returncode == 0
    assert re.search(r"sentence \d+, characters \d+–\d+, exact", ran.stdout)
    assert re.search(r"not read: characters \d+–\d+, teasers", ran.stdout)
    assert FIRST.name in ran.stdout


def test_progress_goes_to_standard_error(precis: Precis) -> None:
    """Only the result is on standard output, so that it can be piped; ids and times are beside it."""
    ran = precis("summarise", THIRD)
    assert "summarising 1 document" in ran.stderr
    assert "succeeded after" in ran.stderr
    assert "succeeded after" not in ran.stdout
    assert "sum_" not in ran.stdout


def test_the_log_is_silent_unless_asked_for(precis: Precis) -> None:
    """A reader of summaries is not a reader of logs."""
    assert '"event"' not in precis("summarise", THIRD).stderr
    assert "summary_worked_on" in precis("--log-level", "info", "summarise", THIRD).stderr


def test_no_colour_codes_when_piped(precis_process: Precis) -> None:
    """What is piped is text, whatever the terminal could show."""
    ran = precis_process("summarise", SECOND, TERM="xterm-256color", COLORTERM="truecolor")
    assert ran.returncode == 0
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_poorer_encoding_loses_no_summary(precis_process: Precis) -> None:
    """What the output cannot show is shown by its number."""
    ran = precis_process("summarise", SECOND, PYTHONIOENCODING="ascii")
    assert (ran.returncode, "\\u2019" in ran.stdout) == (0, True)


def test_json_is_utf_8_whatever_the_terminal_is(precis: Precis, precis_process: Precis) -> None:
    """A program that reads it need not know where it was printed."""
    plain = precis_process("summarise", SECOND, "--json", PYTHONIOENCODING="ascii")
    assert result(plain)["key_points"] == result(precis("summarise", SECOND, "--json"))["key_points"]


# --- options ---------------------------------------------------------------------------------------------------------


def test_lengths_are_kept_to(precis: Precis) -> None:
    """Brief is shorter than standard, standard than detailed, and each says what was asked for."""
    words = []
    for length in ("brief", "standard", "detailed"):
        found = result(precis("summarise", *SEEDS, "--json", "--length", length))
        assert found["manifest"]["parameters"]["length"] == length
        words.append(sum(len(point["text"].split()) for point in found["key_points"]))
    assert words == sorted(words)
    assert len(set(words)) == 3


def test_max_words_bounds_the_key_points(precis: Precis) -> None:
    """The bound is one on words, not on points."""
    found = result(precis("summarise", *SEEDS, "--json", "--max-words", "60"))
    assert 0 < sum(len(point["text"].split()) for point in found["key_points"]) <= 60


def test_focus_changes_the_choice(precis: Precis) -> None:
    """What is chosen leans towards the focus, and the focus is in the manifest."""
    plain = result(precis("summarise", SECOND, "--json", "--length", "brief"))
    found = result(precis("summarise", SECOND, "--json", "--length", "brief", "--focus", "Scott Kelly"))
    assert found["manifest"]["parameters"]["focus"] == "Scott Kelly"
    assert any("Kelly" in point["text"] for point in found["key_points"])
    assert [point["text"] for point in found["key_points"]] != [point["text"] for point in plain["key_points"]]


@pytest.mark.parametrize("focus", ["", "x" * 501])
def test_a_focus_has_the_bounds_of_the_api(precis: Precis, focus: str) -> None:
    """What the API refuses, the command refuses."""
    ran = precis("summarise", THIRD, "--focus", focus)
    assert ran.returncode == 2
    assert "1 to 500 fit" in ran.stderr


def test_another_language_needs_a_model(precis: Precis) -> None:
    """The extractive engine cannot translate, and says so."""
    ran = precis("summarise", THIRD, "--language", "de")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "language model" in ran.stderr


@pytest.mark.parametrize(
    ("ending", "begins"), [(".json", "{\n"), (".md", "# "), (".html", "<!doctype html>"), (".txt", "")]
)
def test_the_ending_of_the_output_chooses_its_form(precis: Precis, tmp_path: Path, ending: str, begins: str) -> None:
    """-o writes JSON, Markdown, a page or what the terminal would show; standard output stays empty."""
    output = tmp_path / f"out{ending}"
    ran = precis("summarise", THIRD, "-o", output)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert f"written to {output}" in ran.stderr
    text = output.read_text(encoding="utf-8")
    assert text.lower().startswith(begins)
    assert "60 miles" in text or "shot" in text
    assert "\x1b" not in text


def test_json_goes_before_the_ending(precis: Precis, tmp_path: Path) -> None:
    """--json means JSON wherever it is written to."""
    precis("summarise", THIRD, "--json", "-o", tmp_path / "out.txt")
    assert json.loads((tmp_path / "out.txt").read_text(encoding="utf-8"))["status"] == "succeeded"


@pytest.mark.parametrize("ending", ["html", "md"])
def test_json_does_not_go_where_another_form_is_promised(precis: Precis, ending: str) -> None:
    """One of the two is a slip."""
    ran = precis("summarise", THIRD, "--json", "-o", f"out.{ending}")
    assert ran.returncode == 2
    assert "--json writes JSON" in ran.stderr
    assert "summarising" not in ran.stderr


@pytest.mark.parametrize("ending", ["docx", "pdf", "xml"])
def test_an_ending_that_is_no_form_is_refused(precis: Precis, ending: str) -> None:
    """What would be written there would not be what the name says."""
    ran = precis("summarise", THIRD, "-o", f"out.{ending}")
    assert ran.returncode == 2
    assert ".txt, .md, .html or .json" in ran.stderr
    assert "summarising" not in ran.stderr


@pytest.mark.parametrize("name", ["nowhere/out.md", "nowhere/out.txt", "nowhere/out"])
def test_an_output_that_cannot_be_written_is_said_before_the_work(precis: Precis, name: str) -> None:
    """A missing folder is found before a summary is made and lost."""
    ran = precis("summarise", THIRD, "-o", name)
    assert ran.returncode == 2
    assert "there is no folder nowhere" in ran.stderr
    assert "summarising" not in ran.stderr


def test_pages_of_several_files_do_not_go_into_one(precis: Precis) -> None:
    """Two pages in one file are no page."""
    ran = precis("summarise", "--each", *SEEDS, "-o", "out.html")
    assert ran.returncode == 2
    assert "several pages" in ran.stderr
    assert "summarising" not in ran.stderr


# --- input -----------------------------------------------------------------------------------------------------------


def test_a_dash_is_standard_input(precis: Precis, precis_process: Precis) -> None:
    """What is piped in is summarised as the file would be."""
    text = SECOND.read_bytes().decode()
    piped, read = precis_process("summarise", "-", "--json", stdin=text), precis("summarise", SECOND, "--json")
    assert result(piped)["key_points"] == result(read)["key_points"]
    assert result(piped)["documents"][0]["name"] == "standard input"


def test_standard_input_can_be_read_once(precis: Precis) -> None:
    """Two dashes are a slip."""
    ran = precis("summarise", "-", "-")
    assert ran.returncode == 2
    assert "only once" in ran.stderr


def test_standard_input_without_end_is_not_read_to_its_end(precis_process: Precis) -> None:
    """The size limit holds while it is read."""
    ran = precis_process("summarise", "-", stdin="word " * 100, PRECIS_MAX_CHARACTERS="100")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "more than 400 bytes" in ran.stderr


def test_a_page_is_read_as_a_page(precis: Precis, tmp_path: Path) -> None:
    """Offsets refer to the text that was extracted from it."""
    paragraphs = "".join(f"<p>{line}</p>" for line in THIRD.read_text(encoding="utf-8").split("\n\n"))
    page = written(tmp_path / "page.html", f"<html><body><article>{paragraphs}</article></body></html>".encode())
    found = result(precis("summarise", page, "--json"))
    assert quoted(found)
    assert all("<p>" not in evidence["quote"] for evidence in quoted(found))


def test_a_word_file_is_read(precis: Precis, tmp_path: Path) -> None:
    """DOCX goes in as text does."""
    document = NewDocx()
    for line in THIRD.read_text(encoding="utf-8").splitlines():
        document.add_paragraph(line)
    document.save(str(tmp_path / "article.docx"))
    assert quoted(result(precis("summarise", tmp_path / "article.docx", "--json")))


def pdf(lines: list[str]) -> bytes:
    """A page with these lines on it."""
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    content = f"BT /F1 12 Tf 14 TL 50 750 Td {shown} ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    file, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(file))
        file += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    tail = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n"
    return f"{file}xref\n0 {size}\n0000000000 65535 f \n{table}{tail}".encode("ascii")


def test_a_pdf_is_read(precis: Precis, tmp_path: Path) -> None:
    """PDF goes in as text does."""
    lines = [
        "The council voted on Tuesday to close the old bridge.",
        "Repairs will cost 430,000 euros, the mayor said.",
    ]
    written(tmp_path / "article.pdf", pdf(lines))
    found = result(precis("summarise", "article.pdf", "--json"))
    assert [evidence["quote"] for evidence in quoted(found)] == lines[:1]


def test_nothing_needs_to_be_set(precis: Precis, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting the summaries are kept in the user's data folder, which is made where there is none."""
    monkeypatch.delenv("PRECIS_DATABASE_URL")
    monkeypatch.setenv("HOME", str(own_folder))
    assert precis("summarise", THIRD).returncode == 0
    assert [path.name for path in own_folder.rglob("precis.db")] == ["precis.db"]


def test_a_name_without_ending_is_text(precis: Precis, tmp_path: Path) -> None:
    """Many a text has none."""
    shutil.copy(THIRD, tmp_path / "article")
    assert quoted(result(precis("summarise", "article", "--json")))


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("missing.txt", None, 2, "missing.txt: No such file"),
        (".", None, 2, "Is a directory"),
        ("data.xyz", b"words", 1, "files that end in .xyz are not read"),
        ("empty.txt", b"", 1, "empty.txt: there is no text"),
        ("spaces.txt", b" \n\t\r\n ", 1, "spaces.txt: there is no text"),
        ("nul.txt", b"abc\0def", 1, "NUL character stands at offset 3"),
        ("binary.txt", bytes(range(256)), 1, "not UTF-8: the byte at offset 128"),
        ("broken.pdf", b"%PDF-1.7 broken", 1, "The PDF"),
        ("misnamed.txt", b"%PDF-1.7 ...", 1, "ends in .pdf"),
        ("misnamed.md", b"PK\x03\x04...", 1, "ends in .docx"),
        ("address.txt", b"https://example.org/article", 1, "nothing is fetched: send the text"),
        ("broken.docx", b"PK\x03\x04 broken", 1, "DOCX"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_message(
    precis: Precis, tmp_path: Path, name: str, content: bytes | None, code: int, says: str
) -> None:
    """Bad files end in a message that names the fault, an exit code and nothing on standard output."""
    if content is not None:
        written(tmp_path / name, content)
    ran = precis("summarise", name)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "/documents/" not in ran.stderr


def test_a_bad_file_among_good_ones_is_named(precis: Precis, tmp_path: Path) -> None:
    """One summary over all of them cannot be made without it, and the message says which it is."""
    for content in (b"\xff\xfe", b""):
        written(tmp_path / "bad.txt", content)
        ran = precis("summarise", THIRD, "bad.txt")
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "bad.txt: " in ran.stderr


def test_each_goes_on_after_a_bad_file(precis: Precis, tmp_path: Path) -> None:
    """The others are summarised, and the exit code tells that one was not."""
    written(tmp_path / "empty.txt", b"")
    ran = precis("summarise", "--each", "empty.txt", THIRD, "--json")
    assert ran.returncode == 1
    assert [one["result"]["documents"][0]["name"] for one in json.loads(ran.stdout)] == [THIRD.name]
    assert "[1/2] empty.txt: " in ran.stderr
    assert "there is no text" in ran.stderr


def test_too_many_files_are_refused(precis: Precis) -> None:
    """The bound of a request holds here too."""
    ran = precis("summarise", *[THIRD] * 101)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "limit of 100" in ran.stderr


def test_a_file_over_the_limit_is_not_read(precis_process: Precis) -> None:
    """A setting moves the limit; the message says both numbers."""
    ran = precis_process("summarise", SECOND, PRECIS_MAX_CHARACTERS="1000")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "7,666 bytes" in ran.stderr
    assert "4,000 bytes" in ran.stderr
