"""Where the command begins: with so few imports that there is hardly a moment at which Ctrl-C is a traceback."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line; until it is loaded, Ctrl-C and SIGTERM end the process without a word."""
    # not by what the system does by itself: the first process of a container is spared that
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    from service import cli

    signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
