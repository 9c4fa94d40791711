"""A comparison as JSON: the value itself."""

import json

import msgspec

from service.core.comparison import Comparison
from service.core.types import Value


def render(comparison: Comparison) -> str:
    """The comparison, indented."""
    return encode(comparison) + "\n"


def encode(value: Value | None) -> str:
    """A value, indented."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def spelled(char: str) -> str:
    r"""A character as JSON spells it without showing it.

    >>> spelled("\u202e"), spelled("\U000e0001")
    ('\\u202e', '\\udb40\\udc01')
    """
    return json.dumps(char)[1:-1]
