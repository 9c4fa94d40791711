"""What is built and locked is what was tested: the wheel carries its data, the locks name versions and no places."""

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from service import data

ROOT = Path(__file__).parent.parent
LOCKS = ("runtime", "dev")
SEEDS = {
    "000_b955a2e84f27efdf.txt": "b09c512b9bfbf774d42d2f3571522ca61f28ceafdba9ccc2686b9a9a5e541649",
    "002_88dcc4990b9baeb7.txt": "3834c6786542750eeecc78a591fe42cc981df1ec03e18f21aa9b289b48751866",
    "004_71949b67d0e150d2.txt": "ba65bc6bc6c067e6bcaa14fc4330d64995259398331e8833d9d6c80761d3ed64",
}
"""SHA-256 of the sample articles as they came."""


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """The standard output of a command that must succeed, without the variables of these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PRECIS_", "PIP_"))}
    ran = subprocess.run(  # noqa: S603 - commands of these tests
        command,
        cwd=cwd,
        env=kept | environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a new environment with nothing of this checkout in it but the wheel."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv", with_pip=False, symlinks=os.name != "nt")
    paths = sysconfig.get_paths(vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    python = Path(paths["scripts"]) / "python"
    # the libraries are those of this environment; a path in a .pth is added without its own .pth files, so that the
    # editable install of the checkout stays unseen
    Path(paths["purelib"], "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    quiet = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check", "--ignore-installed")
    run(sys.executable, "-m", "pip", "--python", python, "install", *quiet, wheel, cwd=folder)
    return Path(paths["scripts"])


def test_the_wheel_carries_what_the_service_reads(wheel: Path) -> None:
    """Data that is not in the wheel is missed first by somebody else."""
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {
        "service/py.typed",
        *(f"service/_data/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "seeds").iterdir()),
        *(f"service/_data/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "prompts").rglob("*.*")),
        *(
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "service").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ),
    }
    assert not expected - names
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    assert any(name.startswith("service/_data/tokens/") for name in names)
    assert any(re.fullmatch(r"service/.*/migrations/versions/0001_\w+\.py", name) for name in names)


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    """Tests, benchmarks and leftovers stay at home."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"service", "precis"}
    assert not [name for name in names if "__pycache__" in name or "test" in name.rpartition("/")[2]]
    assert len(names) == len(set(names))


def test_an_installed_wheel_works_from_any_folder(scripts: Path, tmp_path: Path) -> None:
    """It finds its own vocabularies, sample articles, templates and migrations, and nothing of a checkout."""
    environ = {"PRECIS_DATABASE_URL": f"sqlite:///{(tmp_path / 'precis.db').as_posix()}"}
    where = "import json, service.data as d; print(json.dumps([str(d.folder('seeds')), str(d.folder('prompts'))]))"
    seeds, prompts = map(Path, json.loads(run(scripts / "python", "-c", where, cwd=tmp_path)))
    assert scripts.parent in seeds.parents
    assert (prompts / "README.md").is_file()
    assert run(scripts / "precis", "--version", cwd=tmp_path).startswith("precis, version ")
    printed = run(scripts / "precis", "summarise", *sorted(seeds.glob("*.txt")), "--json", cwd=tmp_path, **environ)
    found = json.loads(printed)["result"]
    texts = {document["id"]: (seeds / document["name"]).read_bytes().decode() for document in found["documents"]}
    evidence = [one for point in found["key_points"] for one in point["evidence"]]
    assert evidence
    assert all(texts[one["document"]][one["start"] : one["end"]] == one["quote"] for one in evidence)
    run(scripts / "precis", "summarise", seeds / "README.md", "-o", "page.html", cwd=tmp_path, **environ)
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "digest as expected" in " ".join(run(scripts / "precis", "doctor", cwd=tmp_path, **environ).split())


def test_a_checkout_reads_its_own_folders() -> None:
    """What is edited is what is used."""
    assert (data.folder("seeds"), data.folder("prompts")) == (ROOT / "seeds", ROOT / "prompts")


@pytest.mark.parametrize("name", SEEDS)
def test_sample_articles_are_as_they_came(name: str) -> None:
    """Byte for byte: offsets in tests and documents hang on them."""
    assert hashlib.sha256((ROOT / "seeds" / name).read_bytes()).hexdigest() == SEEDS[name]


# --- locks -----------------------------------------------------------------------------------------------------------


def lines(lock: str) -> list[str]:
    """The lines of a lock, each requirement with its hashes on one."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    found = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [line for line in found if line.strip() and not line.lstrip().startswith("#")]


def pins(lock: str) -> dict[str, set[str]]:
    """The versions of each name: one, unless Pythons or machines differ in what they can have."""
    found: dict[str, set[str]] = {}
    for line in lines(lock):
        name, _, rest = line.partition("==")
        found.setdefault(name, set()).add(rest.split()[0])
    return found


def hashes(lock: str) -> dict[str, set[str]]:
    """The hashes of each requirement, by name and version."""
    return {line.split()[0]: set(re.findall("sha256:[0-9a-f]+", line)) for line in lines(lock)}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_place(lock: str) -> None:
    """Whose index it is, is the business of the machine that installs."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host|-i\s", text)
    assert not re.search(r"(?i)\b[a-z0-9-]+\.(com|org|io|net|dev|internal|local)\b", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_version_and_hashes(lock: str) -> None:
    """What is installed is what was tested, or it is not installed."""
    pattern = r"[a-z0-9][a-z0-9._-]*==\S+( ; [^-]\S.*?)?( --hash=sha256:[0-9a-f]{64})+"
    assert not [line for line in lines(lock) if not re.fullmatch(pattern, line)]
    assert len(hashes(lock)) == len(lines(lock))
    twice = [line for line in lines(lock) if len(pins(lock)[line.partition("==")[0]]) > 1]
    assert not [line for line in twice if " ; " not in line], "two versions of one name need markers"


def test_what_runs_is_what_is_tested() -> None:
    """Every pin of the runtime stands in the development lock, with the same version and hashes."""
    runtime, dev = hashes("runtime"), hashes("dev")
    assert {pin: dev.get(pin) for pin in runtime} == runtime


@pytest.mark.parametrize(("lock", "groups"), [("runtime", ()), ("dev", ("dev",))])
def test_locks_hold_what_the_project_asks_for(lock: str, groups: tuple[str, ...]) -> None:
    """A dependency that was added or raised is in the lock, within its bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["files"]]
    asked += [line for group in groups for line in project["dependency-groups"][group]]
    locked = pins(lock)
    for line in asked:
        requirement = Requirement(line)
        assert requirement.name in locked, f"run make lock: {requirement.name} is not in {lock}.lock"
        for version in locked[requirement.name]:
            assert requirement.specifier.contains(version), f"{line} against {version} in {lock}.lock"
