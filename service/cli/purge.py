"""`precis purge`: removes what is due, as a server does every hour."""

import asyncio
from datetime import UTC, datetime

import click

from service import bootstrap, logs
from service.adapters.store import Keep, Removed, Retention, Store
from service.jobs.retention import purge
from service.settings import Settings


def run(settings: Settings, *, dry_run: bool) -> int:
    """Remove what is due and say what it was, or only say it."""
    logs.configure(level="warning", fmt=settings.log_format)
    keep = bootstrap.keep(settings)
    removed = asyncio.run(_run(settings, keep, dry_run=dry_run))
    for line in _said(removed, dry_run=dry_run):
        click.echo(line)
    return 0


async def _run(settings: Settings, keep: Keep, *, dry_run: bool) -> Removed:
    store = await Store.open(settings.database_url)
    try:
        now = datetime.now(UTC)
        return await Retention(store).due(keep, now) if dry_run else await purge(store, keep, now=now)
    finally:
        await store.close()


def _said(removed: Removed, *, dry_run: bool) -> list[str]:
    would = "would delete" if dry_run else "deleted"
    lines = [
        f"{would} {_many(number, one, many)}"
        for number, one, many in (
            (removed.texts, "the texts of one summary", "the texts of {} summaries"),
            (removed.summaries, "one summary", "{} summaries"),
            (removed.comparisons, "one comparison", "{} comparisons"),
            (removed.batches, "one batch", "{} batches"),
            (removed.copies, "one copy from before a migration", "{} copies from before a migration"),
        )
        if number
    ]
    return lines or ["nothing is due"]


def _many(number: int, one: str, many: str) -> str:
    return one if number == 1 else many.format(f"{number:,}")
