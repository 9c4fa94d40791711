"""Pages made from templates: everything is escaped, and nothing hidden is carried along."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.core.text import visible

TEMPLATES = Path(__file__).parent.parent / "_data" / "templates"


def environment() -> Environment:
    """An environment for the templates of the service."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Whoever copies from the page takes no hidden words along.
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
