"""The application: routes, one handler for all errors, start and stop."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from service.core.errors import PrecisError
from service.experiment import Experiments
from service.jobs import Jobs
from service.settings import Settings
from service.web import comparisons, documentation, problems, prompts, summaries
from service.web.access import AccessLog

OpenJobs = Callable[[Settings], AbstractAsyncContextManager[Jobs]]

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


def create_app(settings: Settings, *, open_jobs: OpenJobs) -> AccessLog:
    """The ASGI application. Nothing is opened before its lifespan begins.

    Args:
        settings: what was configured.
        open_jobs: opens the jobs for the lifespan of the application.

    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_jobs(settings) as jobs, Experiments(jobs) as experiments:
            app.state.jobs, app.state.experiments = jobs, experiments
            resumed, compared = await jobs.resume(), await experiments.resume()
            log.info("service_started", resumed=resumed, comparisons=compared)
            yield
        log.info("service_stopped")

    app = Litestar(
        route_handlers=[summaries.router, comparisons.router, prompts.router, health, ready, *documentation.handlers()],
        exception_handlers={PrecisError: problems.handle, HTTPException: problems.handle, Exception: problems.handle},
        lifespan=[lifespan],
        request_max_body_size=settings.max_body_bytes,
        openapi_config=None,
        logging_config=None,
        state=State({"settings": settings}),
    )
    return AccessLog(app)
