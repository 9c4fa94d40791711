"""Comparing: many claims aligned, many documents compared, and the whole of a comparison of the sample articles.

Each part runs in a process of its own, so that its memory is its own. Nothing is asked of a model: answers of the whole
come from recordings.
"""

import argparse
import asyncio
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Literal, TypeVar, get_args

import msgspec
from msgspec.structs import replace

from bench.grounding import peak_mb
from bench.processes import resident_mb
from bench.prompts import RECORDINGS, SEEDS, Run, replayed
from service import logs
from service.core import ledger
from service.core.comparing import compare
from service.core.comparison import ComparedVersion, DocumentSet, Experiment, Trial
from service.core.set_comparing import Material
from service.core.types import Evidence, KeyPoint, SummaryResult
from service.rendering import comparison as reports

CLAIMS = 500
CLAIMS_TARGET_S = 2.0
DOCUMENTS = 200
DOCUMENTS_TARGET_S, DOCUMENTS_TARGET_MB = 20.0, 500.0
SEEDS_TARGET_S, SEEDS_TARGET_KB = 5.0, 1000.0
VERSIONS = ("news@1", "news@3")

Part = Literal["claims", "documents"]
T = TypeVar("T")


class Taken(msgspec.Struct, frozen=True):
    """What a part took."""

    steps: dict[str, float]
    """Seconds of wall time by step."""
    peak_mb: float
    note: str


def _results(folder: Path) -> dict[str, list[tuple[SummaryResult, str]]]:
    """The recorded summaries of the sample articles by version, with their texts."""
    found: dict[str, list[tuple[SummaryResult, str]]] = {version: [] for version in VERSIONS}
    for seed in SEEDS:
        for version in VERSIONS:
            run = Run(seed.stem, (seed,), RECORDINGS, seed)
            result = asyncio.run(replayed(run, version, folder / f"{seed.stem}-{version}.db"))
            found[version].append((result, seed.read_bytes().decode()))
    return found


def claims(folder: Path) -> Taken:
    """Two summaries of 500 claims each, of one long text: half cite the same words, the others say it otherwise."""
    result, _ = _results(folder)["news@3"][1]
    chance = random.Random(5)  # noqa: S311 - for a load, not for a secret
    words = " ".join(point.text for point in result.key_points).split()
    characters = 2_000_000
    facts = replace(result.documents[0], characters=characters)

    def point(number: int, start: int) -> KeyPoint:
        quote = " ".join(chance.choices(words, k=20))
        place = Evidence(
            document=facts.id,
            sentence=start // 120,
            quote=quote,
            start=start,
            end=start + len(quote),
            prefix="",
            suffix="",
            match="exact",
        )
        text = " ".join(chance.choices(words, k=22))
        return replace(
            result.key_points[number % len(result.key_points)], id=f"k{number}", text=text, evidence=(place,)
        )

    starts = [chance.randrange(characters - 500) for _ in range(CLAIMS)]
    moved = [start if number % 2 else chance.randrange(characters - 500) for number, start in enumerate(starts)]
    one, other = (
        replace(result, documents=(facts,), key_points=tuple(point(n, at) for n, at in enumerate(places, 1)))
        for places in (starts, moved)
    )
    steps: dict[str, float] = {}
    entries = _timed(steps, "ledger", lambda: ledger.ledger(one, other))
    return Taken(steps=steps, peak_mb=peak_mb(), note=f"{len(entries)} entries")


def documents(folder: Path) -> Taken:
    """Two hundred document sets by two versions: the recorded summaries, each set with a text of its own."""
    by_version = _results(folder)
    texts: dict[str, str] = {}
    sets: list[DocumentSet] = []
    trials: list[Trial] = []
    for number in range(1, DOCUMENTS + 1):
        name = f"s{number}"
        for version in VERSIONS:
            result, text = by_version[version][number % len(SEEDS)]
            # what is appended makes a text of its own, and moves no offset
            own = f"{text}\n\nCopy {number}."
            digest = hashlib.sha256(own.encode()).hexdigest()
            texts[digest] = own
            own_result = replace(result, documents=(replace(result.documents[0], sha256=digest),))
            trials.append(Trial(id=f"t{len(trials) + 1}", set=name, version=version, repetition=0, result=own_result))
        sets.append(DocumentSet(id=name, name=f"{number}.txt", digests=(digest,)))
    versions = [
        ComparedVersion(id=version, prompt=by_version[version][0][0].manifest.prompt, engine="llm")
        for version in VERSIONS
    ]
    experiment, material = Experiment(sets=tuple(sets), prompts=VERSIONS), Material(texts=texts)
    before_mb = resident_mb(os.getpid())
    steps: dict[str, float] = {}
    made = _timed(
        steps,
        "compare",
        lambda: compare(experiment, versions, trials, material, service_version="0", diffs={}),
    )
    sizes: list[str] = []
    forms: tuple[reports.Form, ...] = ("json", "html", "markdown", "csv", "junit")
    for form in forms:
        report = _timed(steps, form, partial(reports.render, form, made, texts))
        sizes.append(f"{form} {len(report.encode()) / 1e6:.1f} MB")
    return Taken(steps=steps, peak_mb=peak_mb(), note=f"{before_mb:.0f} MB before; {', '.join(sizes)}")


def _timed(steps: dict[str, float], name: str, work: Callable[[], T]) -> T:
    started = perf_counter()
    made = work()
    steps[name] = perf_counter() - started
    return made


def in_process(part: Part) -> Taken:
    """A part, in a process of its own."""
    ran = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "bench.comparing", "--part", part], capture_output=True, check=True
    )
    return msgspec.json.decode(ran.stdout, type=Taken)


def seeds(folder: Path) -> tuple[float, float, str]:
    """The command over the sample articles: seconds, kilobytes of the page, and what it says."""
    out = folder / "report.html"
    command = [
        str(Path(sys.executable).with_name("precis")),
        "--database-url",
        f"sqlite:///{folder}/precis.db",
        "compare",
        *map(str, SEEDS),
        "--prompts",
        "news@1,news@2,news@3",
        "--replay",
        str(RECORDINGS),
        "--out",
        str(out),
    ]
    started = perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    took_s = perf_counter() - started
    return took_s, out.stat().st_size / 1000, " ".join(ran.stdout.split(".")[0].split())


def _reached(holds: bool) -> str:
    return "reached" if holds else "MISSED"


def main() -> None:
    """Print what each part took."""
    one = in_process("claims")
    took_s = one.steps["ledger"]
    print(f"{CLAIMS} x {CLAIMS} claims aligned and labelled; target: under {CLAIMS_TARGET_S:g} s")
    print(f"  {took_s:.2f} s, {one.note}  {_reached(took_s < CLAIMS_TARGET_S)}")
    print()
    many = in_process("documents")
    whole_s = many.steps["compare"] + many.steps["html"]
    print(
        f"{DOCUMENTS} documents by two versions, compared and shown as a page; target: under {DOCUMENTS_TARGET_S:g} s "
        f"and {DOCUMENTS_TARGET_MB:g} MB"
    )
    print("  " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in many.steps.items()))
    reached = whole_s < DOCUMENTS_TARGET_S and many.peak_mb < DOCUMENTS_TARGET_MB
    print(f"  {whole_s:.1f} s, peak {many.peak_mb:.0f} MB ({many.note})  {_reached(reached)}")
    print()
    with TemporaryDirectory() as folder:
        took_s, kilobytes, said = seeds(Path(folder))
    print(
        f"precis compare seeds/*.txt --prompts news@1,news@2,news@3 --replay tests/recordings --out report.html; "
        f"target: under {SEEDS_TARGET_S:g} s, no call, under 1 MB"
    )
    reached = took_s < SEEDS_TARGET_S and kilobytes < SEEDS_TARGET_KB
    print(f"  {took_s:.2f} s, {kilobytes:.0f} kB  {_reached(reached)}")
    print(f"  {said}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Comparing; with --part, one part for `in_process`.")
    parser.add_argument("--part", choices=get_args(Part))
    given = parser.parse_args()
    if given.part:
        logs.configure(level="warning", fmt="console", stream=sys.stderr)
        with TemporaryDirectory() as name:
            found = {"claims": claims, "documents": documents}[given.part](Path(name))
        sys.stdout.buffer.write(msgspec.json.encode(found))
    else:
        main()
