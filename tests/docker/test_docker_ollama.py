"""The profile `ollama`, with a stand-in for Ollama's image, and one's own prompts, which only a model is sent."""

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from deploying import (
    ROOT,
    SEEDS,
    Deployment,
    compose,
    docker,
    good,
    inspect,
    logged,
    logs,
    post,
    quotes_stand,
    tried,
)

pytestmark = [pytest.mark.docker, pytest.mark.enable_socket]

PROFILE = ("--profile", "ollama")
ARTICLE = SEEDS[1].read_bytes().decode()
KEY = "not-a-real-key"
OWN = "own-prompts"


@pytest.fixture(scope="session")
def ollama(image: str) -> Iterator[str]:
    """An image that has the command of Ollama, and answers what was recorded."""
    name = f"{image}-ollama"
    good(docker("build", "--tag", name, "-f", str(ROOT / "tests/docker/ollama/Dockerfile"), str(ROOT / "tests")))
    yield name
    docker("image", "rm", "--force", name)


@pytest.fixture
def with_model(deployment: Deployment, ollama: str) -> str:
    """The profile, up and healthy, with prompts of one's own: the address of the instance that asks the model."""
    folder = deployment.folder / OWN / "mine"
    if not folder.exists():
        folder.mkdir(parents=True)
        text = (ROOT / "prompts/news/v1.md").read_text(encoding="utf-8")
        text = text.replace("name: news\n", "name: mine\n", 1)
        (folder / "v1.md").write_text(text, encoding="utf-8")
        shutil.copytree(ROOT / "prompts/news", folder.parent / "news")
        shutil.copy(ROOT / "prompts/lock.json", folder.parent)
    deployment.settle(
        f"OLLAMA_IMAGE={ollama}",
        "OLLAMA_MODEL=stand-in:1b",
        "OLLAMA_CONTEXT=20000",
        f"PRECIS_API_KEY={KEY}",
        f"PRECIS_PROMPTS_DIR={OWN}",
    )
    compose(deployment, *PROFILE, "up", "--detach", "--wait", "--no-build")
    return f"http://127.0.0.1:{deployment.ollama_port}"


@pytest.fixture
def services(deployment: Deployment) -> Any:
    """What the compose file says with the profile, and no `.env` to speak of."""
    deployment.settle()
    return json.loads(compose(deployment, *PROFILE, "config", "--format", "json"))["services"]


def test_the_profile_brings_ollama_a_model_and_the_base_url(services: Any) -> None:
    """Ollama is healthy first, then a one-shot service fetches the model, then the service that asks it starts."""
    asking, fetching, ollama = (services[name] for name in ("precis-ollama", "ollama-model", "ollama"))
    assert asking["environment"]["PRECIS_BASE_URL"] == "http://ollama:11434/v1"
    assert asking["depends_on"]["ollama-model"]["condition"] == "service_completed_successfully"
    assert fetching["depends_on"]["ollama"]["condition"] == "service_healthy"
    assert fetching["entrypoint"] == ["ollama"]
    assert fetching["command"] == ["pull", asking["environment"]["PRECIS_MODEL"]]
    assert fetching["environment"]["OLLAMA_HOST"] == "http://ollama:11434"
    assert ollama["image"] == fetching["image"]
    assert ollama["image"].startswith("ollama/ollama:")
    assert not ollama["image"].endswith(":latest")
    assert [volume["target"] for volume in ollama["volumes"]] == [ollama["environment"]["OLLAMA_MODELS"]]
    assert ollama["healthcheck"]["test"] == ["CMD", "ollama", "list"]


def test_ollama_reads_as_much_as_the_service_sends(services: Any) -> None:
    """What Ollama is told of its context, the service is told too."""
    window = services["ollama"]["environment"]["OLLAMA_CONTEXT_LENGTH"]
    assert services["precis-ollama"]["environment"]["PRECIS_CONTEXT_WINDOW"] == window == "16384"
    assert "PRECIS_BASE_URL" not in services["precis"]["environment"]


def test_with_the_profile_a_model_writes_the_summary(deployment: Deployment, with_model: str) -> None:
    """Fetched once by the one-shot service; the key of another endpoint is not sent to Ollama."""
    assert inspect(deployment, "{{.State.Status}} {{.State.ExitCode}}", "ollama-model") == "exited 0"
    (answers,) = logged(deployment, "endpoint_answers", "precis-ollama")
    assert (answers["endpoint"], answers["models"]) == ("http://ollama:11434/v1", 1)
    answer = httpx.post(
        f"{with_model}/v1/summaries?prompt=news@1",
        content=ARTICLE.encode(),
        headers={"Content-Type": "text/plain; charset=utf-8"},
        timeout=60,
    )
    result = answer.json()["result"]
    assert (result["engine"], result["manifest"]["model"]) == ("llm", "stand-in:1b")
    assert quotes_stand(ARTICLE, answer)
    told = logs(deployment, "ollama")
    assert "answered; authorization: None" in told
    assert KEY not in "\n".join(told)


def test_beside_it_the_service_goes_on_without_a_model(deployment: Deployment, with_model: str) -> None:
    """The profile changes nothing for who uses the other."""
    assert post(deployment.url, ARTICLE).json()["result"]["engine"] == "extractive"


def test_own_prompts_are_released_labelled_and_used(deployment: Deployment, with_model: str) -> None:
    """From one-off and running containers, by the user whose files they are; then a request names the label."""
    mine = deployment.folder / OWN
    user, group = os.getuid() or 4321, os.getgid() or 4321
    if os.getuid() == 0:  # without its capabilities root may do nothing in a container: somebody else is the user
        for path in (mine, *mine.rglob("*")):
            os.chown(path, user, group)
    as_user = ("--user", f"{user}:{group}")
    compose(deployment, "run", "--rm", "-T", *as_user, "precis", "prompts", "release", "mine@1")
    label = ("precis", "prompts", "label", "mine@1", "production", "--why", "the first")
    compose(deployment, "exec", "-T", *as_user, "precis", *label)
    assert json.loads((mine / "labels.json").read_text(encoding="utf-8")) == {"mine": {"production": 1}}
    compose(deployment, *PROFILE, "restart", "precis-ollama")
    compose(deployment, *PROFILE, "up", "--detach", "--wait", "--no-build")
    answer = httpx.post(
        f"{with_model}/v1/summaries?prompt=mine@production",
        content=ARTICLE.encode(),
        headers={"Content-Type": "text/plain; charset=utf-8"},
        timeout=60,
    )
    assert answer.json()["result"]["manifest"]["prompt"]["name"] == "mine"
    assert answer.json()["result"]["manifest"]["prompt"]["label"] == "production"
    assert quotes_stand(ARTICLE, answer)


def test_prompts_of_somebody_else_are_read_and_not_written(deployment: Deployment, with_model: str) -> None:
    """The user of the service may not change them; what is said names the folder."""
    done = tried(deployment, "run", "--rm", "-T", "precis", "prompts", "label", "news@2", "production", "--why", "x")
    assert done.returncode == 1
    assert "/prompts cannot be written: Permission denied" in done.stderr.strip().splitlines()[-1]


def test_a_folder_of_prompts_that_is_not_there_stops_the_start(deployment: Deployment) -> None:
    """Docker names it; nothing is made in its place, in which every prompt would be missing."""
    deployment.settle("PRECIS_PROMPTS_DIR=./gone")
    done = tried(deployment, "run", "--rm", "-T", "precis", "prompts", "list")
    assert done.returncode != 0
    assert f"bind source path does not exist: {deployment.folder}/gone" in done.stderr
    assert not (deployment.folder / "gone").exists()
