"""A comparison as one self-contained page: what was gained, lost and changed, beside the sources.

The page works from a file, without a server and without script; its one script, named by its digest, only adds.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from html import escape
from typing import NamedTuple, get_args

from jinja2 import Environment
from markupsafe import Markup

from service.core.comparison import Comparison, PairComparison, PromptDiff, Tag, Trial
from service.core.text import visible
from service.rendering import pages
from service.rendering import phrases as summary_phrases
from service.rendering.comparison import json, phrases
from service.rendering.comparison.panes import SetView, view
from service.rendering.comparison.reading import shown
from service.rendering.comparison.room import Plan, plan


class RawView(NamedTuple):
    """A result as it is."""

    id: str
    name: str
    text: Markup | None
    """None where it is left out."""


class PairView(NamedTuple):
    """Two versions, as the page shows them."""

    key: str
    pair: PairComparison
    sets: tuple[SetView, ...]
    diff: PromptDiff | None
    tags: tuple[tuple[Tag, int], ...]
    """How many document sets have each."""


def render(comparison: Comparison, texts: Mapping[str, str]) -> str:
    """The page; of a document whose text is not at hand it shows the quotes alone.

    Args:
        comparison: what to show.
        texts: of the documents, by their SHA-256.

    """
    environment = _environment()
    script, style = (_part(name) for name in ("script.js", "style.css"))
    planned = plan(comparison, texts)
    pairs = tuple(_pair(at, comparison, texts, planned) for at in range(len(comparison.pairs)))
    page = environment.get_template("comparison.html").render(
        comparison=comparison,
        pairs=pairs,
        raw=_raw(comparison, planned.left),
        planned=planned,
        policy=f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "base-uri 'none'; form-action 'none'",
        script=Markup(script),  # noqa: S704 - our own file
        style=Markup(style),  # noqa: S704 - our own file
    )
    return f"{page}\n"


def _pair(at: int, comparison: Comparison, texts: Mapping[str, str], planned: Plan) -> PairView:
    pair = comparison.pairs[at]
    having = Counter(tag for one in pair.sets for tag in one.tags)
    diffs = {(diff.a, diff.b): diff for diff in comparison.prompt_diffs}
    sets = []
    for position, one in enumerate(shown(comparison, pair)):
        place = (at, position)
        own = {digest: texts[digest] for where, digest in planned.sources if where == place}
        crowded = frozenset(digest for where, digest in planned.crowded if where == place)
        sets.append(view(f"p{at + 1}s{position + 1}", one, planned.tiers[place], own, crowded))
    return PairView(
        key=f"p{at + 1}",
        pair=pair,
        sets=tuple(sets),
        diff=diffs.get((pair.a, pair.b)),
        tags=tuple((tag, having[tag]) for tag in get_args(Tag)),
    )


def _raw(comparison: Comparison, room: int) -> dict[str, RawView]:
    """The results that are shown, by their trials, in the order of the pairs, while there is room."""
    trials = {trial.id: trial for trial in comparison.trials}
    names = {one.id: one.name for one in comparison.sets}
    wanted = dict.fromkeys(name for pair in comparison.pairs for one in pair.sets for name in (one.a, one.b) if name)
    numbers = {trial.id: number for number, trial in enumerate(comparison.trials, 1)}
    left = room
    found: dict[str, RawView] = {}
    for name in wanted:
        trial = trials.get(name)
        if trial is None or trial.result is None:
            continue
        text: str | None = None
        if left > 0:
            text = _as_seen(trial)
            left -= len(text.encode())
        shown = Markup(escape(text, quote=False)) if text is not None and left >= 0 else None  # noqa: S704 - escaped
        about = f"{trial.version} on {names.get(trial.set, trial.set)}"
        found[name] = RawView(f"raw{numbers[name]}", about, shown)
    return found


def _as_seen(trial: Trial) -> str:
    r"""The result as JSON, in which a character that is not shown stands as `\uXXXX`."""
    text = json.encode(trial.result)
    return text if visible(text) == text else "".join(char if visible(char) else json.spelled(char) for char in text)


@cache
def _environment() -> Environment:
    environment = pages.environment()
    environment.globals.update(phrases=phrases, points=summary_phrases)
    return environment


@cache
def _part(name: str) -> str:
    return (pages.TEMPLATES / "comparison" / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The source expression that allows an inline element with exactly this text (CSP level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
