"""Servers that are started and stopped, and a time that passes only when somebody sleeps."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from peers import Server, Time
from writing import beside


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An endpoint on loopback."""
    peer = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await peer.serve(reader, writer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.port = listening.sockets[0].getsockname()[1]
    yield peer
    listening.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def neighbour() -> Iterator[Server]:
    """An endpoint beside the test, which has no event loop then."""
    with beside(Server()) as server:
        yield server


@pytest.fixture
def time() -> Time:
    """A clock that stands still but for sleeps."""
    return Time()
