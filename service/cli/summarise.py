"""`precis summarise`: files in, summaries out, through the same jobs and store as the server."""

import asyncio
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Literal

import click
import msgspec
from rich.console import Console

from service import bootstrap, logs
from service.adapters.store import StoredSummary
from service.cli import EXIT_ENDPOINT, EXIT_TIME, exit_code, exit_code_of, files, progress, stopping
from service.core.errors import PrecisError
from service.core.types import Conditions, Document, Length, Options
from service.jobs import FINISHED, TENANT, Jobs
from service.rendering import html, markdown, resource, terminal
from service.settings import Loaded, Settings

_FOREVER_S = 10.0**9
_PIPE_WIDTH = 100

Form = Literal["terminal", "json", "markdown", "html"]
_FORMS: dict[str, Form] = {
    "": "terminal",
    ".txt": "terminal",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
}


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said."""

    files: tuple[str, ...]
    each: bool
    as_json: bool
    length: Length
    max_words: int | None
    focus: str | None
    language: str | None
    prompt: str | None
    model: str | None
    strict: bool
    fallback: Literal["extractive"] | None
    wait_s: float | None
    output: Path | None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A summary, and the documents it is of."""

    summary: StoredSummary
    documents: tuple[Document, ...]


def run(loaded: Loaded[Settings], arguments: Arguments) -> int:
    """Summarise the files and print what came out; returns the exit code."""
    settings = files.impatient(loaded)
    # A summary is what a person wants to read here; the log speaks up only when something is wrong or asked for.
    quiet = loaded.origins["log_level"] == "default"
    logs.configure(level="warning" if quiet else settings.log_level, fmt=settings.log_format)
    if arguments.files.count(files.STDIN) > 1:
        raise click.UsageError("Standard input (-) can be read only once.")
    form = _form(arguments)
    if arguments.output:
        files.check_folder(arguments.output)
    stopping.end_at_once(progress.interrupted)
    return asyncio.run(_run(settings, arguments, form))


async def _run(settings: Settings, arguments: Arguments, form: Form) -> int:
    options = Options(
        length=arguments.length, max_words=arguments.max_words, focus=arguments.focus, language=arguments.language
    )
    conditions = Conditions(
        prompt=arguments.prompt, model=arguments.model, strict=arguments.strict, fallback=arguments.fallback
    )
    groups = [(name,) for name in arguments.files] if arguments.each else [arguments.files]
    made: list[Made] = []
    worst = 0
    async with bootstrap.open_jobs(settings) as jobs:
        for number, names in enumerate(groups, 1):
            at = f"[{number}/{len(groups)}] " if len(groups) > 1 else ""
            try:
                documents = await asyncio.to_thread(files.documents, names, settings.max_characters)
                one = await _summarise(jobs, documents, (options, conditions), arguments.wait_s, at)
            except PrecisError as error:
                if not arguments.each:
                    raise files.by_name(error, names) from error
                files.tell(f"{at}{names[0]}: {error.detail}{''.join(f' {field.detail}.' for field in error.errors)}")
                worst = max(worst, exit_code(error))
                continue
            made.append(one)
            worst = max(worst, _code(one.summary))
        if made:
            _write(made, arguments, form)
        if any(one.summary.status not in FINISHED for one in made):
            stopping.leave(worst, "precis: gave up waiting; `precis serve` finishes what is begun when it starts")
    return worst


async def _summarise(
    jobs: Jobs, documents: tuple[Document, ...], how: tuple[Options, Conditions], wait_s: float | None, at: str
) -> Made:
    started = perf_counter()
    accepted = await jobs.submit(TENANT, documents, *how)
    files.tell(f"{at}{accepted.id}: summarising {len(documents)} document{'s' * (len(documents) != 1)} ...")
    async with progress.shown(jobs, accepted, at):
        summary = await jobs.wait(TENANT, accepted.id, wait_s=_FOREVER_S if wait_s is None else wait_s)
    files.tell(f"{at}{accepted.id}: {summary.status} after {perf_counter() - started:.2f} s")
    if summary.error:
        files.tell(f"{at}{summary.error.title}. {summary.error.detail}")
    for gap in summary.result.gaps if summary.result else ():
        files.tell(f"{at}not read: {gap.document}, characters {gap.start} to {gap.end}: {gap.detail}")
    return Made(summary=summary, documents=documents)


def _code(summary: StoredSummary) -> int:
    if summary.status not in FINISHED:
        return EXIT_TIME
    if summary.status == "partial":
        return EXIT_ENDPOINT
    if summary.error is None:
        return 0
    return exit_code_of(summary.error.status)


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(made: Sequence[Made], arguments: Arguments, form: Form) -> None:
    output = arguments.output
    if form == "terminal":
        _write_terminal(made, output)
        return
    if form == "json":
        resources = [resource.summary(one.summary, resource.progress(one.summary, None)) for one in made]
        body = msgspec.json.format(
            msgspec.json.encode(resources if arguments.each else resources[0]), indent=2
        ).decode()
        text = f"{body}\n"
    else:
        render = html.render if form == "html" else markdown.render
        text = "\n".join(render(one.summary.result, one.documents) for one in made if one.summary.result)
    if output is None:
        # bytes where it is JSON, which is UTF-8 whatever the terminal says
        click.echo(text.encode() if form == "json" else text, nl=False)
    else:
        files.save(output, text)


def _write_terminal(made: Sequence[Made], output: Path | None) -> None:
    if output is None:
        console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
        _print(made, console)
        return
    text = StringIO()
    _print(made, Console(file=text, width=_PIPE_WIDTH, highlight=False))
    files.save(output, text.getvalue())


def _print(made: Sequence[Made], console: Console) -> None:
    for number, one in enumerate(made):
        if number:
            console.print()
            console.rule()
            console.print()
        if one.summary.result:
            terminal.render(one.summary.result, one.documents, console)


def _form(arguments: Arguments) -> Form:
    ending = arguments.output.suffix.lower() if arguments.output else ""
    if ending not in _FORMS:
        raise click.UsageError(
            f"-o {arguments.output}: a summary is written as .txt, .md, .html or .json, not {ending}."
        )
    form: Form = "json" if arguments.as_json else _FORMS[ending]
    if arguments.as_json and _FORMS[ending] in ("html", "markdown"):
        raise click.UsageError(
            f"--json writes JSON, and {arguments.output} promises another form. Leave one of them out."
        )
    if form == "html" and arguments.each and len(arguments.files) > 1:
        raise click.UsageError("--each with several files makes several pages; write them one by one, or as .md.")
    return form
