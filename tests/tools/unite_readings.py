"""Unites independent readings of the same articles into one reference file, disagreements marked.

    python tests/tools/unite_readings.py OUT.json --document ID=FILE [--document ID=FILE] READING.json [READING.json]

Facts of two readings are one when their quoted spans overlap by half (intersection over union), or overlap at all and
say nearly the same. A fact is a must where every reading has it as a must; where one has it as a must and another as a
should, or not at all, it is a should with the disagreement marked.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

LEAST_OVERLAP = 0.5
NEARLY_THE_SAME = 75
READERS = "ab"

Fact = dict[str, Any]


def main() -> None:
    """Unite what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--document", action="append", required=True, metavar="ID=FILE")
    parser.add_argument("readings", nargs="+", type=Path)
    options = parser.parse_args()
    files = dict(entry.split("=", 1) for entry in options.document)
    texts = {name: Path(file).read_bytes().decode() for name, file in files.items()}
    readings = [json.loads(path.read_text(encoding="utf-8")) for path in options.readings]
    facts = united([[spanned(fact, texts) for fact in reading["facts"]] for reading in readings])
    reference = {
        "documents": [
            {"id": name, "file": file, "sha256": hashlib.sha256(texts[name].encode()).hexdigest()}
            for name, file in files.items()
        ],
        "readings": len(readings),
        "facts": [{"id": f"f{number}", **fact} for number, fact in enumerate(facts, 1)],
        "must_not": [
            {**entry, "reader": READERS[at]} for at, reading in enumerate(readings) for entry in reading["must_not"]
        ],
        "conflicts": [
            {
                "id": f"c{number}",
                "kind": entry["kind"],
                "note": entry["note"],
                "sides": [spans(side, texts) for side in entry["sides"]],
                "reader": READERS[at],
            }
            for number, (at, entry) in enumerate(
                ((at, entry) for at, reading in enumerate(readings) for entry in reading["conflicts"]), 1
            )
        ],
    }
    options.out.write_text(json.dumps(reference, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    musts = sum(fact["importance"] == "must" for fact in facts)
    sys.stdout.write(f"{options.out}: {len(facts)} facts, {musts} musts\n")


def spans(quotes: list[dict[str, str]], texts: dict[str, str]) -> list[dict[str, Any]]:
    """Quotes with their offsets; the first occurrence counts."""
    found = []
    for quote in quotes:
        start = texts[quote["document"]].index(quote["quote"])
        found.append({**quote, "start": start, "end": start + len(quote["quote"])})
    return found


def spanned(fact: Fact, texts: dict[str, str]) -> Fact:
    """A fact of a reading with spans in place of quotes."""
    kept = {name: fact.get(name) for name in ("text", "importance", "stance", "who")}
    return {**kept, "spans": spans(fact["quotes"], texts)}


def united(readings: list[list[Fact]]) -> list[Fact]:
    """The facts of one or two readings, in the order of the source."""
    first = [{**fact, "readers": ["a"], "disagreements": []} for fact in readings[0]]
    if len(readings) == 1:
        return sorted(first, key=place)
    pairs = sorted(
        ((score(a, b), i, j) for i, a in enumerate(first) for j, b in enumerate(readings[1]) if score(a, b)),
        reverse=True,
    )
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    facts: list[Fact] = []
    for _, i, j in pairs:
        if i in taken_a or j in taken_b:
            continue
        taken_a.add(i)
        taken_b.add(j)
        facts.append(joined(first[i], readings[1][j]))
    facts += [alone(fact, "a") for i, fact in enumerate(first) if i not in taken_a]
    facts += [alone({**fact, "readers": ["b"]}, "b") for j, fact in enumerate(readings[1]) if j not in taken_b]
    return sorted(facts, key=place)


def joined(a: Fact, b: Fact) -> Fact:
    """Two readers' fact: a's words, all spans, a must only where both say so."""
    differing = [
        {"field": name, "a": a[name], "b": b[name]} for name in ("importance", "stance", "who") if a[name] != b[name]
    ]
    every = {(span["document"], span["start"], span["end"]): span for span in [*a["spans"], *b["spans"]]}
    importance = "must" if a["importance"] == b["importance"] == "must" else "should"
    return {
        **a,
        "importance": importance,
        "also": b["text"],
        "spans": list(every.values()),
        "readers": ["a", "b"],
        "disagreements": differing,
    }


def alone(fact: Fact, reader: str) -> Fact:
    """A fact that only one of two readers has."""
    other = "b" if reader == "a" else "a"
    marked = {"field": "importance", reader: fact["importance"], other: None}
    return {**fact, "importance": "should", "readers": [reader], "disagreements": [marked]}


def score(a: Fact, b: Fact) -> float:
    """How much two facts are one; 0 where they are not."""
    mine, theirs = characters(a), characters(b)
    overlap = len(mine & theirs) / max(len(mine | theirs), 1)
    alike = fuzz.token_set_ratio(a["text"], b["text"])
    return overlap if overlap >= LEAST_OVERLAP or (overlap > 0 and alike >= NEARLY_THE_SAME) else 0.0


def characters(fact: Fact) -> set[tuple[str, int]]:
    """Every character that a fact quotes."""
    return {(span["document"], at) for span in fact["spans"] for at in range(span["start"], span["end"])}


def place(fact: Fact) -> tuple[str, int]:
    """Where a fact stands first."""
    return min((span["document"], span["start"]) for span in fact["spans"])


if __name__ == "__main__":
    main()
