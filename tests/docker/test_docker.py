"""The service as the compose file runs it: it starts, answers, keeps what it has, and may do little else."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from deploying import (
    SEEDS,
    Deployment,
    Say,
    compose,
    docker,
    get,
    good,
    inside,
    inspect,
    logged,
    logs,
    memory_mib,
    post,
    quotes_stand,
    up,
)

pytestmark = [pytest.mark.docker, pytest.mark.enable_socket]

LONG = "\n\n".join(f"Part {part}.\n\n{SEEDS[0].read_bytes().decode()}" for part in range(60))
"""A text that takes a few seconds."""
MOST_MEMORY_MIB = 230 * 1e6 / 2**20


def test_the_service_becomes_healthy(running: Deployment, say: Say) -> None:
    """`docker compose up --wait` ends with a service that is ready; how long that takes is printed."""
    assert get(f"{running.url}/ready").json() == {"status": "ready"}
    started = datetime.fromisoformat(inspect(running, "{{.State.StartedAt}}"))
    ready = datetime.fromisoformat(logged(running, "service_started")[-1]["at"])
    used = inside(running, "import os; print(sum(map(int, open('/proc/1/stat').read().split()[13:15])))")
    say(
        f"from the start of the container to /ready: {(ready - started).total_seconds():.1f} s, "
        f"{int(used) / 100:.1f} s of them CPU; wanted: at most 5 s"
    )


def test_at_rest_it_holds_at_most_230_mb(running: Deployment, say: Say) -> None:
    """What only a request needs is not loaded before one comes."""
    found = memory_mib(running)
    say(f"memory at rest: {found * 2**20 / 1e6:.0f} MB; wanted: at most 230")
    assert found <= MOST_MEMORY_MIB


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.stem[:3])
def test_a_posted_article_is_answered_with_exact_quotes(running: Deployment, seed: Path) -> None:
    """It gets 201, and every quote stands in the article at its offsets."""
    text = seed.read_bytes().decode()
    answer = post(running.url, text)
    assert answer.status_code == 201
    assert quotes_stand(text, answer)


def test_summaries_outlive_a_restart_and_a_new_container(running: Deployment) -> None:
    """What was stored is there after `restart`, and after `down` and `up`."""
    answer = post(running.url, SEEDS[0].read_bytes().decode())
    location = answer.headers["Location"]
    compose(running, "restart")
    up(running)
    assert get(f"{running.url}{location}").json() == answer.json()
    compose(running, "down")
    up(running)
    assert get(f"{running.url}{location}").json() == answer.json()


# --- what it may do --------------------------------------------------------------------------------------------------


def test_the_service_runs_without_privileges(running: Deployment) -> None:
    """The first process belongs to user 10001, has no capabilities and cannot gain any."""
    status = dict(line.split(":\t", 1) for line in inside(running, "print(open('/proc/1/status').read())").splitlines())
    assert set(status["Uid"].split()) == {"10001"}
    assert set(status["Gid"].split()) == {"10001"}
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_only_the_volume_and_tmp_can_be_written(running: Deployment) -> None:
    """The root is read-only, for root's reasons and not only for want of rights."""
    paths = ("/", "/opt/precis", "/run/secrets", "/data", "/tmp")  # noqa: S108 - looked at only
    code = f"import os; print([path for path in {paths} if not os.statvfs(path).f_flag & os.ST_RDONLY])"
    assert inside(running, code) == "['/data', '/tmp']"


def test_what_it_may_take_is_limited(running: Deployment) -> None:
    """Memory, processes and /tmp have an end; so have its logs on the disk of the machine."""
    assert inspect(running, "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}") == f"{2**30} 256"
    assert json.loads(inspect(running, "{{json .HostConfig.Tmpfs}}")) == {"/tmp": "size=128m"}  # noqa: S108 - the mount
    assert "max-size" in inspect(running, "{{json .HostConfig.LogConfig.Config}}")


def test_the_service_is_published_on_the_loopback_interface_only(running: Deployment) -> None:
    """Nobody else on the network reaches a service that nobody has opened to it."""
    assert compose(running, "port", "precis", "8000").strip() == f"127.0.0.1:{running.port}"


def test_no_shell_stands_between_docker_and_the_service(running: Deployment) -> None:
    """The first process is the command itself, so that it gets the signals."""
    command = inside(running, "print(open('/proc/1/cmdline').read().split(chr(0)))")
    assert "sh" not in [Path(word).name for word in json.loads(command.replace("'", '"'))]
    assert "/opt/precis/bin/precis" in command


# --- logs ------------------------------------------------------------------------------------------------------------


def test_every_log_line_is_json_on_standard_output(running: Deployment) -> None:
    """What a log collector reads is one object a line, and nothing comes by another way."""
    done = docker("logs", compose(running, "ps", "--quiet", "precis").strip())
    assert done.stdout != ""
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if not isinstance(json.loads(line), dict)] == []


def test_the_log_of_a_command_is_not_in_its_result(running: Deployment) -> None:
    """Beside the server a command prints its result to standard output, and logs to standard error."""
    arguments = ("exec", "-T", "precis", "precis", "--log-level", "debug", "summarise", "--json", "-")
    printed = compose(running, *arguments, stdin=SEEDS[1].read_bytes().decode())
    assert json.loads(printed)["status"] == "succeeded"


# --- its end ---------------------------------------------------------------------------------------------------------


def test_a_stop_lets_the_running_summary_finish(running: Deployment) -> None:
    """SIGTERM ends the service by itself, within its grace period, once what it works on is done."""
    answer = post(running.url, LONG, Prefer="wait=0")
    assert answer.status_code == 202
    compose(running, "stop")
    assert inspect(running, "{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false"  # 137 is what a killed one has
    assert len(logged(running, "service_stopped")) == len(logged(running, "service_started"))
    assert json.loads(logs(running)[-1])["level"] == "info"
    up(running)
    assert logged(running, "service_started")[-1]["resumed"] == 0
    assert get(f"{running.url}{answer.headers['Location']}").json()["status"] == "succeeded"


def test_a_killed_service_takes_its_summary_up_again(running: Deployment) -> None:
    """What no grace period was given for is finished after the next start."""
    answer = post(running.url, LONG, Prefer="wait=0")
    compose(running, "kill")
    up(running)
    assert logged(running, "service_started")[-1]["resumed"] == 1
    assert get(f"{running.url}{answer.headers['Location']}").json()["status"] in {"queued", "running", "succeeded"}


# --- settings --------------------------------------------------------------------------------------------------------


def test_settings_come_from_the_env_file(settled: Deployment) -> None:
    """A line in `.env` reaches the service, and one for Compose the container."""
    settled.settle(
        "PRECIS_MAX_DOCUMENTS=7", "DEPLOY_MEMORY=2g", "DEPLOY_PIDS=99", "DEPLOY_GRACE=1m", "PRECIS_HOST=0.0.0.0"
    )
    shown = compose(settled, "run", "--rm", "-T", "precis", "config", "--json")
    assert {row["name"]: row["value"] for row in json.loads(shown)}["max_documents"] == "7"
    configured = json.loads(compose(settled, "config", "--format", "json"))["services"]["precis"]
    assert (configured["mem_limit"], configured["pids_limit"]) == (str(2**31), 99)
    assert configured["stop_grace_period"] == "1m0s"
    assert configured["ports"][0]["host_ip"] == "0.0.0.0"  # noqa: S104 - read, not bound


def test_a_key_is_read_from_a_file_in_the_folder_secrets(settled: Deployment) -> None:
    """It stands in no variable of the container, and the same line works for the command on the host."""
    (settled.folder / "secrets" / "api_key").write_text("not-a-real-key\n", encoding="utf-8")
    settled.settle("PRECIS_API_KEY_FILE=secrets/api_key")
    code = "import os; from service.settings import Settings, load; s = load(Settings, environ=os.environ).settings"
    run = ("run", "--rm", "-T", "--entrypoint", "python", "precis", "-c")
    assert compose(settled, *run, f"{code}; print(s.api_key)").strip() == "not-a-real-key"
    assert "not-a-real-key" not in compose(settled, *run, "import os; print(os.environ)")
    shown = json.loads(compose(settled, "run", "--rm", "-T", "precis", "config", "--json"))
    key = next(row for row in shown if row["name"] == "api_key")
    assert (key["value"], key["origin"]) == ("****", "environment PRECIS_API_KEY_FILE")


def test_every_service_has_the_same_bounds(deployment: Deployment) -> None:
    """Of whatever profile: no capabilities, no new privileges; ours with a read-only root, and limits."""
    shown = compose(deployment, "--profile", "demo", "--profile", "ollama", "config", "--format", "json")
    services = json.loads(shown)["services"]
    assert set(services) == {"precis", "demo", "precis-ollama", "ollama", "ollama-model"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if service["image"] == deployment.image:
            assert (service["read_only"], service["mem_limit"], service["pids_limit"]) == (True, str(2**30), 256), name
            assert all(port["host_ip"] == "127.0.0.1" for port in service["ports"]), name
            assert "/tmp:size=128m" in service["tmpfs"], name  # noqa: S108 - the mount
        else:
            assert "ports" not in service, name


def test_an_engine_of_2020_takes_the_file(running: Deployment) -> None:
    """Nothing in the health check asks for a newer one than 20.10."""
    configured = json.loads(good(docker("inspect", "--format", "{{json .Config.Healthcheck}}", container_id(running))))
    assert "StartInterval" not in configured
    assert configured["Test"][:2] == ["CMD", "python"]


def container_id(deployment: Deployment) -> str:
    """The container of the service."""
    return compose(deployment, "ps", "--quiet", "precis").strip()
