"""`precis config`: every setting, its value and where it comes from, secrets masked."""

import click
import msgspec
from rich.console import Console
from rich.table import Table

from service.settings import Loaded, Settings, render


def run(loaded: Loaded[Settings], *, as_json: bool) -> int:
    """Print the settings; returns the exit code."""
    rows = render(loaded)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("setting", "value", "from", "what it is"):
        table.add_column(name, overflow="fold")  # a long path is broken, not cut
    for row in rows:
        table.add_row(row.name, row.value, row.origin, row.description)
    Console(highlight=False).print(table)
    return 0
