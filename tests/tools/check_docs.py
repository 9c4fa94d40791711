"""Hold the documents against the code: `python tests/tools/check_docs.py`, with `--write` to renew docs/settings.md.

Every setting is described, every relative link leads somewhere, every command line that is shown can be typed, and the
changelog has the form of Keep a Changelog.
"""

import argparse
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import click

from service.cli import precis
from service.settings import Field, Settings, describe

ROOT = Path(__file__).parents[2]
SETTINGS = Path("docs/settings.md")
DECISIONS = Path("docs/adr")
SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_COMMAND = re.compile(r"(?:^|[|;&]\s*|\s)(?:\S*/)?precis\s+(\S[^|;&>\n]*)")
_COMPOSE = re.compile(r"\s*docker compose (exec|run)((?:\s+(?:-[^\n]*?))?)\s+(?:precis-ollama|precis|demo)\s+(.*)")
_VERSION = re.compile(r"## \[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})(?: \[YANKED\])?")

INTRODUCTION = """# Settings

Each is a variable of the environment; the name without `PRECIS_`, in lower case, is its name in `precis.toml`. A flag
goes before the environment, that before `.env`, that before `precis.toml` (or the file that `--config` or
`PRECIS_CONFIG` names). An empty variable counts as not set. An unknown one stops the start. `precis config` shows what
is in force, and where each value comes from.

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is wrong; 1 when something is."""
    parser = argparse.ArgumentParser(description="Hold the documents against the code.")
    parser.add_argument("--write", action="store_true", help=f"renew {SETTINGS}")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder that holds the documents")
    said = parser.parse_args(arguments)
    if said.write:
        (said.root / SETTINGS).parent.mkdir(exist_ok=True)
        (said.root / SETTINGS).write_text(settings_page(), encoding="utf-8")
    faults = list(check(said.root))
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


def check(root: Path) -> Iterator[str]:
    """Everything that is wrong with the documents of a folder."""
    pages = {path.relative_to(root): path.read_text(encoding="utf-8") for path in documents(root)}
    if pages.get(SETTINGS) != settings_page():
        yield f"{SETTINGS} is not what the code says; run: python tests/tools/check_docs.py --write"
    for name, text in pages.items():
        yield from (f"{name}: {fault}" for fault in link_faults(root / name, text))
        if DECISIONS not in name.parents:  # decisions also speak of what is not there yet
            yield from (f"{name}: {fault}" for fault in command_faults(text))
            yield from (f"{name}: {fault}" for fault in target_faults(text, root / "Makefile"))
    yield from (f"CHANGELOG.md: {fault}" for fault in changelog_faults(pages.get(Path("CHANGELOG.md"), "")))


def documents(root: Path) -> list[Path]:
    """The Markdown files of the project; what lies in a hidden or built folder is not its own."""
    return sorted(
        path
        for path in root.rglob("*.md")
        if not any(part.startswith(".") or part in ("build", "dist") for part in path.relative_to(root).parts)
    )


def settings_page() -> str:
    """The page that describes every setting."""
    head = ["| variable | what it is | what fits | default |", "|---|---|---|---|"]
    return INTRODUCTION + "\n".join([*head, *map(_row, describe(Settings))]) + "\n"


def _row(field: Field) -> str:
    secret = (
        f" It is secret, and may also be read from the file that `{field.variable}_FILE` names." if field.secret else ""
    )
    default = field.default if " " in field.default else f"`{field.default}`"
    return f"| `{field.variable}` | {field.description}{secret} | {field.fits} | {default} |"


def link_faults(page: Path, text: str) -> Iterator[str]:
    """Relative links that lead nowhere."""
    for link in _LINK.findall(_without_code(text)):
        if re.match(r"[a-z][a-z0-9+.-]*:", link, re.IGNORECASE):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / unquote(name) if name else page
        if not target.exists():
            yield f"the link {link} leads nowhere"
        elif anchor and target.suffix == ".md" and anchor not in _anchors(target.read_text(encoding="utf-8")):
            yield f"the link {link} names a heading that is not there"


def _without_code(text: str) -> str:
    return _INLINE.sub("", _FENCE.sub("", text))


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+\s+(.+?)\s*$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def command_faults(text: str) -> Iterator[str]:
    """Command lines in shell blocks that could not be typed; commands and options in the text that are not there."""
    for language, block in _FENCE.findall(text):
        if language in ("sh", "bash", "shell", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                for found in _COMMAND.findall(_in_container(line)):
                    yield from _typed(shlex.split(found, comments=True))
    for code in _INLINE.findall(_FENCE.sub("", text)):
        for found in _COMMAND.findall(_in_container(code)):
            yield from _named(shlex.split(found.replace("[", " ").replace("]", " ")))


def _in_container(line: str) -> str:
    """What a line has Compose run in a container, as a line of its own; another line as it is.

    >>> _in_container("docker compose run --rm -T precis prompts list"), _in_container("docker compose exec precis ls")
    ('precis prompts list', 'ls')
    """
    found = _COMPOSE.match(line)
    if found is None:
        return line
    how, options, rest = found.groups()
    if how == "exec":
        return rest
    return "" if "--entrypoint" in options else f"precis {rest}"


def _typed(words: list[str]) -> Iterator[str]:
    """What click says to a command line, without running it."""
    try:
        with precis.make_context("precis", list(words)) as context:
            name, command, rest = precis.resolve_command(context, [*context._protected_args, *context.args])
            if command is not None:
                command.make_context(name, rest, parent=context).close()
    except click.exceptions.Exit:
        return  # --help and --version
    except click.ClickException as error:
        yield f"`precis {shlex.join(words)}` cannot be typed: {error.format_message()}"


def _named(words: Iterable[str]) -> Iterator[str]:
    """Commands and options that do not exist, in a command line that need not be whole."""
    known: list[click.Command] = [precis]
    for word in words:
        options = {option for command in known for parameter in command.params for option in parameter.opts}
        if word.startswith("-") and len(word) > 1:
            if word.partition("=")[0] not in {*options, "-h", "--help"}:
                yield f"`precis` has no option {word}"
        elif isinstance(group := known[-1], click.Group):
            if word not in group.commands:
                if re.fullmatch("[a-z-]+", word):
                    yield f"`precis` has no command {word}"
                return
            known.append(group.commands[word])


def target_faults(text: str, makefile: Path) -> Iterator[str]:
    """Targets of make that are named and do not exist."""
    targets = set(re.findall(r"^([a-z]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE))
    shown = [
        *_INLINE.findall(_FENCE.sub("", text)),
        *(line for _, block in _FENCE.findall(text) for line in block.splitlines()),
    ]
    for code in shown:
        found = re.match(r"\s*make ([a-z]+)\b(?![=.])", code)
        if found and found[1] not in targets:
            yield f"`make {found[1]}` is not in the Makefile"


def changelog_faults(text: str) -> Iterator[str]:
    """Where a changelog departs from Keep a Changelog 1.1.0."""
    lines = text.splitlines()
    if not lines or lines[0] != "# Changelog":
        yield "the first line is `# Changelog`"
    versions = [line for line in lines if line.startswith("## ")]
    if versions[:1] != ["## [Unreleased]"]:
        yield "the first version is `## [Unreleased]`"
    released: list[tuple[int, ...]] = []
    for line in versions[1:]:
        found = _VERSION.fullmatch(line)
        if found is None or not _is_date(found[4]):
            yield f"`{line}` is not `## [1.2.3] - 2026-01-31`"
        else:
            released.append(tuple(map(int, found.groups()[:3])))
    if released != sorted(set(released), reverse=True):
        yield "versions stand newest first, each once"
    for version in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, *sections = re.split(r"^### ", version, flags=re.MULTILINE)
        name = heading.splitlines()[0]
        titles = [section.splitlines()[0] for section in sections]
        yield from (f"{name}: `{title}` is none of {', '.join(SECTIONS)}" for title in titles if title not in SECTIONS)
        if len(set(titles)) < len(titles):
            yield f"{name}: a section stands twice"
        yield from (
            f"{name}: `{section.splitlines()[0]}` has no `- ` entry"
            for section in sections
            if not re.search(r"^- \S", section, re.MULTILINE)
        )


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
