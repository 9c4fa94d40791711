"""The processes of a trial by kills: an endpoint that lives throughout, a server that is killed and started anew."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PRECIS = Path(sysconfig.get_path("scripts")) / "precis"
START_S = 60.0
STOP_S = 60.0
LOOK_S = 0.01
"""Between two looks at a log that another process writes."""


class Fail(NamedTuple):
    """A fail point, and how often it is passed."""

    point: str
    at: int


Command = Callable[[Sequence[str], Fail | None], list[str]]


def local(arguments: Sequence[str], fail: Fail | None) -> list[str]:
    """How `precis` is run where its jobs are in the queue of its own process."""
    if fail is None:
        return [str(PRECIS), *arguments]
    return [sys.executable, str(HERE / "dying.py"), fail.point, str(fail.at), *arguments]


QUEUES: Mapping[str, Command] = {"local": local}
"""How `precis` is run with each queue; everything else about a trial is the same for all."""


class Life:
    """One life of a process that logs JSON to its standard error, which goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, born_at: float) -> None:
        self.process = process
        self.log = log
        self.born_at = born_at
        self._read = 0
        self._events: list[dict[str, Any]] = []

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def events(self) -> list[dict[str, Any]]:
        """What was logged so far; a line that is being written is left for later, and what is no JSON is left out."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            *whole, _ = file.read().split(b"\n")
        self._read += sum(len(line) + 1 for line in whole)
        self._events += [json.loads(line) for line in whole if line.startswith(b"{")]
        return self._events

    def logged(self, name: str) -> dict[str, Any] | None:
        """The first event of a name, if there was one."""
        return next((event for event in self.events() if event["event"] == name), None)

    def wait_for(self, name: str) -> dict[str, Any] | None:
        """The first event of a name, waited for; None where the process ended before."""
        give_up_at = time.monotonic() + START_S
        while time.monotonic() < give_up_at:
            ended = self.dead
            if (found := self.logged(name)) or ended:
                return found
            time.sleep(LOOK_S)
        raise AssertionError(f"{name} was not logged within {START_S:g} s: {self.said()}")

    def kill(self) -> None:
        """End the process at once, wherever it stands."""
        self.process.kill()
        self.process.wait(STOP_S)

    def stop(self) -> None:
        """Tell the process to end in order, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_S)
        assert code == 0, f"ended with {code}: {self.said()}"

    def said(self) -> str:
        """The end of the log, for a message."""
        return self.log.read_bytes()[-2000:].decode(errors="replace")


@contextmanager
def life(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[Life]:
    """Run a process; at the end it is gone, whatever happened."""
    born_at = time.time()
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file
        )
    try:
        yield Life(process, log, born_at)
    finally:
        process.kill()
        process.wait()


@contextmanager
def endpoint(journal: Path, *, seed: int, faults: float, delays_s: tuple[float, float] = (0.02, 0.1)) -> Iterator[int]:
    """Run a flaky endpoint; gives its port. It ends with the test, even where that is killed."""
    least_s, most_s = map(str, delays_s)
    arguments = ["--journal", str(journal), "--seed", str(seed), "--faults", str(faults)]
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, str(HERE / "flaky.py"), *arguments, "--least-s", least_s, "--most-s", most_s],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests/endpoint")])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(STOP_S)
        finally:
            process.kill()
            process.wait()


def settings(database: Path, **more: object) -> dict[str, str]:
    """The environment of a service on a database: nothing of the one around it but what a process needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PRECIS_", "OPENAI_")) and value}
    given = {"database_url": f"sqlite:///{database.as_posix()}", "log_format": "json", **more}
    return kept | {f"PRECIS_{name.upper()}": str(value) for name, value in given.items()}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
