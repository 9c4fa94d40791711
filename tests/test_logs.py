"""Lines of the log hold facts, and never content."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import NotFound, StoreUnavailable
from service.core.types import Document
from service.logs import CONTENT, MAX_FRAMES, REMOVED, configure, scrub

TEXT = "The minister's dog ate 430 files"
"""Stands for the text of a document."""
NAMES = ("precis", "uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy.pool", "chatty")

Lines = Callable[[], list[dict[str, object]]]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _text: str, /) -> int:
        """Fail."""
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in NAMES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()
        logger.propagate, logger.disabled = True, False


@pytest.fixture
def stream() -> io.StringIO:
    """Give a stream that is no terminal."""
    return io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    """Log JSON from info on into the stream, and give what reads it back."""
    configure(level="info", fmt="json", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def frames(line: dict[str, object], number: int = 0) -> list[str]:
    """Return the frames of an exception of a line."""
    return cast("list[dict[str, list[str]]]", line["exception"])[number]["frames"]


def fail() -> None:
    """Raise an error that quotes a text and holds it in a variable."""
    text = TEXT
    raise ValueError(text)


def test_a_line_is_an_event_with_facts(lines: Lines) -> None:
    """Time, level and name come first, the facts after them."""
    structlog.get_logger().info("summary_stored", chunks=3, document="d1")
    (line,) = lines()
    assert list(line) == ["at", "level", "event", "chunks", "document"]
    assert (line["level"], line["event"], line["chunks"]) == ("info", "summary_stored", 3)
    assert datetime.fromisoformat(str(line["at"])).tzinfo == UTC


def test_context_is_on_every_line(lines: Lines) -> None:
    """What was bound for a request is on our lines and on those of libraries."""
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("asked")
        logging.getLogger("chatty").warning("slow")
    structlog.get_logger().info("idle")
    assert [line.get("request_id") for line in lines()] == ["r1", "r1", None]


def test_our_events_are_logged_from_the_level_on(stream: io.StringIO) -> None:
    """What is below the level costs nothing and leaves nothing."""
    configure(level="warning", fmt="json", stream=stream)
    structlog.get_logger("any").info("quiet")
    structlog.get_logger("any").warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_libraries_are_heard_from_warning_on(stream: io.StringIO) -> None:
    """Neither our level nor one that the library sets for itself makes it chatty; uvicorn's life is heard."""
    configure(level="debug", fmt="json", stream=stream)
    logging.getLogger("chatty").setLevel(logging.DEBUG)
    logging.getLogger("chatty").info("no")
    logging.getLogger("chatty").warning("slow %s", "disk")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.access").error("GET /")
    read = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["logger"], line["level"], line["event"]) for line in read] == [
        ("chatty", "warning", "slow disk"),
        ("uvicorn.error", "info", "Started server process"),
    ]


def test_a_response_that_is_broken_off_for_a_reason_is_one_line(lines: Lines) -> None:
    """Without frames, where the reason is ours; a crash, and whatever ends the service, are told at length."""
    server = logging.getLogger("uvicorn.error")
    for message, cause in (
        ("Exception in ASGI application\n", NotFound("There is no batch.")),
        ("Exception in ASGI application\n", ValueError(TEXT)),
        ("Exception in 'lifespan' protocol\n", StoreUnavailable("The database is gone.")),
    ):
        error = RuntimeError("after it was begun")
        error.__cause__ = cause
        server.error(message, exc_info=error)
    broken, crashed, stopped = lines()
    assert (broken["level"], broken["event"], broken["code"], broken["reason"]) == (
        "warning",
        "response_broken_off",
        "not_found",
        "There is no batch.",
    )
    assert "exception" not in broken
    for told in (crashed, stopped):
        assert told["level"] == "error"
        assert "exception" in told


def test_handlers_that_uvicorn_brings_are_dropped(lines: Lines, stream: io.StringIO) -> None:
    """No line appears twice."""
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(stream))
    logging.getLogger("uvicorn").propagate = False
    configure(level="info", fmt="json", stream=stream)
    logging.getLogger("uvicorn.error").info("Started")
    assert [line["event"] for line in lines()] == ["Started"]


def test_the_last_configure_counts() -> None:
    """Configured twice, a line is written once, to the newer stream, also by a logger that was there before."""
    earlier, later = io.StringIO(), io.StringIO()
    log = structlog.get_logger()
    for stream in (earlier, later, later):
        configure(level="info", fmt="json", stream=stream)
    log.info("once")
    logging.getLogger("chatty").warning("once")
    assert (len(earlier.getvalue().splitlines()), len(later.getvalue().splitlines())) == (0, 2)


def test_foreign_exceptions_show_type_and_frames_only(lines: Lines, stream: io.StringIO) -> None:
    """Messages and local variables of a library's exception may quote a text."""
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("chatty").exception("failed too")
    ours, theirs = lines()
    for line in (ours, theirs):
        assert line["level"] == "error"
        assert line["exception"] == [{"type": "builtins.ValueError", "frames": frames(line)}]
        assert frames(line)[-1].endswith(":fail")
        assert frames(line)[-1].startswith(__file__)
    assert TEXT not in stream.getvalue()


def test_errors_of_the_service_keep_their_message(lines: Lines, stream: io.StringIO) -> None:
    """Their messages hold no content by rule; their foreign causes still do not speak."""
    try:
        try:
            fail()
        except ValueError as error:
            raise StoreUnavailable("the disk is full; free some space") from error
    except StoreUnavailable as error:
        structlog.get_logger().error("not_stored", exc_info=error, reason=error)
    (line,) = lines()
    first, second = cast("list[dict[str, object]]", line["exception"])
    assert (first["type"], first["message"]) == (
        "service.core.errors.StoreUnavailable",
        "the disk is full; free some space",
    )
    assert (second["type"], "message" in second) == ("builtins.ValueError", False)
    assert line["reason"] == "the disk is full; free some space"
    assert TEXT not in stream.getvalue()


def test_members_of_a_group_are_told_one_by_one(lines: Lines, stream: io.StringIO) -> None:
    """What a task group raises is not hidden behind its wrapper."""
    group = ExceptionGroup(TEXT, [NotFound("no summary s1"), ExceptionGroup("inner", [KeyError(TEXT)])])
    structlog.get_logger().error("failed", exc_info=group)
    told = [one["type"] for one in cast("list[dict[str, object]]", lines()[0]["exception"])]
    assert told == [
        "builtins.ExceptionGroup",
        "service.core.errors.NotFound",
        "builtins.ExceptionGroup",
        "builtins.KeyError",
    ]
    assert TEXT not in stream.getvalue()


def test_a_context_that_was_suppressed_is_not_told(lines: Lines) -> None:
    """`raise ... from None` is respected, and an exception among its own causes ends the walk."""
    error, other = ValueError("a"), TypeError("b")
    error.__context__, other.__cause__ = other, error
    structlog.get_logger().error("circle", exc_info=error)
    error.__suppress_context__ = True
    structlog.get_logger().error("alone", exc_info=error)
    circle, alone = lines()
    assert [len(cast("list[object]", line["exception"])) for line in (circle, alone)] == [2, 1]


def test_an_exception_quoted_in_a_foreign_line_is_removed(lines: Lines, stream: io.StringIO) -> None:
    """Task errors: asyncio writes the repr of an exception into its message, others pass it as an argument."""
    error = ValueError(TEXT)
    logging.getLogger("chatty").error(f"never retrieved: <Task exception={error!r}>", exc_info=error)  # noqa: G004
    logging.getLogger("chatty").warning("giving up: %s", error)
    logging.getLogger("chatty").warning("giving up: %(error)r", {"error": error})
    assert [line["event"] for line in lines()] == [
        f"never retrieved: <Task exception={REMOVED}>",
        f"giving up: {REMOVED}",
        f"giving up: {REMOVED}",
    ]
    assert TEXT not in stream.getvalue()


def test_a_recursion_does_not_fill_the_log(lines: Lines) -> None:
    """Of a thousand frames the innermost are kept."""

    def deeper() -> None:
        deeper()

    try:
        deeper()
    except RecursionError:
        structlog.get_logger().exception("too_deep")
    assert len(frames(lines()[0])) == MAX_FRAMES


@pytest.mark.parametrize("name", [*sorted(CONTENT), "Authorization", "API-Key"])
def test_content_is_removed_and_the_mistake_is_visible(name: str, lines: Lines, stream: io.StringIO) -> None:
    """A field with the name of content loses its value, nested or not."""
    structlog.get_logger().info("mistake", **{name: TEXT}, headers=[{name: TEXT}])
    (line,) = lines()
    assert line[name] == REMOVED
    assert line["headers"] == [{name: REMOVED}]
    assert TEXT not in stream.getvalue()


def test_objects_show_their_type_only(lines: Lines, stream: io.StringIO) -> None:
    """The repr of a document holds its text; that of a foreign exception may."""
    circle: list[object] = []
    circle.append(circle)
    document = Document(id="d1", text=TEXT)
    structlog.get_logger().info(
        "mistake", it=document, them=[document], error=ValueError(TEXT), raw=TEXT.encode(), circle=circle
    )
    (line,) = lines()
    assert (line["it"], line["them"], line["error"], line["raw"]) == (
        "<Document>",
        ["<Document>"],
        "<ValueError>",
        "<bytes>",
    )
    assert TEXT not in stream.getvalue()


def test_paths_and_dates_are_facts(lines: Lines) -> None:
    """What has one plain form is written in it; numbers that JSON does not know become words."""
    structlog.get_logger().info("facts", path=Path("a/b"), day=datetime(2024, 5, 1, tzinfo=UTC), ratio=float("nan"))
    (line,) = lines()
    assert (line["path"], line["day"], line["ratio"]) == (str(Path("a/b")), "2024-05-01 00:00:00+00:00", "nan")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


# structlog's formatter overwrites and removes its own two fields, whatever was logged under their names
_FIELD_NAMES = st.text().filter(lambda name: name not in {"_record", "_from_structlog"})


@given(st.dictionaries(_FIELD_NAMES, _VALUES))
def test_whatever_is_logged_becomes_strict_json(event: dict[str, object]) -> None:
    """A field that cannot be written must not take the line with it."""
    assert json.loads(json.dumps(scrub(None, "info", event), allow_nan=False)).keys() == event.keys()


@pytest.mark.parametrize("name", ["_record", "_from_structlog", "_note"])
def test_a_private_name_is_no_way_around(name: str, lines: Lines, stream: io.StringIO) -> None:
    """Fields under the names that structlog uses for itself leave no content behind."""
    structlog.get_logger().info("mistake", **{name: Document(id="d1", text=TEXT)})
    assert lines()[0]["event"] == "mistake"
    assert TEXT not in stream.getvalue()


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_closed_stream_does_not_stop_the_work(
    fmt: str, stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that cannot be written is lost without a word on standard error."""
    configure(level="info", fmt="json" if fmt == "json" else "console", stream=stream)
    stream.close()
    structlog.get_logger().info("lost", note=TEXT)
    logging.getLogger("chatty").warning("lost %s", TEXT)
    configure(level="info", fmt="auto", stream=stream)
    structlog.get_logger().info("lost again")
    assert capsys.readouterr().err == ""


def test_a_full_disk_does_not_stop_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does a stream that refuses."""
    configure(level="info", fmt="json", stream=Full())
    structlog.get_logger().info("lost")
    assert capsys.readouterr().err == ""


def test_a_line_that_cannot_be_made_is_noted(
    lines: Lines, stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library whose arguments do not fit its message loses that line; the arguments are not printed."""
    # the handlers of pytest raise such mistakes
    logging.getLogger().handlers.clear()
    configure(level="info", fmt="json", stream=stream)
    logging.getLogger("chatty").warning("%d files", TEXT)
    assert lines() == [{"level": "error", "event": "log_line_lost", "logger": "chatty", "error": "TypeError"}]
    assert capsys.readouterr().err == ""


def test_the_console_is_for_reading() -> None:
    """On a terminal lines are coloured; elsewhere `console` is plain; exceptions are indented lines."""
    terminal, plain = Terminal(), io.StringIO()
    configure(level="info", fmt="auto", stream=terminal)
    structlog.get_logger().info("started", port=8000)
    configure(level="info", fmt="console", stream=plain)
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed", port=8000)
    assert "\x1b[" in terminal.getvalue()
    assert "started" in terminal.getvalue()
    assert "\x1b[" not in plain.getvalue()
    assert f"  builtins.ValueError: {REMOVED}\n    {__file__}:" in plain.getvalue()
    assert TEXT not in plain.getvalue()


def test_auto_is_json_where_nobody_watches(stream: io.StringIO) -> None:
    """A stream that is no terminal gets JSON."""
    configure(level="info", fmt="auto", stream=stream)
    structlog.get_logger().info("started")
    assert json.loads(stream.getvalue())["event"] == "started"


def test_standard_error_is_looked_up_when_configured(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream, lines go to the standard error of that moment."""
    configure(level="info", fmt="json")
    structlog.get_logger().info("started")
    assert json.loads(capsys.readouterr().err)["event"] == "started"
