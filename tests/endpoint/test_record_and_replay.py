"""What is recorded over a network is replayed without one, and gives the same summary."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import pytest_socket
from peers import Asked, Reply, Server, failing, streamed, whole
from writing import PARTS, settings, written

from service.adapters import library

ROOT = Path(__file__).parents[2]
Precis = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def text(own_folder: Path) -> Path:
    """A file with a text of several parts."""
    path = own_folder / "parts.txt"
    path.write_text(PARTS, encoding="utf-8")
    return path


@pytest.fixture
def recorded(
    neighbour: Server, precis: Precis, text: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CompletedProcess[str]]:
    """Gives a function that makes a summary by an endpoint that answers by a script, and records it."""

    def record(script: Callable[[Asked], Reply], *flags: str) -> CompletedProcess[str]:
        neighbour.script = script
        neighbour.models = whole({"data": [{"id": "m", "max_model_len": 8_000}]})
        with monkeypatch.context() as configured:
            for name, value in settings(neighbour, attempts=2, prompt="news").items():
                configured.setenv(f"PRECIS_{name.upper()}", str(value))
            return precis("summarise", text, "--json", "--record", "recordings", *flags)

    return record


@pytest.fixture
def replayed(precis: Precis, text: Path) -> Callable[..., CompletedProcess[str]]:
    """Gives a function that replays it with nothing set, in a new database, and with every socket blocked."""

    def replay(*flags: str) -> CompletedProcess[str]:
        pytest_socket.disable_socket(allow_unix_socket=True)
        try:
            return precis(
                *flags, "--database-url", "sqlite:///new.db", "summarise", text, "--json", "--replay", "recordings"
            )
        finally:
            pytest_socket.enable_socket()

    return replay


def refusing(asked: Asked) -> Reply:
    """Has to be learned first: it knows the newer name of the cap only, and no strict schema."""
    if "max_tokens" in asked.body:
        return failing(400, "Unsupported parameter", param="max_tokens")
    if '"strict": true' in json.dumps(asked.body):
        return failing(500, "response_format is not supported")
    return written(asked)


def talkative(asked: Asked) -> Reply:
    """Needs to be asked back, each time."""
    messages = asked.body["messages"]
    assert isinstance(messages, list)
    return written(asked) if len(messages) > 2 else streamed("Certainly! Here it is.")


@pytest.mark.parametrize("script", [written, refusing, talkative])
def test_a_folder_of_recordings_is_all_that_a_replay_needs(
    recorded: Precis, replayed: Precis, script: Callable[[Asked], Reply]
) -> None:
    """Whatever was learned about the endpoint on the way stands in the folder."""
    first = recorded(script)
    assert first.returncode == 0, first.stderr
    again = replayed()
    assert again.returncode == 0, again.stderr
    results = [json.loads(ran.stdout)["result"] for ran in (first, again)]
    assert [result["manifest"].pop("endpoint") for result in results][1] == "replayed recordings"
    assert results[0] == results[1]
    assert results[0]["usage"]["calls"] > 3


def test_a_recording_is_whole_though_all_was_asked_before(
    neighbour: Server, recorded: Precis, replayed: Precis, own_folder: Path
) -> None:
    """What is remembered in the database does not keep anything out of the folder."""
    recorded(written)
    shutil.rmtree(own_folder / "recordings")
    assert recorded(written).returncode == 0
    assert replayed().returncode == 0


def test_a_replay_ignores_the_endpoint_that_is_configured(
    neighbour: Server, recorded: Precis, replayed: Precis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, and the key is not needed."""
    recorded(written)
    calls = len(neighbour.asked)
    monkeypatch.setenv("PRECIS_BASE_URL", neighbour.url)
    monkeypatch.setenv("PRECIS_MODEL", "other")
    assert replayed().returncode == 0
    assert len(neighbour.asked) == calls


def test_one_changed_word_makes_a_replay_fail_with_a_diff(
    recorded: Precis, replayed: Precis, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows the line of the prompt as it was recorded, and as it is now."""
    recorded(written)
    prompts = own_folder / "prompts"
    shutil.copytree(ROOT / "prompts/news", prompts / "news")
    newest = max(library.load(prompts).drafts, key=lambda draft: draft.front.version)
    version = prompts / f"news/v{newest.front.version}.md"
    before = version.read_text(encoding="utf-8")
    version.write_text(before.replace("Use only what the points say.", "Use just what the points say."), "utf-8")
    edited = next(one for one in library.load(prompts).drafts if one.front.version == newest.front.version)
    library.release(prompts, edited)
    monkeypatch.setenv("PRECIS_PROMPTS_DIR", str(prompts))
    ran = replayed()
    assert ran.returncode == 1
    assert "\n-Use only what the points say.\n+Use just what the points say.\n" in ran.stderr
    assert f"news@{newest.front.version}, stage merge" in ran.stderr


def test_a_folder_in_which_nothing_was_recorded_is_refused(replayed: Precis, own_folder: Path) -> None:
    """Before anything is stored."""
    (own_folder / "recordings").mkdir()
    ran = replayed()
    assert ran.returncode == 2
    assert "nothing was recorded there" in ran.stderr
    assert not (own_folder / "new.db").exists()


def test_what_was_replayed_is_not_taken_for_what_an_endpoint_says(
    neighbour: Server, recorded: Precis, replayed: Precis, precis: Precis, text: Path, own_folder: Path
) -> None:
    """In the database of a replay no completion is remembered."""
    recorded(written)
    replayed()
    with closing(sqlite3.connect(own_folder / "new.db")) as connection:
        assert connection.execute("SELECT count(*) FROM completions").fetchone() == (0,)
