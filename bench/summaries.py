"""Extractive summaries and sentences, warm, in this process."""

import asyncio
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

import tiktoken

from bench.chunking import ENCODING, MEGABYTE, least_cpu_s, prose
from service import __version__, data, pipeline
from service.adapters import language, tokens
from service.core.text import sentences
from service.core.types import Document, Options

TARGET_MS = 60
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Summarised:
    """One sample article: CPU and wall time of a whole summary."""

    name: str
    characters: int
    least_cpu_ms: float
    median_cpu_ms: float
    median_wall_ms: float


def tools(loaded: tokens.Tokens) -> pipeline.Tools:
    """What the pipeline needs, as the service wires it."""
    return pipeline.Tools(
        split_sentences=language.split_sentences,
        detect_language=language.detect_language,
        token_ends=loaded.ends,
        encoding=loaded.encoding,
        chunk_tokens=6000,
        slots=4,
        service_version=__version__,
    )


async def summarise_seeds(loaded: tokens.Tokens) -> list[Summarised]:
    """Summarise each sample article again and again, by turns."""
    wired = tools(loaded)
    paths = sorted(data.folder("seeds").glob("*.txt"))
    documents = [Document(id="d1", name=path.name, text=path.read_bytes().decode()) for path in paths]
    cpu: dict[str, list[float]] = {path.name: [] for path in paths}
    wall: dict[str, list[float]] = {path.name: [] for path in paths}
    for number in range(ROUNDS + 1):
        for path, document in zip(paths, documents, strict=True):
            started, began = process_time(), perf_counter()
            await pipeline.summarise([document], Options(), tools=wired)
            if number:  # the first warms up
                cpu[path.name].append((process_time() - started) * 1000)
                wall[path.name].append((perf_counter() - began) * 1000)
    return [
        Summarised(
            name=path.name,
            characters=len(document.text),
            least_cpu_ms=min(cpu[path.name]),
            median_cpu_ms=median(cpu[path.name]),
            median_wall_ms=median(wall[path.name]),
        )
        for path, document in zip(paths, documents, strict=True)
    ]


def print_summaries() -> None:
    """Print the table of summaries."""
    rows = asyncio.run(summarise_seeds(tokens.load(ENCODING)))
    print(f"A whole extractive summary of a sample article, warm, {ROUNDS} times; target: CPU under {TARGET_MS} ms")
    print(f"{'article':<28}{'characters':>12}{'CPU ms, least':>15}{'median':>8}{'wall ms':>9}{'a second':>10}")
    for row in rows:
        print(
            f"{row.name:<28}{row.characters:>12,}{row.least_cpu_ms:>15.1f}{row.median_cpu_ms:>8.1f}"
            f"{row.median_wall_ms:>9.1f}{1000 / row.median_wall_ms:>10.0f}"
        )
    worst = max(row.median_cpu_ms for row in rows)
    print(f"{'reached' if worst < TARGET_MS else 'MISSED'}: {worst:.0f} ms at most, median")


def print_sentences() -> None:
    """Print the table of sentence splitting beside one encode pass over the same text."""
    raw = tiktoken.get_encoding(tokens.load(ENCODING).encoding)
    text = prose(MEGABYTE)
    windows = range(0, len(text), tokens.WINDOW_CHARACTERS)
    encode_s, split_s, all_s = least_cpu_s(
        [
            lambda: [raw.encode_ordinary(text[start : start + tokens.WINDOW_CHARACTERS]) for start in windows],
            lambda: language.split_sentences(text),
            lambda: sentences(text, language.split_sentences),
        ],
        times=3,
    )
    megabytes = len(text.encode()) / MEGABYTE
    print("Sentences of 1 MB of prose, one thread, least CPU time of several runs; no target of its own")
    print(f"{'what':<36}{'MB/s':>8}{'over encode':>13}")
    for name, seconds in (
        (f"one encode pass ({ENCODING})", encode_s),
        ("nupunkt alone", split_s),
        ("sentences with paragraphs and pieces", all_s),
    ):
        print(f"{name:<36}{megabytes / seconds:>8.1f}{seconds / encode_s:>13.2f}")
