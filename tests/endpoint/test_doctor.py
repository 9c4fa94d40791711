"""`precis doctor` tries the endpoint for real, and says what it found and what to do about what is bad."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from peers import CANARY, Asked, Reply, Server, delta, event, failing, streamed, whole
from writing import settings

pytestmark = pytest.mark.enable_socket

ROOT = Path(__file__).parents[2]
FOUR = '{"answer": 4}'
LISTED = {"data": [{"id": "m", "max_model_len": 32_000}, {"id": "other"}]}

Doctor = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture
def doctor(neighbour: Server, precis: Callable[..., CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Gives a function that has an endpoint looked at: the exit code, and what was found by name."""

    def look(**given: object) -> tuple[int, dict[str, str]]:
        monkeypatch.setenv("COLUMNS", "400")
        for name, value in settings(neighbour, **given).items():
            monkeypatch.setenv(f"PRECIS_{name.upper()}", str(value))
        ran = precis("doctor")
        assert CANARY not in ran.stdout + ran.stderr
        lines = [re.split(r"\s+", line.strip(), maxsplit=2) for line in ran.stdout.splitlines()]
        return ran.returncode, {name: f"{mark}: {text}" for mark, name, text in lines}

    return look


def test_a_good_endpoint_is_0_and_says_what_it_is(neighbour: Server, doctor: Doctor) -> None:
    """URL, models, rung, cap, window, streaming, usage and round trip."""
    neighbour.models = whole(LISTED)
    neighbour.script = [streamed(FOUR, prompt_tokens=120)]
    code, found = doctor()
    assert code == 0
    assert re.fullmatch(rf"ok: {neighbour.url}, a small question took \d+\.\d s", found["endpoint"])
    assert found["model"] == "ok: m; listed: m, other"
    assert found["answers"] == "ok: asked for by a strict JSON Schema, and as asked"
    assert found["sent"] == "ok: answers bounded by max_tokens, instructions as system, with a temperature"
    assert found["context"] == "ok: 32,000 tokens"
    assert found["streaming"].startswith("ok")
    assert found["usage"].startswith("ok")
    assert found["engine"] == "ok: a language model, by the prompt news@1; see below"
    assert "released: news@1, news@2, news@3, news@4; drafts, not used: none" in found["prompts"]


def test_what_an_endpoint_does_otherwise_is_noted_with_what_to_do(neighbour: Server, doctor: Doctor) -> None:
    """It is tried down the ladder until it answers in the form that is asked for."""

    def script(asked: Asked) -> Reply:
        if "response_format" in asked.body:
            return failing(400, "response_format is not supported")
        if {"max_tokens", "temperature"} & set(asked.body):
            name = "max_tokens" if "max_tokens" in asked.body else "temperature"
            return failing(422, "Unexpected field", param=name)
        message = {"content": f"```json\n{FOUR}\n```"}
        return whole({"model": "m-2026", "choices": [{"message": message, "finish_reason": "stop"}]})

    neighbour.script = script
    code, found = doctor()
    assert code == 0
    assert found["answers"].startswith("note: asked for by the prompt alone")
    assert found["sent"].endswith("without a temperature, which is refused")
    assert "max_completion_tokens" in found["sent"]
    assert "m-2026 answered" in found["model"]
    assert "set PRECIS_CONTEXT_WINDOW" in found["context"]
    assert found["streaming"].startswith("note: answers come whole")
    assert found["usage"].startswith("note: tokens are not reported")


def test_answers_without_the_form_that_was_asked_for_are_bad(neighbour: Server, doctor: Doctor) -> None:
    """Whatever is tried."""
    neighbour.script = lambda _: streamed("Four, I should think.")
    code, found = doctor()
    assert code == 1
    assert found["answers"].startswith("BAD: asked for by the prompt alone, and the answer did not have that form")


def test_a_window_that_leaves_no_room_is_bad(neighbour: Server, doctor: Doctor) -> None:
    """An answer alone may take most of it."""
    neighbour.models = whole({"data": [{"id": "m", "meta": {"n_ctx": 4_096}}]})
    neighbour.script = [streamed(FOUR)]
    code, found = doctor()
    assert code == 1
    assert found["context"].startswith("BAD: 4,096 tokens, of which an answer may take 4,000")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (lambda _: failing(401, f"Incorrect API key: {CANARY}"), "Check PRECIS_API_KEY"),
        (lambda _: failing(404, "no such model", code="model_not_found"), "(PRECIS_MODEL). It lists: m, other"),
        (lambda _: failing(503), "503"),
        (lambda _: Reply(chunks=[delta("{")], end="hang"), "PRECIS_DEADLINE_S"),
        (lambda _: Reply(chunks=[event({"error": {"message": CANARY}})]), "****"),
        (lambda _: failing(429, "slow down", headers={"retry-after": "3600"}), "slow down"),
    ],
    ids=["key", "model", "broken", "hung", "echo", "throttled"],
)
def test_an_endpoint_that_fails_is_bad(
    neighbour: Server, doctor: Doctor, script: Callable[[Asked], Reply], says: str
) -> None:
    """With what the endpoint said and what to do, and never the key; the rest is looked at all the same."""
    neighbour.models = whole(LISTED)
    neighbour.script = script
    code, found = doctor(deadline_s=0.5)
    assert code == 1
    assert found["endpoint"].startswith("BAD: ")
    assert says in found["endpoint"]
    assert found["data"].startswith("ok")


def test_an_endpoint_that_is_not_there_is_bad_with_a_hint_for_containers(doctor: Doctor) -> None:
    """On this machine means another machine inside a container. It is not waited for, though summaries would."""
    code, found = doctor(base_url="http://localhost:1/v1", outage_s=3_600)
    assert code == 1
    assert "http://localhost:1/v1 could not be reached: the connection was refused" in found["endpoint"]
    assert "Inside Docker use host.docker.internal" in found["endpoint"]


def test_what_is_set_wrong_is_bad(doctor: Doctor, own_folder: Path) -> None:
    """A model that is missing, a prompt that is not there, a key that was pasted with a line end."""
    code, found = doctor(model="", prompt="news@7")
    assert code == 1
    assert "PRECIS_MODEL" in found["endpoint"]
    assert found["prompts"].startswith("BAD: released: news@1, ")
    assert "PRECIS_PROMPT is news@7" in found["prompts"]
    assert "white space" in doctor(api_key=f"{CANARY} ")[1]["endpoint"]


def test_recordings_are_counted_and_said_what_for(neighbour: Server, doctor: Doctor, own_folder: Path) -> None:
    """A replay needs no endpoint, and none is tried."""
    shutil.copytree(ROOT / "tests/recordings", own_folder / "recordings")
    held = len(list((own_folder / "recordings").rglob("*@*/*.json")))
    code, found = doctor(endpoint_mode="replay", recordings_dir="recordings")
    assert code == 0
    model = json.loads((own_folder / "recordings/endpoint.json").read_text(encoding="utf-8"))["model"]
    assert f"ok: {held} in recordings, of the model {model}" in found["recordings"]
    assert "endpoint" not in found
    (own_folder / "recordings/endpoint.json").unlink()
    code, found = doctor(endpoint_mode="replay", recordings_dir="recordings")
    assert code == 1
    assert "no endpoint.json: nothing there can be replayed" in found["recordings"]
    assert neighbour.asked == []
