"""`precis serve`: the HTTP service in one process."""

import asyncio
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic
from types import FrameType

import structlog
import uvicorn

from service import bootstrap, logs
from service.adapters.store import serving
from service.asking import Asking
from service.cli.failing import failed
from service.core.errors import BadSettings, EndpointError, PrecisError
from service.jobs import Jobs
from service.settings import Settings
from service.web.app import create_app

_BACKLOG = 2048
"""Connections that may wait to be taken up."""
_PARTING_S = 2.0
"""So long before the time is up, those who wait for a summary or follow it are let go."""
_LEAST_GRACE_S = 1
"""That requests have for their end once they were let go or cancelled, however little time there is."""
_JOIN_S = 0.2
"""How long threads are waited for at the end."""
_THREADS_A_JOB = 4
"""Most that jobs compute in: a lane of lines beside one of single jobs, and what was cancelled and still computes."""
_OTHER_THREADS = 32
"""For requests and the store."""
_SWITCH_S = 0.0005
"""How long a thread computes before another gets its turn."""

log = structlog.stdlib.get_logger(__name__)


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; what is being worked on gets `drain_s` seconds to finish.

    Raises:
        PrecisError: it cannot serve, and the log goes to standard error, where the command line says why.
    """
    stream = sys.stdout if settings.log_stream == "stdout" else sys.stderr
    logs.configure(level=settings.log_level, fmt=settings.log_format, stream=stream)
    # The threads that jobs compute in hold the loop up for so long each, again and again: with Python's 5 ms, a
    # cancellation beside four long texts took two seconds. Computing itself is no slower for it (measured).
    sys.setswitchinterval(_SWITCH_S)
    try:
        if sys.platform == "win32":
            return asyncio.run(_serve(settings))
        import uvloop  # not to be had on Windows

        return uvloop.run(_serve(settings))
    except PrecisError as error:
        if settings.log_stream == "stderr":
            raise
        return failed(error)


async def _serve(settings: Settings) -> int:
    # with Python's own few, long texts would take all of them, and nobody else be answered until they end
    threads = ThreadPoolExecutor(_THREADS_A_JOB * settings.concurrency + _OTHER_THREADS)
    asyncio.get_running_loop().set_default_executor(threads)
    # the lock first: of two servers that differ in nothing, the second is told the reason and not that a port is taken
    with serving(settings.database_url), listen(settings.host, settings.port) as listening:
        code = await _serve_on(listening, settings)
    await _end(code)
    return code


async def _serve_on(listening: socket.socket, settings: Settings) -> int:
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
            timeout_graceful_shutdown=max(_LEAST_GRACE_S, math.ceil(settings.drain_s)),
        )
        log.info("listening", url=f"http://{settings.host}:{settings.port}", docs="/docs")
        server = _Server(
            config,
            at_once=jobs.leave,
            let_go=jobs.let_go,
            at_last=jobs.store.wait_no_longer,
            drain_s=settings.drain_s,
        )
        looking = asyncio.create_task(_look_for(jobs.asking))
        await server.serve(sockets=[listening])
        looking.cancel()
        await asyncio.wait([looking])
        # One time for both: requests that wait for a summary have used some of it up.
        await jobs.close(drain_s=server.left_s())
    return 0 if server.started else 1


async def _end(code: int) -> None:
    """End the process where threads still compute for jobs that were put back; else return.

    A thread cannot be stopped, and Python waits for all of them before it ends, which a long text makes half a minute:
    longer than what supervises the process does. All is written and closed by now, and nobody wants what they come to.
    """
    joined = asyncio.create_task(asyncio.get_running_loop().shutdown_default_executor())
    await asyncio.wait([joined], timeout=_JOIN_S)
    if joined.done():
        return
    log.info("computing_left")
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


async def _look_for(asking: Asking | None) -> None:
    """Log whether the endpoint answers.

    One that does not stops nothing: it may be started a moment later or be away for an hour, and what was made before
    is served all the same. That is why it is looked for beside the start, and only said.
    """
    if asking is None or asking.mode == "replay":
        return
    try:
        models = await asking.endpoint.models()
    except EndpointError as error:
        log.warning("endpoint_not_usable", endpoint=asking.url, code=error.code, detail=error.detail)
    else:
        log.info("endpoint_answers", endpoint=asking.url, models=len(models))


class _Server(uvicorn.Server):
    """A server that returns when it is told to stop.

    Args:
        config: as uvicorn has it.
        at_once: called when it is told to stop.
        let_go: lets those go who wait for a summary or follow it; they would not end by themselves in time.
        at_last: called when the time is up.
        drain_s: how long what is worked on may go on when it is told to stop.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        at_once: Callable[[], None],
        let_go: Callable[[], None],
        at_last: Callable[[], None],
        drain_s: float,
    ) -> None:
        super().__init__(config)
        self._at_once = at_once
        self._let_go = let_go
        self._at_last = at_last
        self._ends_at: float | None = None
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None

    def left_s(self) -> float:
        """Seconds that what is worked on may still go on."""
        return self._drain_s if self._ends_at is None else max(0.0, self._ends_at - monotonic())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on the first signal; a Ctrl-C after it is of somebody who sits there and will not wait."""
        if self._ends_at is None:
            self._ends_at = monotonic() + self._drain_s
            super().handle_exit(signal.SIGTERM, frame)
        elif sig == signal.SIGINT and self._loop is not None:
            self._ends_at = monotonic()
            self._loop.call_soon_threadsafe(self._wait_no_longer)

    def _wait_no_longer(self) -> None:
        """Answer who waits at once, and then leave the others unanswered."""
        self._let_go()
        self._at_last()
        asyncio.get_running_loop().call_later(_LEAST_GRACE_S, setattr, self, "force_exit", True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, when the requests under way are answered or the time is up."""
        self._loop = asyncio.get_running_loop()
        self._at_once()
        left_s = self.left_s()
        self._loop.call_later(max(0.0, left_s - _PARTING_S), self._let_go)
        self._loop.call_later(left_s, self._at_last)
        await super().shutdown(sockets)
        if left := list(self.server_state.tasks):
            # they are cancelled, and take back what they were writing, for which the database has to be there
            await asyncio.wait(left, timeout=_LEAST_GRACE_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM."""
        # uvicorn's own raises the signal again when it is done, which ends the process before the jobs are drained
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            # jobs are still to be put back, and one more SIGTERM must not keep them from it; one more SIGINT is of
            # somebody who sits there and will not wait
            signal.signal(signal.SIGINT, before[signal.SIGINT])


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections, which wait until they are served.

    Raises:
        BadSettings: the address is taken, or not one of this machine.
    """
    listening: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)  # here and not when it is served: two may bind an address, one may listen on it
    except OSError as error:
        if listening:
            listening.close()
        raise BadSettings(
            f"The service cannot listen on {host} port {port}: {error.strerror or error}. If something else is there, "
            "choose another port with --port or PRECIS_PORT."
        ) from None
    listening.set_inheritable(True)
    return listening
