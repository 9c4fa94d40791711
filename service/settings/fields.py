"""Everything that can be set, each with what it is for."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from platformdirs import user_data_path

from service.settings.loading import Configured


def default_database_url() -> str:
    """Return the address of a SQLite file in the user's data folder."""
    return f"sqlite:///{(user_data_path('precis', appauthor=False) / 'precis.db').as_posix()}"


class Settings(Configured, frozen=True, kw_only=True):
    """Everything that can be set."""

    database_url: Annotated[
        str,
        Meta(
            min_length=1,
            description="Where summaries and documents are kept, such as sqlite:///precis.db.",
            extra={"default": "precis.db in the user's data folder"},
        ),
    ] = msgspec.field(default_factory=default_database_url)

    host: Annotated[
        str, Meta(min_length=1, description="Address the server listens on; 0.0.0.0 for every network of the machine.")
    ] = "127.0.0.1"

    port: Annotated[int, Meta(ge=1, le=65_535, description="Port the server listens on.")] = 8000

    max_body_bytes: Annotated[int, Meta(ge=1, description="Largest request body that is read, in bytes.")] = 5_000_000

    max_characters: Annotated[
        int, Meta(ge=1, description="Most characters of text in one request, all documents together.")
    ] = 4_000_000

    max_documents: Annotated[int, Meta(ge=1, description="Most documents in one request.")] = 100

    wait_s: Annotated[
        float,
        Meta(ge=0, le=60, description="Seconds a request waits for its summary when it does not say (`Prefer: wait`)."),
    ] = 30.0

    concurrency: Annotated[int, Meta(ge=1, description="Summaries that are worked on at the same time.")] = 4

    encoding: Annotated[
        Literal["o200k_base", "cl100k_base"], Meta(description="Vocabulary in which tokens are counted.")
    ] = "o200k_base"

    chunk_tokens: Annotated[int, Meta(ge=256, description="Most tokens of a chunk.")] = 6000

    drain_s: Annotated[
        float, Meta(ge=0, le=3600, description="Seconds that running summaries get to finish when the server stops.")
    ] = 25.0

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is logged.")
    ] = "info"

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="Form of a log line; auto is console in a terminal and json elsewhere."),
    ] = "auto"
