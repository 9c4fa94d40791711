"""The application: routes, one handler for all errors, start and stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from service.core.errors import PrecisError
from service.experiment import Experiments
from service.jobs import Jobs, minding, retention
from service.jobs.batches import Batches
from service.settings import Settings
from service.web import batches, comparisons, documentation, events, problems, prompts, summaries
from service.web.access import AccessLog

OpenJobs = Callable[[Settings], AbstractAsyncContextManager[Jobs]]

TAKE_UP_S = 60.0
"""Between two looks for work that another process has left: a command that was killed beside this server."""

log = structlog.stdlib.get_logger(__name__)


@get("/health")
async def health() -> Response[bytes]:
    """The process answers; it says nothing of what it depends on."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@get("/ready")
async def ready(request: Request[Any, Any, State]) -> Response[bytes]:
    """The store answers and its schema is current, so that summaries can be made."""
    jobs: Jobs = request.app.state.jobs
    await jobs.store.ping()
    return Response(b'{"status":"ready"}', media_type="application/json")


def create_app(
    settings: Settings,
    *,
    open_jobs: OpenJobs,
    pace: events.Pace = events.PACE,
    sleep: minding.Sleep = asyncio.sleep,
) -> AccessLog:
    """The ASGI application. Nothing is opened before its lifespan begins.

    Args:
        settings: what was configured.
        open_jobs: opens the jobs for the lifespan of the application.
        pace: of the streams of events.
        sleep: waits for so many seconds, between two times that what is due is removed or taken up.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with (
            open_jobs(settings) as jobs,
            Experiments(jobs) as experiments,
            Batches(jobs, most_lines=settings.batch_max_lines) as batched,
        ):
            app.state.jobs, app.state.experiments, app.state.batches = jobs, experiments, batched
            app.state.feed = events.Feed(jobs, pace)
            resumed, compared = await jobs.resume(), await experiments.resume()
            await batched.resume()
            log.info("service_started", resumed=resumed, comparisons=compared)

            async def take_up() -> None:
                await jobs.resume()
                await experiments.resume()

            async with minding.beside(
                retention.hourly(jobs.store, jobs.keep, now=jobs.now, sleep=sleep),
                minding.every("take_up", take_up, first_s=TAKE_UP_S, then_s=TAKE_UP_S, sleep=sleep),
            ):
                yield
        log.info("service_stopped")

    app = Litestar(
        route_handlers=[
            summaries.router,
            events.router,
            batches.router,
            comparisons.router,
            prompts.router,
            health,
            ready,
            *documentation.handlers(),
        ],
        exception_handlers={PrecisError: problems.handle, HTTPException: problems.handle, Exception: problems.handle},
        lifespan=[lifespan],
        request_max_body_size=settings.max_body_bytes,
        openapi_config=None,
        logging_config=None,
        state=State({"settings": settings, "keys_in_use": set()}),
    )
    return AccessLog(app)
