"""The only place where objects are built and wired."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from service import __version__
from service.adapters import language, tokens
from service.adapters.store import Store
from service.jobs import Jobs
from service.pipeline import Tools
from service.settings import Settings


@cache
def _vocabulary(encoding: str) -> tokens.Tokens:
    """Loaded when tokens are first counted: it takes half a second and 90 MB, and an extractive summary needs none."""
    return tokens.load(encoding)


@asynccontextmanager
async def open_jobs(settings: Settings) -> AsyncIterator[Jobs]:
    """The jobs of this process over the configured store, closed at the end.

    Raises:
        StoreUnavailable: the database cannot be opened or is newer than this version.
        BadSettings: a setting does not fit what it is for.
    """
    await asyncio.to_thread(tokens.verify, settings.encoding, tokens.VOCABULARIES)
    store = await Store.open(settings.database_url)
    jobs = Jobs(
        store=store,
        tools=Tools(
            split_sentences=language.split_sentences,
            detect_language=language.detect_language,
            token_ends=lambda text: _vocabulary(settings.encoding).ends(text),
            encoding=settings.encoding,
            chunk_tokens=settings.chunk_tokens,
            slots=settings.concurrency,
            service_version=__version__,
        ),
        concurrency=settings.concurrency,
        max_documents=settings.max_documents,
    )
    try:
        yield jobs
    finally:
        await jobs.close(drain_s=settings.drain_s)
        await store.close()
