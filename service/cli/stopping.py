"""Ctrl-C and SIGTERM: a command that is told to end says so in a line, with the exit code that shells expect."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OF_SIGNALS = 128
"""What shells add to the number of a signal that ended a process."""

INTERRUPTED = "precis: interrupted"
GOES_ON = INTERRUPTED + "; {}. The same command goes on."
"""Of a batch, with how much of it is done."""

Say = Callable[[], str]
"""Gives the message."""


def end_at_once(say: Say) -> None:
    """From now on, end with a message on the first signal."""

    def end(number: int, _frame: FrameType | None) -> None:
        leave(_OF_SIGNALS + number, say())

    for number in SIGNALS:
        signal.signal(number, end)


class Told:
    """Whether this process was told to end."""

    code: int | None = None
    """To exit with; missing as long as it was not."""


@contextmanager
def cancelled(say: Say) -> Iterator[Told]:
    """Have the task that this is within cancelled by the first signal; the second ends the process at once.

    Gives what tells the signal from another cause, and the exit code.
    """
    import asyncio

    told, task, loop = Told(), asyncio.current_task(), asyncio.get_running_loop()

    def cancel(number: int, _frame: FrameType | None) -> None:
        if told.code is not None:
            leave(told.code, say())
        told.code = _OF_SIGNALS + number
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    for number in SIGNALS:
        signal.signal(number, cancel)
    try:
        yield told
    finally:
        end_at_once(say)


def leave(code: int, message: str) -> NoReturn:
    """End the process at once."""
    # a signal may come in the middle of what is written, where Python lets nobody else write
    with suppress(OSError, RuntimeError):
        os.write(sys.stderr.fileno(), f"{message}\n".encode())
        sys.stdout.flush()
    # a thread that reads standard input or works on a long text cannot be interrupted, and would be waited for
    os._exit(code)
