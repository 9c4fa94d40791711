"""`precis batch` on a bad day: told to end, killed, beside another one, on a full disk, its file taken away."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from lives import LOOK_S
from peers import Asked, Reply, Server
from troubles import small_disk
from writing import beside, settings

if sys.platform == "win32":
    pytest.skip("Windows sends no signals to a child", allow_module_level=True)

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"
DYING = Path(__file__).parents[1] / "faults" / "dying.py"
LONGEST_S = 60.0
ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."

Precis = Callable[..., subprocess.CompletedProcess[str]]
Require = Callable[[str, str], None]
Running = subprocess.Popen[str]


def requests(*numbers: int) -> str:
    """A line for each."""
    texts = ((number, [{"text": f"{ARTICLE} It was vote {number}."}]) for number in numbers)
    return "".join(json.dumps({"custom_id": str(number), "documents": own}) + "\n" for number, own in texts)


def names(path: Path) -> list[str]:
    """The lines of which results are there, in the order of the file; each result must be a good one."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {one["summary"]["status"] for one in found} <= {"succeeded"}
    return [one["custom_id"] for one in found]


def statuses(folder: Path) -> set[str]:
    """What the summaries of a database have come to."""
    with closing(sqlite3.connect(folder / "precis.db")) as connection:
        return {status for (status,) in connection.execute("SELECT status FROM summaries")}


def until(holds: Callable[[], bool]) -> None:
    """Return when something holds."""
    end = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(LOOK_S)


@pytest.fixture
def out(own_folder: Path) -> Path:
    """Where results go."""
    return own_folder / "out.ndjson"


@contextmanager
def reading(out: Path, *numbers: int) -> Iterator[Running]:
    """A command that has done some lines of standard input, and waits for more."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "batch", "-", "-o", str(out)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdin
            running.stdin.write(requests(*numbers))
            running.stdin.flush()
            until(lambda: out.exists() and out.read_bytes().count(b"\n") == len(numbers))
            yield running
        finally:
            running.kill()


def said(running: Running) -> str:
    """What a command that ends by itself had to say; its standard input stays open."""
    assert running.stderr
    text = running.stderr.read()
    running.wait(LONGEST_S)
    return text


# --- told to end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_what_is_done(
    own_folder: Path, out: Path, precis_process: Precis, number: signal.Signals, code: int
) -> None:
    """In a line that says to go on; nothing is left unfinished, and the same command does."""
    with reading(out, 1, 2) as running:
        running.send_signal(number)
        *_, last = said(running).splitlines()
    assert (running.returncode, last) == (code, "precis: interrupted; 2 done, 0 failed. The same command goes on.")
    assert statuses(own_folder) == {"succeeded"}
    assert not (own_folder / "precis.db.workers").exists()
    ran = precis_process("batch", "-", "-o", str(out), stdin=requests(1, 2, 3))
    assert (ran.returncode, "3 done (2 of them before)" in ran.stderr) == (0, True), ran.stderr
    assert names(out) == ["1", "2", "3"]


@pytest.mark.enable_socket
def test_a_signal_ends_what_is_worked_on(own_folder: Path, out: Path) -> None:
    """In the middle of a call that is not answered: its row is cancelled, so that nobody asks for it again."""
    Path("in.ndjson").write_text(requests(1, 2), encoding="utf-8")
    asked = threading.Event()

    def script(_: Asked) -> Reply:
        asked.set()
        return Reply(end="hang")

    with beside(Server()) as server:
        server.script = script
        named = {f"PRECIS_{name.upper()}": str(value) for name, value in settings(server).items()}
        with subprocess.Popen(  # noqa: S603 - our own command
            [SCRIPT, "batch", "in.ndjson", "-o", out], stderr=subprocess.PIPE, env={**os.environ, **named}, text=True
        ) as running:
            assert asked.wait(LONGEST_S)
            running.send_signal(signal.SIGTERM)
            text = said(running)
    assert (running.returncode, "0 done, 0 failed. The same command goes on." in text) == (143, True), text
    assert statuses(own_folder) == {"cancelled"}


# --- killed ----------------------------------------------------------------------------------------------------------


def test_however_often_it_is_killed_the_results_are_whole(own_folder: Path, out: Path, precis_process: Precis) -> None:
    """By `kill -9`, five times, wherever it is: in the end every line is there, in order, and none twice."""
    Path("in.ndjson").write_text(requests(*range(60)), encoding="utf-8")
    arguments = ("batch", "in.ndjson", "-o", str(out))
    before: list[str] = []
    for point, at in (("after_end", 5), ("after_claim", 7), ("before_end", 9), ("after_accept", 30), ("after_end", 11)):
        command = [sys.executable, str(DYING), point, str(at), *arguments]
        killed = subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603 - our own
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        whole = out.read_bytes().rpartition(b"\n")[0].splitlines()
        after = [json.loads(line)["summary"]["id"] for line in whole]
        assert after[: len(before)] == before
        before = after
    ran = precis_process(*arguments)
    assert (ran.returncode, f"({len(before)} of them before)" in ran.stderr) == (0, bool(before)), ran.stderr
    assert names(out) == [str(number) for number in range(60)]
    assert len({json.loads(line)["summary"]["id"] for line in out.read_text().splitlines()}) == 60


# --- beside another, and without its file ----------------------------------------------------------------------------


def test_a_second_command_on_the_same_file_is_refused(own_folder: Path, out: Path, precis_process: Precis) -> None:
    """It writes nothing, and the first one loses nothing."""
    with reading(out, 1, 2) as running:
        before = out.read_bytes()
        ran = precis_process("batch", "-", "-o", str(out), stdin=requests(1, 2, 3))
        assert ran.returncode == 2
        assert (
            ran.stderr.splitlines()[-1] == f"Error: {out} is being written by another process. Let it end, or end it."
        )
        assert out.read_bytes() == before
        running.communicate(requests(3), timeout=LONGEST_S)
    assert running.returncode == 0
    assert names(out) == ["1", "2", "3"]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_taken_away_is_said(own_folder: Path, out: Path, precis_process: Precis, replaced: bool) -> None:
    """With the next result, also while more input is waited for; another file in its place is left alone."""
    with reading(out, 1) as running:
        out.unlink()
        if replaced:
            out.write_text("Notes.")
        assert running.stdin
        running.stdin.write(requests(2))
        running.stdin.flush()
        assert f"{out} was moved or deleted while it was written" in said(running)
    assert running.returncode == 1
    assert not out.exists() or out.read_text() == "Notes."
    out.unlink(missing_ok=True)
    assert precis_process("batch", "-", "-o", str(out), stdin=requests(1, 2)).returncode == 0
    assert names(out) == ["1", "2"]


def test_a_full_disk_is_said_and_gone_on_from(
    own_folder: Path, tmp_path: Path, precis: Precis, require: Require
) -> None:
    """What is in the file counts, but for a last half line."""
    Path("in.ndjson").write_text(requests(*range(20)), encoding="utf-8")
    with small_disk(tmp_path / "disk", require) as disk:
        out = disk.folder / "out.ndjson"
        assert precis("batch", "in.ndjson", "-o", out).returncode == 0
        whole = out.read_bytes()
        out.write_bytes(whole[: len(whole) // 2])
        disk.fill()
        ran = precis("batch", "in.ndjson", "-o", out)
        assert ran.returncode == 1
        assert f"{out} could not be written: No space left on device. What is in {out} counts" in ran.stderr
        disk.free()
        ran = precis("batch", "in.ndjson", "-o", out)
        assert (ran.returncode, "of them before" in ran.stderr) == (0, True)
        assert names(out) == [str(number) for number in range(20)]


def test_what_cannot_be_set_aside_is_said(own_folder: Path, out: Path, precis: Precis) -> None:
    """The results stay as they were."""
    Path("in.ndjson").write_text(requests(1, 2), encoding="utf-8")
    assert precis("batch", "in.ndjson", "-o", out).returncode == 0
    before = out.read_bytes()
    Path("out.ndjson.before.part").mkdir()
    Path("in.ndjson").write_text(requests(0, 2), encoding="utf-8")
    ran = precis("batch", "in.ndjson", "-o", out)
    assert (ran.returncode, "out.ndjson.before.part could not be written: Is a directory" in ran.stderr) == (1, True)
    assert out.read_bytes() == before


# --- input -----------------------------------------------------------------------------------------------------------


def test_a_pipe_with_a_name_is_read_as_it_comes(own_folder: Path, out: Path, precis_process: Precis) -> None:
    """Once: its lines are not counted first, as `<(command)` of a shell gives them only once."""
    os.mkfifo("pipe")
    writing = threading.Thread(target=lambda: Path("pipe").write_text(requests(1, 2, 3), encoding="utf-8"))
    writing.start()
    ran = precis_process("batch", "pipe", "-o", str(out))
    writing.join(LONGEST_S)
    assert (ran.returncode, names(out)) == (0, ["1", "2", "3"]), ran.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(own_folder: Path, out: Path, precis: Precis) -> None:
    """No line is left out without a word."""
    for name in ("open", "shut"):
        (own_folder / "articles" / name).mkdir(parents=True)
        (own_folder / "articles" / name / "a.txt").write_text(ARTICLE)
    (own_folder / "articles" / "shut").chmod(0)
    ran = precis("batch", "articles", "-o", out)
    (own_folder / "articles" / "shut").chmod(0o700)
    assert (ran.returncode, "articles/shut: Permission denied" in ran.stderr) == (2, True)
    assert not out.exists()


def test_a_folder_that_goes_while_it_is_read_is_said(own_folder: Path, out: Path, precis: Precis) -> None:
    """Its files are lines that failed, as those are that cannot be read."""
    (own_folder / "articles").mkdir()
    (own_folder / "articles" / "a.txt").write_text(ARTICLE)
    assert precis("batch", "articles", "-o", out).returncode == 0
    shutil.rmtree(own_folder / "articles")
    ran = precis("batch", "articles", "-o", out)
    assert (ran.returncode, "articles: No such file" in ran.stderr) == (2, True)
    assert names(out) == ["a.txt"]


def test_a_file_that_is_none_is_lines_that_failed(own_folder: Path, out: Path, precis: Precis) -> None:
    """Bytes of a picture, or a line of many megabytes between two good ones; those are done."""
    one, two = requests(1, 2).splitlines()
    body = b"\n".join([b"\xef\xbb\xbf" + one.encode() + b"\r", b"\x89PNG\x00\xff", b"a" * 20_000_000, two.encode()])
    Path("in.ndjson").write_bytes(body)
    ran = precis("batch", "in.ndjson", "-o", out)
    assert (ran.returncode, "4 done, 2 of them failed: lines " in ran.stderr) == (1, True), ran.stderr
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [one["custom_id"] for one in found] == ["1", None, None, "2"]
    assert [one["error"]["code"] for one in found[1:3]] == ["malformed_body", "too_large"]
