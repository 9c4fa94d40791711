"""`precis summarise` on a terminal: how far it is, on standard error, in a line that leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from peers import Asked, Reply, Server, failing
from writing import PARTS, SHORT, beside, by_parts, stage, written

if sys.platform == "win32":
    pytest.skip("there are no such terminals", allow_module_level=True)
import pty

pytestmark = pytest.mark.enable_socket

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"
LONGEST_S = 60
CURSOR_HIDDEN, CURSOR_SHOWN = "\x1b[?25l", "\x1b[?25h"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """The command with its standard error on a terminal, and its standard output in a file."""

    begins: ClassVar = ["summarise"]
    ends: ClassVar = ["--json"]

    def __init__(self, folder: Path, server: Server | None, *arguments: str, **environ: str) -> None:
        self.output = folder / "out.json"
        ours, theirs = pty.openpty()
        named = {f"PRECIS_{name.upper()}": str(value) for name, value in (by_parts(server) if server else {}).items()}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [SCRIPT, *self.begins, *arguments, *self.ends],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=theirs,
                env={**os.environ, **named, "TERM": "xterm", "COLUMNS": "200", "TZ": "UTC", **environ},
            )
        os.close(theirs)
        self._screen = ours
        self.raw = ""

    def until(self, mark: str) -> str:
        """What the terminal was sent up to a mark."""
        while mark not in self.raw:
            assert self._read(), f"the command ended before {mark!r}: {self.raw!r}"
        return self.raw

    def end(self) -> int:
        """Read to the end; gives the exit code."""
        while self._read():
            pass
        os.close(self._screen)
        return self.process.wait(LONGEST_S)

    def _read(self) -> bool:
        try:
            piece = os.read(self._screen, 65_536)
        except OSError:  # what Linux says when the other side is closed
            return False
        self.raw += piece.decode()
        return piece != b""

    @property
    def lines(self) -> list[str]:
        """Every state of the line, without colours, in order."""
        return [line.strip() for line in re.split(r"[\r\n]+", _ESCAPES.sub("", self.raw)) if line.strip()]


class BatchTerminal(Terminal):
    """The same for a batch."""

    begins: ClassVar = ["batch"]
    ends: ClassVar = ["-o", "out.ndjson"]


Run = Callable[..., Terminal]
Text = Callable[[str], str]


@pytest.fixture
def run(own_folder: Path) -> Iterator[Run]:
    """Runs the command until the test ends."""
    started: list[Terminal] = []

    def start(server: Server | None, *arguments: str, kind: type[Terminal] = Terminal, **environ: str) -> Terminal:
        started.append(kind(own_folder, server, *arguments, **environ))
        return started[-1]

    yield start
    for terminal in started:
        terminal.process.kill()
        terminal.process.wait(LONGEST_S)


@pytest.fixture
def server() -> Iterator[Server]:
    """An endpoint beside the test."""
    with beside(Server()) as started:
        yield started


@pytest.fixture
def text(own_folder: Path) -> Text:
    """Writes a text into a file and gives its name."""

    def write(content: str) -> str:
        path = own_folder / "article.txt"
        path.write_text(content, encoding="utf-8")
        return str(path)

    return write


def test_phases_parts_and_tokens_are_shown(server: Server, run: Run, text: Text) -> None:
    """As they come; and the lines at the start and the end are those that are written off a terminal."""
    released = threading.Event()

    def script(asked: Asked) -> Reply:
        if stage(asked) == "merge":
            assert released.wait(LONGEST_S)
        return written(asked)

    server.script = script
    terminal = run(server, text(PARTS))
    parts = re.search(r"(\d+)/\1 parts, ([\d,]+) tokens", terminal.until("merging"))
    released.set()
    assert terminal.end() == 0
    assert parts is not None
    assert int(parts[1]) >= 3
    assert "drafting" in terminal.raw
    made = json.loads(terminal.output.read_text())
    assert terminal.lines[0] == f"{made['id']}: summarising 1 document ..."
    assert re.fullmatch(rf"{made['id']}: succeeded after \d+\.\d\d s", terminal.lines[-1])


def test_nothing_is_left_of_it(run: Run, text: Text) -> None:
    """The line is taken away and the cursor given back; standard output is the summary and nothing else."""
    terminal = run(None, text(SHORT))
    assert terminal.end() == 0
    assert terminal.raw.count(CURSOR_HIDDEN) == terminal.raw.count(CURSOR_SHOWN) == 1
    assert terminal.raw.index(CURSOR_SHOWN) < terminal.raw.index("succeeded after")
    assert json.loads(terminal.output.read_text())["status"] == "succeeded"


def test_ctrl_c_ends_it_and_gives_the_cursor_back(server: Server, run: Run, text: Text) -> None:
    """In the middle of a call that is not answered: exit code 130, a message, and a terminal to type in."""
    server.script = lambda _: Reply(end="hang")
    terminal = run(server, text(SHORT))
    terminal.until("0/1 parts")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert terminal.lines[-1] == "precis: interrupted"
    assert terminal.raw.rindex(CURSOR_SHOWN) > terminal.raw.rindex(CURSOR_HIDDEN)


def test_a_batch_that_is_stopped_gives_the_cursor_back(server: Server, run: Run, own_folder: Path) -> None:
    """Below its bar, which stays where it was."""
    asked = threading.Event()

    def script(_: Asked) -> Reply:
        asked.set()
        return Reply(end="hang")

    server.script = script
    (own_folder / "articles").mkdir()
    (own_folder / "articles" / "a.txt").write_text(SHORT, encoding="utf-8")
    terminal = run(server, "articles", kind=BatchTerminal)
    terminal.until("0/1")
    assert asked.wait(LONGEST_S)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert terminal.lines[-1] == "precis: interrupted; 0 done, 0 failed. The same command goes on."
    assert terminal.raw.rindex(CURSOR_SHOWN) > terminal.raw.rindex(CURSOR_HIDDEN)


def test_waiting_for_the_endpoint_says_until_when(server: Server, run: Run, text: Text) -> None:
    """An endpoint that asks for an hour: the time of day when it is asked again."""
    server.script = lambda _: failing(429, headers={"retry-after": "3000"})
    terminal = run(server, text(SHORT), PRECIS_OUTAGE_S="3600")
    shown = terminal.until("waiting until ")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert re.search(r"waiting until \d\d:\d\d:\d\d", shown + terminal.raw)


def test_a_dumb_terminal_is_spared(run: Run, text: Text) -> None:
    """It gets the two lines of a pipe."""
    terminal = run(None, text(SHORT), TERM="dumb")
    assert terminal.end() == 0
    assert len(terminal.lines) == 2
    assert "\x1b" not in terminal.raw


def test_several_summaries_say_which_is_shown(run: Run, text: Text) -> None:
    """With --each, the line begins with the number of the file."""
    name = text(SHORT)
    terminal = run(None, name, name, "--each")
    assert terminal.end() == 0
    assert any(re.search(r"\[2/2\] (queued|reading|drafting|finishing)", line) for line in terminal.lines)
