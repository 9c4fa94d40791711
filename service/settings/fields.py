"""Everything that can be set, each with what it is for."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from platformdirs import user_data_path

from service.settings.loading import Configured


def default_database_url() -> str:
    """Return the address of a SQLite file in the user's data folder."""
    return f"sqlite:///{(user_data_path('precis', appauthor=False) / 'precis.db').as_posix()}"


AtLeastOne = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Days = Annotated[float, Meta(ge=0, le=36_500)] | Literal["never"]


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

    batch_max_lines: Annotated[int, Meta(ge=1, description="Most lines of a batch, blank ones aside.")] = 50_000

    batch_max_bytes: Annotated[
        int,
        Meta(ge=1, description="Largest batch that is read, in bytes; a line is bounded as a body by itself is."),
    ] = 1_000_000_000

    wait_s: Annotated[
        float,
        Meta(ge=0, le=60, description="Seconds a request waits for its summary when it does not say (`Prefer: wait`)."),
    ] = 30.0

    concurrency: Annotated[int, Meta(ge=1, description="Summaries that are worked on at the same time.")] = 4

    encoding: Annotated[
        Literal["o200k_base", "cl100k_base"], Meta(description="Vocabulary in which tokens are counted.")
    ] = "o200k_base"

    chunk_tokens: Annotated[int, Meta(ge=256, description="Most tokens of a chunk.")] = 6000

    base_url: Annotated[
        str | None,
        Meta(
            description="OpenAI-compatible endpoint, such as https://api.openai.com/v1. Without one, the extractive "
            "engine makes the summaries.",
            extra={"fallback": "OPENAI_BASE_URL"},
        ),
    ] = None

    api_key: Annotated[
        str | None,
        Meta(
            description="Key of the endpoint; it is sent to its origin and nowhere else.",
            extra={"secret": True, "fallback": "OPENAI_API_KEY"},
        ),
    ] = None

    model: Annotated[
        str | None, Meta(description="Model that the endpoint is asked for.", extra={"fallback": "OPENAI_MODEL"})
    ] = None

    models: Annotated[str, Meta(description="Other models that a request may name, separated by commas.")] = ""

    prompt: Annotated[
        str, Meta(min_length=1, description="Prompt, version of one, or label, used unless a request says.")
    ] = "news"

    prompts_dir: Annotated[
        str | None, Meta(description="Folder of prompts in place of those that come with the service.")
    ] = None

    prompts_dev: Annotated[
        bool, Meta(description="Whether drafts and edited versions of prompts may be used; results then say `dirty`.")
    ] = False

    endpoint_mode: Annotated[
        Literal["live", "record", "replay"],
        Meta(description="Whether answers come from the endpoint, are recorded as well, or come from recordings."),
    ] = "live"

    recordings_dir: Annotated[str | None, Meta(description="Folder of recordings, to write or to replay.")] = None

    endpoint_headers: Annotated[
        str | None,
        Meta(
            description="More headers for the endpoint, such as `api-key: ...`, separated by line ends or semicolons.",
            extra={"secret": True},
        ),
    ] = None

    endpoint_query: Annotated[
        str | None, Meta(description="Query added to the endpoint's URLs, such as api-version=2024-10-21.")
    ] = None

    proxy: Annotated[str | None, Meta(description="Proxy on the way to the endpoint.")] = None

    ca_file: Annotated[
        str | None, Meta(description="PEM file of the authorities that are trusted in place of the usual ones.")
    ] = None

    context_window: Annotated[
        Annotated[int, Meta(ge=1024)] | None,
        Meta(description="Context window of the model in tokens; asked for when not set."),
    ] = None

    token_margin: Annotated[
        float,
        Meta(ge=0, le=0.5, description="Share of the context window left free, as models count by other vocabularies."),
    ] = 0.1

    slots: Annotated[int, Meta(ge=1, description="Most calls to the endpoint at the same time.")] = 8

    rpm: Annotated[AtLeastOne | None, Meta(description="Most calls to the endpoint in a minute.")] = None

    tpm: Annotated[AtLeastOne | None, Meta(description="Most tokens sent to the endpoint in a minute.")] = None

    price_prompt: Annotated[
        NotNegative | None, Meta(description="Price of a million tokens of prompts, for costs and budgets.")
    ] = None

    price_completion: Annotated[NotNegative | None, Meta(description="Price of a million tokens of answers.")] = None

    connect_s: Annotated[float, Meta(ge=0.1, le=600, description="Seconds to connect to the endpoint.")] = 5.0

    write_s: Annotated[float, Meta(ge=0.1, le=600, description="Seconds between two pieces of a request sent.")] = 30.0

    silence_s: Annotated[float, Meta(ge=0.1, le=7200, description="Seconds between two pieces of an answer.")] = 120.0

    pool_s: Annotated[float, Meta(ge=0.1, le=600, description="Seconds to wait for a free connection.")] = 5.0

    deadline_s: Annotated[float, Meta(ge=0.1, le=7200, description="Seconds for a call with its whole answer.")] = 300.0

    attempts: Annotated[
        int, Meta(ge=1, le=10, description="Most attempts at a call; waiting on a throttle is none.")
    ] = 4

    patience_s: Annotated[
        float, Meta(ge=0, le=3600, description="Longest a call waits where the endpoint asks to wait.")
    ] = 60.0

    outage_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Longest a summary waits for an endpoint that is down, or asks to wait for longer than a call "
            "does; 0 fails at once.",
        ),
    ] = 3600.0

    max_reply_bytes: Annotated[int, Meta(ge=1024, description="Largest answer of the endpoint that is read.")] = (
        4_194_304
    )

    send_cap: Annotated[
        Literal["auto", "max_tokens", "max_completion_tokens", "none"],
        Meta(description="Field that bounds an answer; auto finds out which one the endpoint takes."),
    ] = "auto"

    send_role: Annotated[
        Literal["auto", "system", "developer", "user"], Meta(description="Role under which instructions are sent.")
    ] = "auto"

    send_temperature: Annotated[
        Literal["auto", "on", "off"], Meta(description="Whether the prompt's temperature is sent.")
    ] = "auto"

    send_stream: Annotated[Literal["auto", "on", "off"], Meta(description="Whether answers are streamed.")] = "auto"

    send_format: Annotated[
        Literal["auto", "json_schema_strict", "json_schema", "json_object_schema", "json_object", "prompt"],
        Meta(description="How the form of an answer is asked for; auto steps down from the strictest."),
    ] = "auto"

    drain_s: Annotated[
        float, Meta(ge=0, le=3600, description="Seconds that running summaries get to finish when the server stops.")
    ] = 25.0

    documents_days: Annotated[
        Days,
        Meta(
            description="Days after which the texts of a finished summary are deleted, its quotes aside; 0 as soon "
            "as it is finished."
        ),
    ] = 7.0

    results_days: Annotated[
        Days,
        Meta(
            description="Days after which finished summaries, comparisons and batches are deleted with all that "
            "belongs to them."
        ),
    ] = 30.0

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is logged.")
    ] = "info"

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="Form of a log line; auto is console in a terminal and json elsewhere."),
    ] = "auto"

    log_stream: Annotated[
        Literal["stderr", "stdout"],
        Meta(description="Where the server's log goes; that of every other command goes to standard error."),
    ] = "stderr"
