"""The documents say what the code does, and the check that holds them notices when they do not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings, describe

ROOT = Path(__file__).parent.parent
TOOL = ROOT / "tests" / "tools" / "check_docs.py"


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the check as `make check` does."""
    return subprocess.run(  # noqa: S603 - our own tool
        [sys.executable, TOOL, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A small set of documents in which nothing is wrong."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "README.md").write_text(
        "# One\n\nSee [changes](CHANGELOG.md), [here](#one) and [there](https://example.org/x).\n\n"
        "```sh\nmake demo  # as `make demo` says\ncat a.txt | .venv/bin/precis summarise - --each > out.txt\n```\n\n"
        "With `precis summarise --json` and `precis serve [--port N]`.\n",
        encoding="utf-8",
    )
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-28\n\n### Added\n\n- This.\n\n"
        "## [0.1.0] - 2026-01-31\n\n### Fixed\n\n- That.\n",
        encoding="utf-8",
    )
    assert check("--write", "--root", tmp_path).returncode == 0
    return tmp_path


def test_the_documents_fit_the_code() -> None:
    """Settings, links, command lines and the changelog are as they should be."""
    found = check()
    assert (found.returncode, found.stdout) == (0, ""), found.stdout + found.stderr


def test_every_setting_is_documented() -> None:
    """Nobody has to read the code to know what can be set."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    missing = [field.variable for field in describe(Settings) if f"`{field.variable}`" not in page]
    assert not missing, "run: python tests/tools/check_docs.py --write"


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("docs/settings.md", "`8000`", "`8001`", "docs/settings.md is not what the code says"),
        ("docs/settings.md", "| `PRECIS_HOST`", "| `PRECIS_HOSTS`", "docs/settings.md is not what the code says"),
        ("README.md", "(CHANGELOG.md)", "(CHANGES.md)", "README.md: the link CHANGES.md leads nowhere"),
        ("README.md", "(#one)", "(#two)", "the link #two names a heading that is not there"),
        ("README.md", "- --each", "- --eech", "No such option"),
        ("README.md", "precis summarise -", "precis summarize -", "No such command 'summarize'"),
        ("README.md", "precis summarise - --each", "precis summarise --each", "Missing argument"),
        ("README.md", "--each", "--length tiny", "'tiny' is not one of"),
        ("README.md", "`precis summarise --json`", "`precis summarise --jsn`", "has no option --jsn"),
        ("README.md", "cat a.txt", "docker compose run --rm precis docter\ncat a.txt", "No such command 'docter'"),
        ("README.md", "cat a.txt", "docker compose exec precis precis lst\ncat a.txt", "No such command 'lst'"),
        ("README.md", "`precis serve", "`precis server", "has no command server"),
        ("README.md", "`precis summarise --json`", "`precis prompts lst`", "has no command lst"),
        ("README.md", "`precis summarise --json`", "`precis prompts show --because`", "has no option --because"),
        ("README.md", "make demo  #", "make demonstration  #", "`make demonstration` is not in the Makefile"),
        ("CHANGELOG.md", "# Changelog", "# Changes", "the first line is `# Changelog`"),
        ("CHANGELOG.md", "## [Unreleased]\n\n", "", "the first version is `## [Unreleased]`"),
        ("CHANGELOG.md", "2026-02-28", "2026-02-30", "is not `## [1.2.3] - 2026-01-31`"),
        ("CHANGELOG.md", "[0.2.0]", "[0.0.9]", "versions stand newest first"),
        ("CHANGELOG.md", "### Added", "### New", "`New` is none of Added, Changed"),
        ("CHANGELOG.md", "- That.", "That.", "0.1.0] - 2026-01-31: `Fixed` has no `- ` entry"),
    ],
)
def test_what_is_wrong_is_noticed(copy: Path, name: str, old: str, new: str, says: str) -> None:
    """Each kind of slip fails the check, which says where and what."""
    path = copy / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    found = check("--root", copy)
    assert found.returncode == 1, found.stderr
    assert says in found.stdout


def test_every_room_of_the_core_is_on_the_map() -> None:
    """A newcomer finds each module of the core in CONTRIBUTING, and no module that is gone."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text[text.index("| a text is read") : text.index("## Rules")]
    rooms = {path.stem for path in (ROOT / "service/core").glob("*.py")} - {"__init__", "types", "errors"}
    assert set(re.findall(r"`(\w+)`", table)) == rooms
