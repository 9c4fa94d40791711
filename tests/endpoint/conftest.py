"""Servers that are started and stopped, and a time that passes only when somebody sleeps."""

from collections.abc import AsyncIterator, Iterator

import pytest
from peers import Server, Time, listening
from writing import beside


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An endpoint on loopback."""
    peer = Server()
    async with listening(peer):
        yield peer


@pytest.fixture
def neighbour() -> Iterator[Server]:
    """An endpoint beside the test, which has no event loop then."""
    with beside(Server()) as server:
        yield server


@pytest.fixture
def time() -> Time:
    """A clock that stands still but for sleeps."""
    return Time()
