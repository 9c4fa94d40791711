"""What an endpoint lists at `/models`, in whatever form."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from service.core.types import Value

_WINDOWS = ("max_model_len", "context_window", "context_length", "n_ctx")


class Listed(Value, frozen=True, kw_only=True):
    """The models of an endpoint."""

    models: tuple[str, ...] = ()
    windows: Mapping[str, int] = MappingProxyType({})
    """Context windows in tokens, of those models that state one."""


def listed(body: bytes) -> Listed:
    """Read a list of models; what is not understood is left out.

    >>> listed(b'{"data": [{"id": "a", "meta": {"n_ctx": 4096}}, {"id": "b"}]}')
    Listed(models=('a', 'b'), windows={'a': 4096})
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Listed()
    rows = (found.get("data") or found.get("models")) if isinstance(found, dict) else found
    models = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    named = {name: row for row in models if isinstance(name := row.get("id") or row.get("name"), str)}
    windows = {name: window for name, row in named.items() if (window := _window(row)) is not None}
    return Listed(models=tuple(named), windows=windows)


def _window(row: Mapping[str, object]) -> int | None:
    """Find a context window: in the row, or in its `meta` as llama.cpp has it."""
    meta = row.get("meta")
    for place in (row, meta if isinstance(meta, dict) else {}):
        for name in _WINDOWS:
            value = place.get(name)
            if type(value) is int and value > 0:
                return value
    return None
