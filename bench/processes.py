"""Start-up time and memory of the command and of the server, measured from outside."""

import http.client
import os
import re
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from service import data

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"
HELP_TARGET_S = 0.4
TIMES = 7
SERVER_TIMES = 3


@dataclass(frozen=True, slots=True)
class Timed:
    """Wall seconds of several runs of one command."""

    name: str
    least_s: float
    median_s: float
    target_s: float | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """One life of a server."""

    ready_s: float
    rest_mb: float
    """Resident memory once it is ready."""
    seeds_mb: float
    """Resident memory after it has summarised the sample articles once."""
    many_mb: float
    """Resident memory after many more summaries; far above the one before, it would be a leak."""


def start_up(folder: Path) -> list[Timed]:
    """Time commands that do little but start."""
    seed = min(data.folder("seeds").glob("*.txt"))
    return [
        _timed("precis --help", ["--help"], folder, target_s=HELP_TARGET_S),
        _timed("precis config", ["config"], folder),
        _timed("precis summarise, one sample article", ["summarise", str(seed)], folder),
    ]


def _timed(name: str, arguments: list[str], folder: Path, *, target_s: float | None = None) -> Timed:
    seconds = []
    for _ in range(TIMES + 1):
        began = perf_counter()
        subprocess.run(  # noqa: S603 - our own command
            [SCRIPT, *arguments], env=_environ(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
        )
        seconds.append(perf_counter() - began)
    del seconds[0]  # reads the disk
    return Timed(name=name, least_s=min(seconds), median_s=median(seconds), target_s=target_s)


def serve(folder: Path) -> Served:
    """Start a server, have it summarise, and stop it."""
    bodies = [path.read_bytes() for path in sorted(data.folder("seeds").glob("*.txt"))]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = perf_counter()
    with _serving(port, folder) as server:
        _ask(port, "GET", "/ready")
        ready_s = perf_counter() - began
        rest_mb = resident_mb(server.pid)
        for body in bodies:
            _ask(port, "POST", "/v1/summaries", body)
        seeds_mb = resident_mb(server.pid)
        for body in bodies * 20:
            _ask(port, "POST", "/v1/summaries", body)
        return Served(ready_s=ready_s, rest_mb=rest_mb, seeds_mb=seeds_mb, many_mb=resident_mb(server.pid))


@contextmanager
def _serving(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "--log-level", "warning", "serve", "--port", str(port)],
        env=_environ(folder),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            yield server
        finally:
            server.terminate()


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> None:
    """Ask until somebody listens, and then wait for the answer."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body=body, headers={"Content-Type": "text/plain"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (200, 201), answer.status
        except ConnectionRefusedError:
            continue
        finally:
            connection.close()
        return


def resident_mb(process: int) -> float:
    """Resident memory of a process, in 10^6 bytes; 0 where the system does not tell (it does on Linux)."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1_000_000 if found else 0.0


def _environ(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRECIS_")}
    return kept | {"PRECIS_DATABASE_URL": f"sqlite:///{(folder / 'bench.db').as_posix()}"}


def main() -> None:
    """Print both tables."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        print(f"Start-up, wall time of {TIMES} runs; target: precis --help under {HELP_TARGET_S} s")
        print(f"{'command':<40}{'least s':>9}{'median':>8}")
        for row in start_up(folder):
            reached = "" if row.target_s is None else "  reached" if row.least_s < row.target_s else "  MISSED"
            print(f"{row.name:<40}{row.least_s:>9.2f}{row.median_s:>8.2f}{reached}")
        lives = [serve(folder) for _ in range(SERVER_TIMES)]
    ready = [life.ready_s for life in lives]
    print(f"{'precis serve until /ready':<40}{min(ready):>9.2f}{median(ready):>8.2f}")
    print()
    print(f"Resident memory of the server, MB, median of {SERVER_TIMES}; no target of its own")
    print(f"{'when':<40}{'MB':>9}")
    print(f"{'at rest':<40}{median(life.rest_mb for life in lives):>9.0f}")
    print(f"{'after the sample articles':<40}{median(life.seeds_mb for life in lives):>9.0f}")
    print(f"{'after 60 more summaries of them':<40}{median(life.many_mb for life in lives):>9.0f}")
