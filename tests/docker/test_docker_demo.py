"""What the README promises to somebody who has Docker and nothing else: a summary, and a comparison of prompts."""

import json
import re

import pytest
from deploying import (
    ROOT,
    SEEDS,
    Deployment,
    Say,
    blocks,
    compose,
    docker,
    get,
    good,
    inside,
    inspect,
    memory_mib,
    post,
    quotes_stand,
    typed,
    up,
)

pytestmark = [pytest.mark.docker, pytest.mark.enable_socket]

HEADING = "Run it in Docker"
MOST_MEMORY_MIB = 230 * 1e6 / 2**20


def test_two_commands_of_the_readme_give_a_summary_and_a_third_a_comparison(deployment: Deployment) -> None:
    """The lines of the README, as they stand there but for the ports: nothing is set, and no model is asked."""
    started, asked, compared = blocks("README.md", HEADING)[0].splitlines()
    assert started == "docker compose up -d --wait"
    good(typed(deployment, started))
    assert asked.startswith("curl ")
    answer = json.loads(good(typed(deployment, asked)))
    assert (answer["status"], answer["result"]["engine"]) == ("succeeded", "extractive")
    report = good(typed(deployment, compared))
    assert re.search(r"news@3 against news@1: .*gained", report)
    assert "3 document sets" in report


@pytest.fixture
def demo(deployment: Deployment) -> Deployment:
    """The instance that answers from recordings."""
    up(deployment, "demo")
    return deployment


def test_the_demo_holds_at_most_230_mb_at_rest(demo: Deployment, say: Say) -> None:
    """The vocabulary, which it needs for every request, is all that it holds beyond the other."""
    found = memory_mib(demo, "demo")
    say(f"memory of the demo at rest: {found * 2**20 / 1e6:.0f} MB; wanted: at most 230")
    assert found <= MOST_MEMORY_MIB


def test_one_curl_of_the_readme_gives_the_comparison_as_a_page(deployment: Deployment) -> None:
    """With the profile `demo`; the page is whole, and says which facts were gained and lost, beside the source."""
    good(typed(deployment, blocks("README.md", HEADING)[1]))
    page = (deployment.folder / "comparison.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert re.search(r"news@3 against news@1: .*gained", page)
    assert all(seed.name in page for seed in SEEDS)
    assert "Domenico Iervolino" in page
    # the instance without recordings goes on beside it
    assert get(f"{deployment.url}/ready").status_code == 200


def test_the_demo_answers_from_recordings_that_it_cannot_change(demo: Deployment) -> None:
    """A sample article is summarised as a model did it; another text was not recorded, and that is said."""
    text = SEEDS[1].read_bytes().decode()
    answer = post(f"http://127.0.0.1:{demo.demo_port}", text)
    assert answer.json()["result"]["engine"] == "llm"
    assert quotes_stand(text, answer)
    other = post(f"http://127.0.0.1:{demo.demo_port}", "The council voted on Tuesday to close the old bridge. " * 5)
    assert other.json()["status"] == "failed"
    assert "There is no recording" in other.json()["error"]["detail"]
    paths = ("/seeds", "/tests/recordings", "/tests/references", "/")
    code = f"import os; print([path for path in {paths} if not os.statvfs(path).f_flag & os.ST_RDONLY])"
    assert inside(demo, code, "demo") == "[]"


def test_the_demo_keeps_nothing(demo: Deployment) -> None:
    """Its database is in memory, and its settings are its own whatever `.env` says."""
    mounts = json.loads(inspect(demo, "{{json .Mounts}}", "demo"))
    assert {mount["Type"] for mount in mounts} == {"bind"}
    assert not any(mount["RW"] for mount in mounts)
    variables = json.loads(inspect(demo, "{{json .Config.Env}}", "demo"))
    assert not [line for line in variables if line.startswith(("PRECIS_API_KEY", "DEPLOY_"))]


def test_the_request_of_the_demo_holds_the_sample_articles() -> None:
    """Byte for byte, since recordings are found by what was asked."""
    request = json.loads((ROOT / "docs/demo.json").read_text(encoding="utf-8"))
    assert request["prompts"] == ["news@1", "news@3"]
    assert request["documents"] == [{"name": seed.name, "text": seed.read_bytes().decode()} for seed in SEEDS]


def test_without_its_profile_only_the_service_is_started(deployment: Deployment) -> None:
    """Ollama and the demo are asked for, or are not there."""
    assert compose(deployment, "config", "--services").split() == ["precis"]
    assert set(good(docker("compose", "--profile", "demo", "config", "--services")).split()) == {"demo", "precis"}
