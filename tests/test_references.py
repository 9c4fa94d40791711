"""The references still fit the texts that they were read from."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
REFERENCES = [*sorted((ROOT / "tests/references").glob("*.json")), ROOT / "tests/texts/harbour-inquiry.json"]


@pytest.fixture(params=REFERENCES, ids=lambda path: path.stem)
def reference(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A reference file."""
    read: dict[str, Any] = json.loads(Path(request.param).read_text(encoding="utf-8"))
    return read


def texts(reference: dict[str, Any]) -> dict[str, str]:
    """The texts that a reference is about, by their ids."""
    return {entry["id"]: (ROOT / entry["file"]).read_bytes().decode() for entry in reference["documents"]}


def test_a_reference_is_about_the_text_as_it_is(reference: dict[str, Any]) -> None:
    """The digest of every document is that of its file."""
    found = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts(reference).items()}
    assert found == {entry["id"]: entry["sha256"] for entry in reference["documents"]}


def test_every_span_is_the_source_at_its_offsets(reference: dict[str, Any]) -> None:
    """Facts and both sides of every conflict quote the text exactly."""
    text = texts(reference)
    spans = [span for fact in reference["facts"] for span in fact["spans"]]
    spans += [span for conflict in reference["conflicts"] for side in conflict["sides"] for span in side]
    assert spans
    assert all(text[span["document"]][span["start"] : span["end"]] == span["quote"] for span in spans)


def test_a_must_is_one_for_every_reader(reference: dict[str, Any]) -> None:
    """Where two readers differ, a fact is a should, and the difference is marked."""
    musts = [fact for fact in reference["facts"] if fact["importance"] == "must"]
    assert musts
    assert all(len(fact["readers"]) == reference["readings"] for fact in musts)
    for fact in reference["facts"]:
        if len(fact["readers"]) < reference["readings"]:
            assert fact["importance"] == "should"
            assert fact["disagreements"]
