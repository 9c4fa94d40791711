"""`precis serve`: the HTTP service in one process."""

import asyncio
import math
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import uvicorn

from service import bootstrap, logs
from service.core.errors import BadSettings
from service.jobs import Jobs
from service.settings import Settings
from service.web.app import create_app

log = structlog.stdlib.get_logger(__name__)


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; what is being worked on gets `drain_s` seconds to finish."""
    logs.configure(level=settings.log_level, fmt=settings.log_format)
    if sys.platform == "win32":
        return asyncio.run(_serve(settings))
    import uvloop  # not to be had on Windows

    return uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    listening = listen(settings.host, settings.port)
    # Opened here and not in the lifespan, so that a database that cannot be opened is one line and not a traceback.
    async with bootstrap.open_jobs(settings) as jobs:

        @asynccontextmanager
        async def opened(_: Settings) -> AsyncIterator[Jobs]:
            yield jobs

        config = uvicorn.Config(
            create_app(settings, open_jobs=opened),
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.drain_s),
        )
        log.info("listening", url=f"http://{settings.host}:{settings.port}", docs="/docs")
        server = uvicorn.Server(config)
        await server.serve(sockets=[listening])
    return 0 if server.started else 1


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound and not yet served.

    Raises:
        BadSettings: the address is taken, or not one of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        raise BadSettings(
            f"The service cannot listen on {host} port {port}: {error.strerror or error}. If something else is there, "
            "choose another port with --port or PRECIS_PORT."
        ) from None
    listening.set_inheritable(True)
    return listening
