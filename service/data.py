"""Where the data that comes with the service lies: prompts and sample articles."""

from pathlib import Path
from typing import Literal

Kind = Literal["prompts", "seeds"]

_PACKAGE = Path(__file__).parent


def folder(kind: Kind) -> Path:
    """The folder of a kind of data: in an installed package the copy that it carries, in a checkout the original."""
    carried = _PACKAGE / "_data" / kind
    return carried if carried.is_dir() else _PACKAGE.parent / kind
