"""How two prompt versions differ, part by part: parameters, order, output, and the parts of every stage."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from service.core.comparison import PartDiff, PromptDiff
from service.core.prompts import VARIABLES, PromptVersion
from service.core.types import Stage

CONTEXT_LINES = 3
GAP = "…"

Line = tuple[Literal[" ", "-", "+"], str]


def diff(a: PromptVersion, b: PromptVersion) -> PromptDiff:
    """How the second version differs from the first, in the order: params, order, output, stages.

    What does not belong to a stage has the stage `""`. A stage that only one of them has is all lines of that one.
    """
    parts = [
        PartDiff(stage=stage, part=part, lines=lines)
        for stage, part, before, after in _parts(a, b)
        if (lines := line_diff(before, after))
    ]
    return PromptDiff(a=a.id, b=b.id, change=b.front.change, parts=tuple(parts))


def _parts(a: PromptVersion, b: PromptVersion) -> Iterator[tuple[str, str, list[str], list[str]]]:
    yield "", "params", _params(a), _params(b)
    yield "", "order", [a.front.order], [b.front.order]
    yield "", "output", [a.front.output], [b.front.output]
    for stage in VARIABLES:
        (a_system, a_user), (b_system, b_user) = _stage(a, stage), _stage(b, stage)
        yield stage, "system", a_system, b_system
        yield stage, "user", a_user, b_user


def _params(version: PromptVersion) -> list[str]:
    return [f"{name}: {value}" for name, value in msgspec.structs.asdict(version.front.params).items()]


def _stage(version: PromptVersion, stage: Stage) -> tuple[list[str], list[str]]:
    """The lines of both parts; none where the version does not have the stage."""
    template = version.stages.get(stage)
    return (template.system.split("\n"), template.user.split("\n")) if template else ([], [])


def line_diff(a: Sequence[str], b: Sequence[str], *, context: int = CONTEXT_LINES) -> tuple[Line, ...]:
    """The lines that differ, with so many around them that are in both; what is left out there is a line `…`.

    Empty where nothing differs.

    >>> line_diff(["1", "2", "3"], ["1", "2", "4"], context=1)
    ((' ', '…'), (' ', '2'), ('-', '3'), ('+', '4'))
    """
    matcher = difflib.SequenceMatcher(a=a, b=b, autojunk=False)
    lines: list[Line] = []
    end = 0
    for group in matcher.get_grouped_opcodes(context):
        if group[0][1] > end:
            lines.append((" ", GAP))
        for tag, a_start, a_end, b_start, b_end in group:
            if tag == "equal":
                lines += [(" ", line) for line in a[a_start:a_end]]
            else:
                lines += [("-", line) for line in a[a_start:a_end]]
                lines += [("+", line) for line in b[b_start:b_end]]
        end = group[-1][2]
    if lines and end < len(a):
        lines.append((" ", GAP))
    return tuple(lines)
