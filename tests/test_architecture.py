"""The house stands as it was drawn: imports go down, the core is pure, no module grows without end."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "service"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 420
OVER = {"core/types.py": 610, "core/grounding.py": 480}
"""Modules that may be longer: every noun of the service, and one search whose steps are read in order."""
CORE_LIBRARIES = {"msgspec", "rapidfuzz", "snowballstemmer", "numpy"}
IMPURE = {
    *("asyncio", "concurrent", "datetime", "getpass", "http", "io", "locale", "logging", "multiprocessing", "os"),
    *("pathlib", "platform", "queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket"),
    *("sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo"),
}
"""Modules of the standard library that know a clock, a disk, a network, chance or the process."""


def names(paths: list[Path]) -> list[str]:
    """Paths as they read inside the package, for the names of test cases."""
    return [path.relative_to(PACKAGE).as_posix() for path in paths]


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the package that lies in a folder."""
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "", "PYTHONUTF8": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package's code and its contracts."""
    shutil.copytree(PACKAGE, tmp_path / "service", ignore=shutil.ignore_patterns("_data", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def append(path: Path, line: str) -> None:
    """Add a line to a module."""
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")


def test_the_contracts_hold(copy: Path) -> None:
    """Every import goes down a floor, and none of the others is crossed."""
    found = lint_imports(copy)
    assert (found.returncode, "0 broken" in found.stdout) == (0, True), found.stdout + found.stderr


@pytest.mark.parametrize(
    ("module", "imports", "contract"),
    [
        ("core/text.py", "httpx", "The core knows no outside"),
        ("core/chunking.py", "random", "The core knows no outside"),
        ("core/finishing.py", "service.pipeline", "Imports only go down"),
        ("pipeline.py", "service.jobs", "Imports only go down"),
        ("adapters/tokens.py", "service.adapters.language", "Adapters do not know one another"),
        ("jobs/events.py", "litestar", "imported where it belongs"),
        ("pipeline.py", "httpx", "imported where it belongs"),
    ],
)
def test_a_wrong_import_breaks_the_contract_it_is_against(copy: Path, module: str, imports: str, contract: str) -> None:
    """One line in the wrong place is refused, by name of the contract and of the module."""
    append(copy / "service" / module, f"import {imports}")
    found = lint_imports(copy)
    broken = [shown for shown in found.stdout.splitlines() if "BROKEN" in shown]
    assert found.returncode == 1, found.stdout + found.stderr
    assert any(contract in shown for shown in broken), found.stdout
    assert f"service.{module.removesuffix('.py').replace('/', '.')} -> {imports}" in found.stdout


def test_a_module_without_a_floor_breaks_the_contract(copy: Path) -> None:
    """A new module says where it stands before it can be merged."""
    (copy / "service" / "helpers.py").write_text('"""Bits and pieces."""\n', encoding="utf-8")
    found = lint_imports(copy)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "service.helpers" in found.stdout


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("core/*.py")), ids=lambda path: path.name)
def test_the_core_imports_only_what_is_on_its_list(path: Path) -> None:
    """The contracts name what is forbidden; this names what is allowed."""
    roots = {module.partition(".")[0] for module in imported(path)}
    allowed = (sys.stdlib_module_names - IMPURE) | CORE_LIBRARIES | {"service"}
    assert roots <= allowed, f"{sorted(roots - allowed)} in core/{path.name}"


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_modules_can_be_read_in_one_sitting(path: Path) -> None:
    """No module is far above 400 lines, but for those that are named here with their bound."""
    name = path.relative_to(PACKAGE).as_posix()
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= OVER.get(name, MOST_LINES), f"{name} has {lines} lines; split it"


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """The first thing in a module is a sentence about it."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{path.name} has no docstring"
    assert docstring.split("\n\n")[0].rstrip().endswith((".", ":")), docstring


def test_no_module_is_called_utils() -> None:
    """A module is named after what it holds."""
    vague = {"utils", "util", "helpers", "misc", "manager", "managers"}
    assert not [path for path in MODULES if path.stem in vague]


def test_importing_the_package_does_nothing() -> None:
    """Modules define; nothing is read, opened or started before a function is called."""
    modules = [
        f"service.{name.removesuffix('.py').replace('/', '.').removesuffix('.__init__')}" for name in names(MODULES)
    ]
    modules = [name for name in modules if ".migrations" not in name and name != "service.__init__"]
    script = (
        "import importlib, os, sys, threading\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, arguments: opened.append((event, arguments[0]))\n"
        "    if event in ('socket.connect', 'sqlite3.connect', 'subprocess.Popen')\n"
        "    or (event == 'open' and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)\n"
        "        and '__pycache__' not in str(arguments[0])) else None)\n"
        f"for name in {modules!r}:\n    importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert not opened, opened\n"
    )
    found = subprocess.run(  # noqa: S603 - the script above
        [sys.executable, "-X", "utf8", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr
