"""Chunking against the encode pass that it needs: one pass is the floor for chunks with exact token counts."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import tiktoken

from service.adapters import tokens
from service.core.chunking import split
from service.core.types import Document, Sentence, Source

SEEDS = Path(__file__).parent.parent / "seeds"
ENCODING = "o200k_base"
BUDGET_TOKENS = 1_000
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One text: how fast it is encoded and chunked, and how full the chunks are."""

    name: str
    encode_mb_s: float
    chunk_mb_s: float
    chunks: int
    fill: float
    """Tokens of the average chunk over the budget."""

    @property
    def ratio(self) -> float:
        """CPU time of chunking over that of the encode pass."""
        return self.encode_mb_s / self.chunk_mb_s


def prose(size: int, *, seed: int = 1) -> str:
    """Text of the seeds' paragraphs, sentences and words, shuffled and mixed so that none comes back as it was."""
    chance = random.Random(seed)  # noqa: S311 - the same text every time
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(SEEDS.glob("*.txt")))
    sentences = [sentence.split() for sentence in re.split(r"(?<=[.!?”])\s+|\n+", text) if sentence]
    words = [word for sentence in sentences for word in sentence]
    parts: list[str] = []
    length = 0
    while length < size:
        sentence = [chance.choice(words) if chance.random() < 1 / 3 else word for word in chance.choice(sentences)]
        parts.append(" ".join(sentence) + ("\n\n" if chance.random() < 1 / 4 else " "))
        length += len(parts[-1])
    return "".join(parts)[:size]


def letters(size: int, *, seed: int = 1) -> str:
    """One line of lower-case letters without a space."""
    return "".join(random.Random(seed).choices("etaoinshrdlucmfwypvbgkjqxz", k=size))  # noqa: S311


def cjk(size: int, *, seed: int = 1) -> str:
    """One line of Chinese characters with a full stop now and then, of so many bytes."""
    characters = [chr(code) for code in range(0x4E00, 0x5E00)] + ["。"] * 150 + ["，"] * 250
    return "".join(random.Random(seed).choices(characters, k=size // 3))  # noqa: S311


def emoji(size: int, *, seed: int = 1) -> str:
    """One line of emoji, of so many bytes."""
    return "".join(random.Random(seed).choices([chr(code) for code in range(0x1F600, 0x1F650)], k=size // 4))  # noqa: S311


def source(text: str) -> Source:
    """A text with its sentences, found the quick way."""
    sentences = []
    paragraph, previous = 1, 0
    for number, match in enumerate(re.finditer(r"\S.*?(?:(?<=[.!?”])(?=\s)|(?<=。)|$)", text, re.MULTILINE), start=1):
        paragraph += "\n\n" in text[previous : match.start()]
        sentences.append(Sentence(number=number, start=match.start(), end=match.end(), paragraph=paragraph))
        previous = match.end()
    return Source(document=Document(id="bench", text=text), language=None, sentences=tuple(sentences))


def least_cpu_s(runs: Sequence[Callable[[], object]], *, times: int) -> list[float]:
    """Least CPU seconds of each run, interleaved so that a drifting machine slows all of them alike."""
    least = [float("inf")] * len(runs)
    for _ in range(times):
        for number, run in enumerate(runs):
            started = process_time()
            run()
            least[number] = min(least[number], process_time() - started)
    return least


def measure(name: str, text: str, *, loaded: tokens.Tokens, times: int) -> Measured:
    """Encode and chunk a text by turns."""
    document = source(text)
    raw = tiktoken.get_encoding(loaded.encoding)
    windows = range(0, len(text), tokens.WINDOW_CHARACTERS)
    chunks = split(document, ends=loaded.ends, budget=BUDGET_TOKENS)
    encode_s, chunk_s = least_cpu_s(
        [
            lambda: [raw.encode_ordinary(text[start : start + tokens.WINDOW_CHARACTERS]) for start in windows],
            lambda: split(document, ends=loaded.ends, budget=BUDGET_TOKENS),
        ],
        times=times,
    )
    megabytes = len(text.encode()) / MEGABYTE
    fill = sum(chunk.tokens for chunk in chunks) / len(chunks) / BUDGET_TOKENS
    return Measured(
        name=name, encode_mb_s=megabytes / encode_s, chunk_mb_s=megabytes / chunk_s, chunks=len(chunks), fill=fill
    )


def run() -> list[Measured]:
    """Measure every text."""
    loaded = tokens.load(ENCODING)
    return [
        measure("prose, 1 MB", prose(MEGABYTE), loaded=loaded, times=9),
        measure("prose, 10 MB", prose(10 * MEGABYTE), loaded=loaded, times=5),
        measure("no space, 1 MB", letters(MEGABYTE), loaded=loaded, times=7),
        measure("CJK, 1 MB", cjk(MEGABYTE), loaded=loaded, times=7),
        measure("emoji, 1 MB", emoji(MEGABYTE), loaded=loaded, times=7),
    ]


def main() -> None:
    """Print the table."""
    print(f"Chunks of at most {BUDGET_TOKENS} tokens ({ENCODING}), one thread, least CPU time of several runs")
    print(f"{'text':<16}{'encode MB/s':>12}{'chunk MB/s':>12}{'ratio':>8}{'chunks':>8}{'fill':>6}")
    for row in run():
        print(
            f"{row.name:<16}{row.encode_mb_s:>12.1f}{row.chunk_mb_s:>12.1f}{row.ratio:>8.2f}{row.chunks:>8}{row.fill:>6.2f}"
        )


if __name__ == "__main__":
    main()
