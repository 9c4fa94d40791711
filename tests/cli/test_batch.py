"""`precis batch`: requests in, results in their order out, however often it is stopped and started again."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cli.batch_output import Output
from service.web.lines import Cutter

SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.txt"))
ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."

Precis = Callable[..., subprocess.CompletedProcess[str]]
Node = dict[str, Any]


def line(name: str, text: str = ARTICLE, **fields: Any) -> str:
    """A request as a line, without its end."""
    return json.dumps({"custom_id": name, "documents": [{"text": f"{text} {name}."}], **fields})


def wrote(path: Path, *lines: str) -> Path:
    """Write lines, and give the path back."""
    path.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8", newline="")
    return path


def results(path: Path) -> list[Node]:
    """What stands in a file of results, each in a line with its end."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(one) for one in text.splitlines()]


def came_to(found: list[Node]) -> list[tuple[int, str | None, str]]:
    """Number and name of each line, and what it has come to."""
    return [
        (one["line"], one["custom_id"], one["summary"]["status"] if "summary" in one else one["error"]["code"])
        for one in found
    ]


def ids(path: Path) -> list[str]:
    """The ids of the summaries in a file of results; a line that is done again has another one."""
    return [one["summary"]["id"] for one in results(path)]


@pytest.fixture
def requests(own_folder: Path) -> Path:
    """A file with six requests."""
    return wrote(own_folder / "in.ndjson", *map(line, "abcdef"))


@pytest.fixture
def out(own_folder: Path) -> Path:
    """Where results go."""
    return own_folder / "out.ndjson"


# --- what is written -------------------------------------------------------------------------------------------------


def test_every_line_has_its_result_in_order(precis: Precis, requests: Path, out: Path) -> None:
    """All done is exit code 0; the result is the resource that the API answers."""
    ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert "6 done, 0 failed" in ran.stderr
    found = results(out)
    assert came_to(found) == [(n, name, "succeeded") for n, name in enumerate("abcdef", 1)]
    assert all(one["summary"]["result"]["key_points"] for one in found)
    assert list(found[0]) == ["line", "custom_id", "input_sha256", "summary"]


def test_a_line_that_does_not_fit_is_exit_code_1(precis: Precis, out: Path, own_folder: Path) -> None:
    """It says why under its number, and the others are done."""
    lines = (line("a"), "", '{"custom_id": "b"}', "{", line("c", prompt="news@1"), line("d"))
    ran = precis("batch", wrote(own_folder / "in.ndjson", *lines), "-o", out)
    assert ran.returncode == 1
    assert "5 done, 3 of them failed: lines " in ran.stderr
    assert came_to(results(out)) == [
        (1, "a", "succeeded"),
        (3, "b", "invalid_request"),
        (4, None, "malformed_body"),
        (5, "c", "needs_model"),
        (6, "d", "succeeded"),
    ]


def test_standard_input_is_read_as_a_file_is(precis_process: Precis, requests: Path, out: Path) -> None:
    """And again where it was stopped."""
    body = requests.read_text(encoding="utf-8")
    ran = precis_process("batch", "-", "-o", str(out), stdin=body)
    assert ran.returncode == 0, ran.stderr
    before = ids(out)
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:4]))
    ran = precis_process("batch", "-", "-o", str(out), stdin=body)
    assert (ran.returncode, "(4 of them before)" in ran.stderr) == (0, True), ran.stderr
    assert ids(out)[:4] == before[:4]
    assert len(ids(out)) == 6


# --- a folder --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """A folder with articles in it and below it, and with what is none."""
    folder = own_folder / "articles"
    (folder / "old" / ".hidden").mkdir(parents=True)
    (folder / "b.txt").write_bytes(SEEDS[0].read_bytes())
    (folder / "a.md").write_text(f"# A bridge\n\n{ARTICLE}", encoding="utf-8")
    (folder / "old" / "c.html").write_text(f"<article><p>{ARTICLE}</p></article>", encoding="utf-8")
    for name in ("picture.png", ".hidden.txt", "old/.hidden/d.txt"):
        (folder / name).write_text(ARTICLE, encoding="utf-8")
    return folder


def test_each_readable_file_of_a_folder_is_a_line(precis: Precis, folder: Path, out: Path) -> None:
    """By its path from the folder; those of a folder stand together, in the order of their names."""
    ran = precis("batch", folder, "-o", out, "--length", "brief")
    assert ran.returncode == 0, ran.stderr
    found = results(out)
    assert came_to(found) == [(1, "a.md", "succeeded"), (2, "b.txt", "succeeded"), (3, "old/c.html", "succeeded")]
    assert {one["summary"]["result"]["length"]["asked"] for one in found} == {"brief"}
    assert found[2]["summary"]["result"]["documents"][0]["name"] == "old/c.html"


def test_files_that_are_no_articles_are_counted(precis: Precis, folder: Path) -> None:
    """The results and what is beside them are not among them, where they lie in the folder."""
    assert (folder / "picture.png").exists()
    for _ in range(2):
        ran = precis("batch", folder, "-o", folder / "results.ndjson")
        assert (ran.returncode, "files of kinds that are not read are left out: 1\n" in ran.stderr) == (0, True), (
            ran.stderr
        )
        (folder / "b.txt").write_text(ARTICLE, encoding="utf-8")
    assert (folder / "results.ndjson.before").exists()
    ran = precis("batch", folder, "-o", folder / "results.ndjson")
    assert (ran.returncode, "left out: 1\n" in ran.stderr) == (0, True), ran.stderr


def test_a_folder_is_done_again_where_it_changed(precis: Precis, folder: Path) -> None:
    """A file that was edited; the results may lie in the folder, and are no article. Other options are other lines."""
    out = folder / "out.txt"
    assert precis("batch", folder, "-o", out).returncode == 0
    before = ids(out)
    assert precis("batch", folder, "-o", out).returncode == 0
    assert ids(out) == before
    (folder / "b.txt").write_text(ARTICLE, encoding="utf-8")
    assert precis("batch", folder, "-o", out).returncode == 0
    assert [old == new for old, new in zip(before, ids(out), strict=True)] == [True, False, True]
    edited = ids(out)
    assert precis("batch", folder, "-o", out, "--length", "brief").returncode == 0
    assert not set(edited) & set(ids(out))


def test_a_file_that_cannot_be_read_is_a_line_that_failed(precis: Precis, folder: Path, out: Path) -> None:
    """A broken PDF, an empty text, a link that leads nowhere, and a name that is no text."""
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_text(ARTICLE, encoding="utf-8")
    ran = precis("batch", folder, "-o", out)
    assert ran.returncode == 1, ran.stderr
    assert [one[1:] for one in came_to(results(out))] == [
        ("a.md", "succeeded"),
        ("b.txt", "succeeded"),
        ("broken.pdf", "unreadable_file"),
        ("empty.txt", "nothing_to_read"),
        ("gone.txt", "invalid_request"),
        ("\\udcff.txt", "succeeded"),
        ("old/c.html", "succeeded"),
    ]


# --- started again ---------------------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again(precis: Precis, requests: Path, out: Path) -> None:
    """The file stays as it is, to the byte."""
    assert precis("batch", requests, "-o", out).returncode == 0
    before = out.read_bytes()
    ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, "6 done (6 of them before), 0 failed" in ran.stderr) == (0, True)
    assert out.read_bytes() == before
    assert not out.with_name("out.ndjson.before").exists()


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_last_line_that_is_half_written_is_cut_off(precis: Precis, requests: Path, out: Path, cut: int) -> None:
    """And done again, with all that follows."""
    assert precis("batch", requests, "-o", out).returncode == 0
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:3]) + lines[3][:-cut])
    assert precis("batch", requests, "-o", out).returncode == 0
    assert out.read_bytes().splitlines(keepends=True)[:3] == lines[:3]
    assert came_to(results(out)) == [(n, name, "succeeded") for n, name in enumerate("abcdef", 1)]


def test_an_edited_line_is_noticed_and_done_again(precis: Precis, requests: Path, out: Path) -> None:
    """In its place; what stands behind it stays."""
    assert precis("batch", requests, "-o", out).returncode == 0
    before = ids(out)
    wrote(requests, *map(line, "abXdef"))
    ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, "line 3 is not what it was" in ran.stderr) == (0, True), ran.stderr
    assert [one[1] for one in came_to(results(out))] == list("abXdef")
    assert [old == new for old, new in zip(before, ids(out), strict=True)] == [True, True, False, True, True, True]
    assert "1 of earlier runs have no line any more, and are in " in ran.stderr
    assert ids(out.with_name("out.ndjson.before")) == before[2:3]


def test_a_line_that_is_added_before_all_others_costs_them_nothing(precis: Precis, requests: Path, out: Path) -> None:
    """Nor lines that change places; each result is that of its line, with the number that it has now."""
    assert precis("batch", requests, "-o", out).returncode == 0
    before = dict(zip("abcdef", ids(out), strict=True))
    wrote(requests, *map(line, "Xbacdef"))
    ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, "7 done (6 of them before), 0 failed" in ran.stderr) == (0, True), ran.stderr
    assert came_to(results(out)) == [(n, name, "succeeded") for n, name in enumerate("Xbacdef", 1)]
    assert ids(out)[1:] == [before[name] for name in "bacdef"]
    assert not out.with_name("out.ndjson.before").exists()


def test_results_without_a_line_are_kept_for_the_day_it_comes_back(precis: Precis, requests: Path, out: Path) -> None:
    """Whoever names the wrong input by mistake has lost nothing."""
    assert precis("batch", requests, "-o", out).returncode == 0
    before = out.read_bytes()
    whole = requests.read_bytes()
    wrote(requests, line("b"))
    ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, "5 of earlier runs have no line any more" in ran.stderr) == (0, True), ran.stderr
    assert came_to(results(out)) == [(1, "b", "succeeded")]
    requests.write_bytes(whole)
    ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, "6 done (6 of them before)" in ran.stderr) == (0, True), ran.stderr
    assert out.read_bytes() == before
    assert not out.with_name("out.ndjson.before").exists()


def test_lines_that_were_added_or_taken_away_are_noticed(precis: Precis, requests: Path, out: Path) -> None:
    """The results are those of the lines that there are."""
    for names in ("abcdef", "abcdefgh", "abc", "xabc", "b"):
        wrote(requests, *map(line, names))
        assert precis("batch", requests, "-o", out).returncode == 0
        assert came_to(results(out)) == [(n, name, "succeeded") for n, name in enumerate(names, 1)]


def test_what_failed_is_done_again_where_that_is_asked_for(precis: Precis, own_folder: Path, out: Path) -> None:
    """Else it stays as it is, and the exit code says so."""
    replay = ("--replay", Path(__file__).parents[2] / "tests/recordings")
    seed = SEEDS[2].read_bytes().decode()
    good = json.dumps({"custom_id": "a", "documents": [{"text": seed}], "prompt": "news@1"})
    lines = wrote(own_folder / "in.ndjson", good, good.replace('"a"', '"b"'))
    ran = precis("batch", lines, "-o", out)
    assert (ran.returncode, [one[2] for one in came_to(results(out))]) == (1, ["needs_model"] * 2)
    before = out.read_bytes()
    ran = precis("batch", lines, "-o", out, *replay)
    assert (ran.returncode, out.read_bytes()) == (1, before)
    ran = precis("batch", lines, "-o", out, "--retry-failed", *replay)
    assert (ran.returncode, [one[2] for one in came_to(results(out))]) == (0, ["succeeded"] * 2), ran.stderr
    assert "is not what it was" not in ran.stderr


RECORD = '{{"line":{},"custom_id":null,"input_sha256":"{}","summary":{{"status":"succeeded"}},"of":"{}"}}\n'
LINES = st.lists(st.sampled_from("xyz"), max_size=6)


@given(old=LINES, new=LINES, newest=LINES, dies=st.integers(0, 6))
def test_no_result_that_has_its_line_is_lost(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str], newest: list[str], dies: int
) -> None:
    """Whatever was edited, moved or added, wherever the process died in between, and whatever was edited then."""
    path = tmp_path_factory.mktemp("out") / "out.ndjson"
    path.write_text("".join(RECORD.format(n, kind, f"old {n}") for n, kind in enumerate(old, 1)))

    def made() -> list[tuple[str, str]]:
        """Of what each result there is was made, and by which run, both files together."""
        beside = path.with_name("out.ndjson.before")
        both = path.read_text() + (beside.read_text() if beside.exists() else "")
        return [(one["input_sha256"], one["of"]) for one in map(json.loads, both.splitlines())]

    def run(lines: list[str], name: str, stop: int | None) -> None:
        there = made()
        with Output(path, again=False) as output:
            for number, kind in enumerate(lines, 1):
                if number - 1 == stop:
                    break
                found = output.take(number, kind)
                output.write(found.raw if found else RECORD.format(number, kind, f"{name} {number}").encode())
            else:
                output.finish()
        lost = set(there) - set(made())
        assert lost == set() if stop is not None and stop < len(lines) else all(kind in lines for kind, _ in lost)

    run(new, "new", dies)
    there = Counter(kind for kind, _ in set(made()))
    run(newest, "newest", None)
    found = [json.loads(one) for one in path.read_text().splitlines()]
    assert [(one["line"], one["input_sha256"]) for one in found] == list(enumerate(newest, 1))
    assert len({one["of"] for one in found}) == len(found)
    anew = Counter(one["input_sha256"] for one in found if one["of"].startswith("newest"))
    assert anew == Counter(newest) - there


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.ndjson", "-o", "out.ndjson"), "nowhere.ndjson: No such file"),
        (("in.ndjson",), "Missing option '-o'"),
        (("in.ndjson", "-o", "no/folder/out.ndjson"), "there is no folder"),
        (("in.ndjson", "-o", "in.ndjson"), "both the input and the output"),
        (("in.ndjson", "-o", "linked.ndjson"), "both the input and the output"),
        (("in.ndjson", "-o", "."), "is a directory"),
        (("in.ndjson", "-o", "out.ndjson", "--length", "brief"), "are for a folder"),
        (("in.ndjson", "-o", "out.ndjson", "--strict"), "are for a folder"),
        (("empty.ndjson", "-o", "out.ndjson"), "there is nothing to do"),
        (("empty", "-o", "out.ndjson"), "there is nothing to do"),
        (("in.ndjson", "-o", "notes.txt"), "holds something else"),
        (("in.ndjson", "-o", "list.json"), "holds something else"),
        (("in.ndjson", "-o", "other.ndjson"), "holds something else"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    precis: Precis, requests: Path, own_folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    """With what to do; no file that is there is touched."""
    (own_folder / "linked.ndjson").symlink_to(requests)
    (own_folder / "empty").mkdir()
    wrote(own_folder / "empty.ndjson", "", " ")
    wrote(own_folder / "notes.txt", "Some notes.")
    wrote(own_folder / "list.json", '[{"line": 1}]')
    wrote(own_folder / "other.ndjson", '{"line":1,"custom_id":null}')
    before = {path.name: path.read_bytes() for path in own_folder.iterdir() if path.is_file()}
    ran = precis("batch", *arguments)
    assert ran.returncode == 2, ran.stderr
    assert says in " ".join(ran.stderr.split())
    assert {name: (own_folder / name).read_bytes() for name in before} == before


def test_two_commands_do_not_write_the_same_file(precis: Precis, requests: Path, out: Path) -> None:
    """The second one says that the first is at it."""
    fcntl = pytest.importorskip("fcntl")
    out.touch()
    with out.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, "is being written by another process" in ran.stderr) == (2, True)
    assert precis("batch", requests, "-o", out).returncode == 0


@given(
    lines=st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    end=st.sampled_from([b"\n", b"\r\n"]),
    cuts=st.lists(st.integers(0, 120), max_size=6),
    has_mark=st.booleans(),
)
def test_lines_are_the_same_in_whatever_pieces_they_come(
    lines: list[bytes], end: bytes, cuts: list[int], has_mark: bool
) -> None:
    """Their numbers, what is in them, and which are too long."""
    most = 8
    body = b"\xef\xbb\xbf" * has_mark + end.join(lines)
    cutter = Cutter(most)
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    found = [line for start, stop in pairwise(places) for line in cutter.cut(body[start:stop])]
    found += cutter.end()
    expected: list[tuple[int, bytes | None]] = []
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        content = line.strip(b" \t\r")
        raw_size = len(line) + 3 * (has_mark and number == 1)
        if len(content) > most or raw_size > most + 4:
            expected.append((number, None))
        elif content:
            expected.append((number, content))
    assert [(line.number, line.content) for line in found] == expected
