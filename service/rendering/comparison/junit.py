"""A comparison as JUnit XML, as CI systems read it: a suite for each pair, a case for each rule and document set."""

import re
from xml.etree import ElementTree as ET

from service.core.comparison import Comparison, GateReason, PairComparison
from service.core.text import visible
from service.rendering.comparison import phrases
from service.rendering.comparison.reading import Entry, Shown, shown

MOST_LINES = 40
"""Of what is said about one case."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, in whatever spelling (section 2.2)."""


def render(comparison: Comparison) -> str:
    """The document.

    A regression is a failure; a failed trial, or versions that cannot be compared, an error; what is not decided is
    skipped, so whoever wants that to stop a build goes by the exit code of the gate.
    """
    root = ET.Element("testsuites", name="precis compare")
    for at, pair in enumerate(comparison.pairs):
        suite = ET.SubElement(root, "testsuite", name=_text(phrases.title(pair)))
        properties = ET.SubElement(suite, "properties")
        for name, value in (
            ("sentence", pair.sentence),
            ("verdict", phrases.VERDICTS[pair.verdict]),
            ("primary_metric", comparison.primary_metric),
        ):
            ET.SubElement(properties, "property", name=name, value=_text(value))
        if at == 0:
            for reason in comparison.gate.reasons:
                _rule(suite, pair, reason)
        for one in shown(comparison, pair):
            _set(suite, pair, one)
        _count(suite, len(suite.findall("testcase")))
    _count(root, sum(len(suite.findall("testcase")) for suite in root))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return f"{document.decode()}\n"


def _count(element: ET.Element, tests: int) -> None:
    found = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    element.set("tests", str(tests))
    for name, tag in found.items():
        element.set(name, str(len(element.findall(f".//testcase/{tag}"))))


def _rule(suite: ET.Element, pair: PairComparison, reason: GateReason) -> None:
    case = _case(suite, f"{phrases.title(pair)}.gate", reason.rule)
    if reason.outcome == "pass":
        return
    tag = {"regression": "failure", "inconclusive": "skipped"}.get(reason.outcome, "error")
    if reason.rule == "trials":
        tag = "error"
    _result(case, tag, reason.outcome, phrases.OUTCOMES[reason.outcome], reason.detail)


def _set(suite: ET.Element, pair: PairComparison, one: Shown) -> None:
    case = _case(suite, f"{phrases.title(pair)}.documents", f"{one.set.id} {one.set.name}")
    found = one.found
    if "failed" in found.tags or found.a is None or found.b is None:
        _result(case, "error", "failed", "a trial has no result", "\n".join(one.failures))
    elif "regressed" in found.tags or "new_unsupported" in found.tags:
        _result(case, "failure", "regression", phrases.came_out(found), "\n".join(_regressed(one)))


def _regressed(one: Shown) -> list[str]:
    """What was lost, changed or came in without support, the weightiest first."""
    found = one.found
    lines = [f"new and unsupported {new.kind}: {new.text} ({new.detail})" for new in found.unsupported]
    lines += [f"reference fact lost ({fact.importance}): {fact.text}" for fact in found.facts if fact.covered_by == "a"]
    entries = [entry for entry in one.entries if entry.label in ("lost", "contradicts", "changed")]
    lines += [_line(entry) for entry in sorted(entries, key=lambda entry: -entry.weight)]
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more"] if more > 0 else lines


def _line(entry: Entry) -> str:
    why = f" ({entry.why})" if entry.why else ""
    changes = f" {'; '.join(entry.changes)}" if entry.changes else ""
    sides = " → ".join(point.text for point in (entry.a, entry.b) if point is not None)
    return f"{entry.label}{why}{changes}: {sides}"


def _case(suite: ET.Element, group: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_text(group), name=_text(name))


def _result(case: ET.Element, tag: str, kind: str, message: str, text: str) -> None:
    element = ET.SubElement(case, tag, message=_text(message))
    if tag != "skipped":
        element.set("type", kind)
    element.text = _text(text)


def _text(text: str) -> str:
    r"""Text that XML 1.0 can hold and that hides nothing.

    >>> _text("a\0b\ufffe\x0c<")
    'ab<'
    """
    return _NOT_XML.sub("", visible(text))
