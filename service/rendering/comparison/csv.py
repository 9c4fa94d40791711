"""A comparison as CSV (RFC 4180), a row for each thing that was found, with a `kind` that says what the row is of.

`average`: a metric of a pair, over all document sets. `metric`: a metric of a pair on one document set. `claim`: an
entry of the ledger of a pair on one document set. Columns that a kind has no use for are empty.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping

from service.core.comparison import Comparison, PairComparison
from service.core.text import presentable
from service.rendering.comparison import phrases
from service.rendering.comparison.reading import Entry, Shown, shown

COLUMNS = (
    *("kind", "pair_a", "pair_b", "set", "set_name", "name", "direction", "unit", "a", "b", "delta", "n"),
    *("wins", "ties", "losses", "interval_low", "interval_high", "p", "p_holm", "noise", "verdict"),
    *("label", "a_id", "b_id", "a_claim", "b_claim", "changes", "weight", "reasons"),
)
"""`name` is of the metric; `a` and `b` are its values, and the versions are `pair_a` and `pair_b`."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""

Row = Mapping[str, object]


def render(comparison: Comparison) -> str:
    """The table, its first line naming the columns."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for pair in comparison.pairs:
        for row in _rows(comparison, pair):
            writer.writerow({name: safe(value) for name, value in row.items()})
    return stream.getvalue()


def safe(value: object) -> str:
    """A cell that no spreadsheet runs: what begins like a formula gets an apostrophe, unless it is a number.

    >>> safe("=1+1"), safe("-2 lost"), safe(-0.5), safe("-0.5"), safe(None)
    ("'=1+1", "'-2 lost", '-0.5', '-0.5', '')
    """
    if value is None:
        return ""
    text = presentable(str(value))
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _rows(comparison: Comparison, pair: PairComparison) -> Iterator[Row]:
    of = {"pair_a": pair.a, "pair_b": pair.b}
    units = {row.name: {"direction": row.direction, "unit": row.unit} for row in pair.metrics}
    for row in pair.metrics:
        yield {
            **of,
            **units[row.name],
            **{name: getattr(row, name) for name in ("name", "a", "b", "delta", "n", "wins", "ties", "losses")},
            **{name: getattr(row, name) for name in ("p", "p_holm", "noise")},
            "kind": "average",
            "interval_low": row.interval and row.interval.low,
            "interval_high": row.interval and row.interval.high,
            "verdict": row.verdict and phrases.VERDICTS[row.verdict],
        }
    sets = list(shown(comparison, pair))
    for one in sets:
        for name, (a, b) in one.found.metrics.items():
            delta = None if a is None or b is None else b - a
            values = {"name": name, **units.get(name, {}), "a": a, "b": b, "delta": delta}
            yield {**of, **_set(one), "kind": "metric", **values}
    for one in sets:
        for entry in one.entries:
            yield {**of, **_set(one), "kind": "claim", **_claim(entry)}


def _set(one: Shown) -> Row:
    return {"set": one.set.id, "set_name": one.set.name}


def _claim(entry: Entry) -> Row:
    return {
        "label": entry.label,
        "a_id": entry.a and entry.a.id,
        "b_id": entry.b and entry.b.id,
        "a_claim": entry.a and entry.a.text,
        "b_claim": entry.b and entry.b.text,
        "changes": "; ".join(entry.changes),
        "weight": entry.found and entry.found.weight,
        "reasons": " ".join(entry.found.reasons) if entry.found else None,
    }
