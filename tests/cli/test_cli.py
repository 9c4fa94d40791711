"""The command as a whole: its help, its exit codes, and how it takes a closed pipe and Ctrl-C."""

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import pytest

from service import __version__
from service.cli import LANGUAGE, exit_code
from service.cli import precis as command
from service.core.errors import BadSettings, InvalidRequest, PrecisError, StoreUnavailable
from service.web import shapes

LONGEST_S = 60
SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"
SEED = Path(__file__).parents[2] / "seeds" / "004_71949b67d0e150d2.txt"

Precis = Callable[..., subprocess.CompletedProcess[str]]


class EndpointFailed(PrecisError):
    """Stands for a model that answers nonsense."""

    status = 502


class EndpointTimeout(PrecisError):
    """Stands for a model that does not answer."""

    status = 504


def test_the_version_is_that_of_the_package(precis: Precis) -> None:
    """One number, in one place."""
    assert precis("--version").stdout == f"precis, version {__version__}\n"


@pytest.mark.parametrize("name", ["", *command.commands])
def test_every_command_and_option_has_help(precis: Precis, name: str) -> None:
    """--help works everywhere, and says something of each option."""
    arguments = [name, "--help"] if name else ["--help"]
    assert precis(*arguments).returncode == 0
    one = command.commands[name] if name else command
    assert one.help
    for parameter in one.params:
        if isinstance(parameter, click.Option) and parameter.name != "length":
            assert parameter.help, f"{name} {parameter.name}"


def test_help_names_the_exit_codes(precis: Precis) -> None:
    """What a script needs is in the help."""
    for arguments in (["--help"], ["summarise", "--help"]):
        assert "0 done, 1 failed, 2 usage, 3 endpoint, 4 time" in " ".join(precis(*arguments).stdout.split())


def test_help_imports_no_library_that_takes_long() -> None:
    """The command starts at once: what a command needs is imported when it runs."""
    slow = "httpx litestar sqlalchemy alembic numpy tiktoken trafilatura nupunkt rich uvicorn structlog jinja2".split()
    script = f"import sys; import service.cli; print([name for name in {slow!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest(""), 1),
        (StoreUnavailable(""), 1),
        (BadSettings(""), 2),
        (EndpointFailed(""), 3),
        (EndpointTimeout(""), 4),
    ],
)
def test_an_error_has_the_exit_code_of_its_kind(error: PrecisError, code: int) -> None:
    """1 failed, 2 usage, 3 endpoint, 4 time."""
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Usage: precis"),
        (["sumarise"], "Did you mean 'summarise'?"),
        (["summarise"], "Missing argument 'FILE...'"),
        (["summarise", "--fokus", "x", "a.txt"], "Did you mean '--focus'?"),
        (["summarise", "--length", "long", "a.txt"], "'brief', 'standard', 'detailed'"),
        (["summarise", "--max-words", "9", "a.txt"], "10<=x<=10000"),
        (["summarise", "--language", "English", "a.txt"], "two or three small letters, such as en"),
        (["summarise", "--language", "EN", "a.txt"], "two or three small letters, such as en"),
        (["serve", "--port", "70000"], "1<=x<=65535"),
        (["--config", "none.toml", "config"], "none.toml cannot be read"),
        (["--database-url", "", "doctor"], "what fits is a text that is not empty"),
    ],
)
def test_a_slip_in_the_command_is_2_and_says_what_there_is(precis: Precis, arguments: list[str], says: str) -> None:
    """Usage errors go to standard error and name what would have fitted."""
    ran = precis(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("language", ["en", "deu", "EN", "e", "engl", "en\n", "e1", ""])
def test_a_language_is_what_the_api_takes(language: str) -> None:
    """Written down twice, so that the command starts without the web, and held together here."""
    try:
        msgspec.convert(language, shapes.Language)
        taken = True
    except msgspec.ValidationError:
        taken = False
    assert (LANGUAGE.fullmatch(language) is not None) == taken


@pytest.mark.parametrize("arguments", [["config"], ["doctor"], ["serve"], ["summarise", str(SEED)]])
def test_an_unknown_setting_stops_every_command(
    precis: Precis, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A mistyped variable is not passed over: the nearest name is shown."""
    monkeypatch.setenv("PRECIS_PORTT", "80")
    ran = precis(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "PRECIS_PORTT (environment) is not a setting; did you mean PRECIS_PORT?" in ran.stderr


def test_dotenv_and_toml_of_the_current_folder_are_read(precis: Precis, own_folder: Path) -> None:
    """Both are optional, and `.env` goes before the file."""
    (own_folder / ".env").write_text("PRECIS_PORT=8001\n", encoding="utf-8")
    (own_folder / "precis.toml").write_text("port = 8002\nconcurrency = 3\n", encoding="utf-8")
    rows = {line.split()[0]: line.split()[1:4] for line in precis("config").stdout.splitlines()}
    assert rows["port"][:2] == ["8001", ".env"]
    assert rows["concurrency"][:2] == ["3", "precis.toml"]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["config"], ["doctor"], ["summarise", SEED], ["summarise", "--json", SEED]]
)
def test_a_closed_pipe_is_no_traceback(own_folder: Path, arguments: list[str]) -> None:
    """`precis ... | head -1` ends quietly when head has seen enough."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ran = subprocess.run(  # noqa: S603 - our own command
            [SCRIPT, *arguments], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to a child")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("waits_for", ["standard input", "the summary"])
def test_a_signal_ends_the_command_at_once(own_folder: Path, waits_for: str, number: signal.Signals, code: int) -> None:
    """One line and no traceback, also where a thread waits for input or works on a long text."""
    article = SEED.read_text(encoding="utf-8")
    (own_folder / "long.txt").write_text(f"{article}\n\n" * 1000, encoding="utf-8")
    name = "-" if waits_for == "standard input" else "long.txt"
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "summarise", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr
        assert running.stderr.readline().endswith(" ...\n")
        running.send_signal(number)
        _, said = running.communicate(timeout=LONGEST_S)
    assert running.returncode == code
    assert said == "precis: interrupted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to a child")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("compare", "--summary", "pipe"), "precis: interrupted\n"),
        (("batch", "pipe", "-o", "out.ndjson"), "interrupted; 0 done, 0 failed. The same command goes on.\n"),
    ],
)
def test_a_signal_before_anything_is_done_says_the_same(
    own_folder: Path, arguments: tuple[str, ...], says: str, number: signal.Signals, code: int
) -> None:
    """While the input is looked at: a message of one line, and no traceback."""
    os.mkfifo("pipe")
    with (
        subprocess.Popen([SCRIPT, *arguments], stderr=subprocess.PIPE, text=True) as running,  # noqa: S603 - our own
        # open once the other side is
        Path("pipe").open("wb"),
    ):
        running.send_signal(number)
        _, said = running.communicate(timeout=LONGEST_S)
    assert running.returncode == code
    assert said.endswith(says)
    assert "Traceback" not in said


def test_wait_bounds_how_long_a_summary_is_waited_for(precis_process: Precis, own_folder: Path) -> None:
    """4 is time: nothing is printed as if it were done, and the message says what becomes of it."""
    article = SEED.read_text(encoding="utf-8")
    (own_folder / "long.txt").write_text(f"{article}\n\n" * 1000, encoding="utf-8")
    ran = precis_process("summarise", "long.txt", "--wait", "0")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "gave up waiting" in ran.stderr
