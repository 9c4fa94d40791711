"""The only place where objects are built and wired."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import structlog
from msgspec.structs import replace

from service import __version__, data
from service.adapters import language, library, recordings, tokens
from service.adapters.endpoint import Endpoint, EndpointSettings, Overrides, network, open_transport, pinned
from service.adapters.store import Keep, Store
from service.asking import Asking, Prices
from service.core.catalogue import Catalogue
from service.core.comparable import REPLAYED
from service.core.errors import BadSettings
from service.jobs import Jobs
from service.pipeline import Tools
from service.settings import Settings

log = structlog.stdlib.get_logger(__name__)

_REPLAYED_URL = "http://replayed.invalid/v1"


@cache
def _vocabulary(encoding: str) -> tokens.Tokens:
    """Loaded when tokens are first counted: it takes half a second and 90 MB, and an extractive summary needs none."""
    return tokens.load(encoding)


@asynccontextmanager
async def open_jobs(settings: Settings) -> AsyncIterator[Jobs]:
    """The jobs of this process over the configured store and endpoint, closed at the end.

    Raises:
        StoreUnavailable: the database cannot be opened or is newer than this version.
        BadSettings: a setting does not fit what it is for.
        BadPrompt: the prompts do not load, or a released one was edited.
    """
    await asyncio.to_thread(tokens.verify, settings.encoding, tokens.VOCABULARIES)
    async with AsyncExitStack() as stack:
        prompts = (await asyncio.to_thread(load_prompts, settings)).catalogue
        asking = await stack.enter_async_context(open_asking(settings, prompts))
        store = await Store.open(settings.database_url, working=True)
        stack.push_async_callback(store.close)
        jobs = Jobs(
            store=store,
            tools=tools(settings),
            asking=asking,
            catalogue=prompts,
            concurrency=settings.concurrency,
            max_documents=settings.max_documents,
            keep=keep(settings),
        )
        try:
            yield jobs
        finally:
            await jobs.close(drain_s=settings.drain_s)


def keep(settings: Settings) -> Keep:
    """How long what is finished is kept."""
    texts, results = (
        None if days == "never" else timedelta(days=days) for days in (settings.documents_days, settings.results_days)
    )
    return Keep(texts=texts, results=results)


def tools(settings: Settings) -> Tools:
    """What the pipeline needs from outside."""
    return Tools(
        split_sentences=language.split_sentences,
        detect_language=language.detect_language,
        token_ends=lambda text: _vocabulary(settings.encoding).ends(text),
        encoding=settings.encoding,
        chunk_tokens=settings.chunk_tokens,
        slots=settings.slots,
        service_version=__version__,
    )


@asynccontextmanager
async def open_asking(settings: Settings, prompts: Catalogue | None = None) -> AsyncIterator[Asking | None]:
    """The configured endpoint with its prompts, loaded where they are not given; None where none is configured."""
    if prompts is None:
        prompts = (await asyncio.to_thread(load_prompts, settings)).catalogue
    if settings.base_url is None and settings.endpoint_mode != "replay":
        yield None
        return
    configured = endpoint_settings(settings)
    transport = _transport(settings, configured)
    async with Endpoint(configured, transport=transport) as endpoint:
        vocabulary = await asyncio.to_thread(_vocabulary, settings.encoding)
        yield Asking(
            endpoint=endpoint,
            # without user, password and query, since it stands in results
            url=network.shown(configured) if settings.endpoint_mode != "replay" else REPLAYED,
            model=configured.model,
            models=tuple(name.strip() for name in settings.models.split(",") if name.strip()),
            catalogue=prompts,
            prompt=settings.prompt,
            count=vocabulary.count,
            token_ends=vocabulary.ends,
            chunk_tokens=settings.chunk_tokens,
            margin=settings.token_margin,
            slots=configured.slots,
            prices=Prices(prompt=settings.price_prompt, completion=settings.price_completion),
            mode=settings.endpoint_mode,
        )
        if settings.endpoint_mode == "record":
            recordings.save_endpoint(
                recordings_folder(settings),
                recordings.EndpointRecord(
                    model=configured.model,
                    profile=endpoint.profile(),
                    slots=configured.slots,
                    context_window=endpoint.context_window(),
                ),
            )


def load_prompts(settings: Settings) -> library.Library:
    """The prompts of the configured folder, a draft that does not load logged; raises BadPrompt and BadSettings."""
    loaded = library.load(prompts_folder(settings), dev=settings.prompts_dev)
    for fault in loaded.faults:
        # not its detail, which may quote a line of the prompt
        log.warning("draft_does_not_load", file=fault.file, remedy="precis prompts verify says why")
    return loaded


def prompts_folder(settings: Settings) -> Path:
    """The folder of prompts: the one that is set, else the one that comes with the service.

    Raises:
        BadSettings: the folder that is set is not there.
    """
    if settings.prompts_dir is None:
        return data.folder("prompts")
    folder = Path(settings.prompts_dir)
    if not folder.is_dir():
        raise BadSettings(f"PRECIS_PROMPTS_DIR is {folder}, and there is no such folder. Make it, or mount it.")
    return folder


def endpoint_settings(settings: Settings) -> EndpointSettings:
    """How the endpoint is addressed; in a replay as it was when it was recorded.

    Raises:
        BadSettings: a setting is missing or does not fit.
    """
    record = _record(settings)
    model = record.model if record else settings.model
    if model is None:
        raise BadSettings("PRECIS_BASE_URL names an endpoint, but no model is set. Say which in PRECIS_MODEL.")
    configured = EndpointSettings(
        base_url=settings.base_url or _REPLAYED_URL,
        model=model,
        api_key=settings.api_key,
        headers=_headers(settings.endpoint_headers),
        query=dict(parse_qsl(settings.endpoint_query or "")),
        proxy=settings.proxy,
        ca_file=settings.ca_file,
        slots=settings.slots,
        rpm=settings.rpm,
        tpm=settings.tpm,
        context_window=settings.context_window,
        connect_s=settings.connect_s,
        write_s=settings.write_s,
        silence_s=settings.silence_s,
        pool_s=settings.pool_s,
        deadline_s=settings.deadline_s,
        attempts=settings.attempts,
        patience_s=settings.patience_s,
        outage_s=settings.outage_s,
        max_reply_bytes=settings.max_reply_bytes,
        overrides=_overrides(settings),
    )
    if record is None:
        return configured
    return replace(
        configured,
        base_url=_REPLAYED_URL,
        slots=record.slots,
        # recordings answer at once
        rpm=None,
        tpm=None,
        outage_s=0.0,
        context_window=record.context_window,
        overrides=pinned(record.profile),
    )


def _record(settings: Settings) -> recordings.EndpointRecord | None:
    """How the endpoint was addressed when it was recorded, for a replay."""
    if settings.endpoint_mode != "replay":
        return None
    folder = recordings_folder(settings)
    record = recordings.load_endpoint(folder)
    if record is None:
        raise BadSettings(f"There is no {recordings.ENDPOINT_FILE} in {folder}, so nothing was recorded there.")
    return record


def _transport(settings: Settings, configured: EndpointSettings) -> httpx.AsyncBaseTransport | None:
    if settings.endpoint_mode == "replay":
        return recordings.ReplayTransport(recordings_folder(settings))
    if settings.endpoint_mode == "record":
        folder, secrets = recordings_folder(settings), network.secrets(configured)
        return recordings.RecordingTransport(open_transport(configured), folder, secrets=secrets)
    return None


def recordings_folder(settings: Settings) -> Path:
    """The folder that recordings are written to or replayed from; raises BadSettings where none is set."""
    if settings.recordings_dir is None:
        raise BadSettings(
            f"PRECIS_ENDPOINT_MODE is {settings.endpoint_mode}, but no folder is set. Name it in PRECIS_RECORDINGS_DIR."
        )
    return Path(settings.recordings_dir)


def _headers(text: str | None) -> Mapping[str, str]:
    """Headers of `name: value` separated by line ends or semicolons."""
    found: dict[str, str] = {}
    for part in (text or "").replace(";", "\n").splitlines():
        name, colon, value = part.partition(":")
        if part.strip() and not colon:
            raise BadSettings("PRECIS_ENDPOINT_HEADERS has a part without a colon. Write name: value; name: value.")
        if part.strip():
            found[name.strip()] = value.strip()
    return found


def _overrides(settings: Settings) -> Overrides:
    switch = {"auto": None, "on": True, "off": False}
    return Overrides(
        cap=None if settings.send_cap == "auto" else settings.send_cap,
        system_role=None if settings.send_role == "auto" else settings.send_role,
        temperature=switch[settings.send_temperature],
        stream=switch[settings.send_stream],
        rung=None if settings.send_format == "auto" else settings.send_format,
    )
