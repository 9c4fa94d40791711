"""Where the command begins: with so few imports that there is hardly a moment at which Ctrl-C is a traceback."""

import signal


def main() -> None:
    """Run the command line; until it is loaded, Ctrl-C ends the process without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from service import cli

    signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()
