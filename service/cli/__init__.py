"""The command line: `precis`. Commands import what they need when they run, so that `--help` is quick."""

import errno
import os
import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from service import __version__
from service.cli import stopping
from service.cli.prompts_commands import prompts_group
from service.core.errors import BadSettings, PrecisError

if TYPE_CHECKING:
    from service.settings import Loaded, Settings

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_ENDPOINT = 3
EXIT_TIME = 4
EXIT_INTERRUPTED = 130
_BAD_GATEWAY = 502
_GATEWAY_TIMEOUT = 504

LENGTHS = ("brief", "standard", "detailed")
LONGEST_FOCUS = 500
LANGUAGE = re.compile(r"[a-z]{2,3}")
EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 usage, 3 endpoint, 4 time."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, that of the process where none is given, and exit.

    Every foreseen error is one message on standard error and an exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # a quote may hold what the terminal's encoding lacks; that is no reason to lose the summary
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(precis.main(arguments, prog_name="precis", standalone_mode=False) or 0)
    except PrecisError as error:
        click.echo(f"precis: {error.detail}", err=True)
        for field in error.errors:
            if not isinstance(error, BadSettings):
                click.echo(f"  {field.pointer or 'the request'}: {field.detail}", err=True)
        sys.exit(exit_code(error))
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except OSError as error:
        _output_gone(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("precis: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)


def _output_gone(error: OSError) -> NoReturn:
    """End where what is printed can go no further: a closed pipe or a full device."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC):
        raise error
    # the interpreter would try once more when it ends, and say so at length
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.ENOSPC:
        click.echo("precis: no space is left where the output goes, and not all of it is there.", err=True)
    sys.exit(EXIT_FAILED)


def exit_code(error: PrecisError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, BadSettings):
        return EXIT_USAGE
    return exit_code_of(error.status)


def exit_code_of(status: int) -> int:
    """The exit code that an HTTP status stands for."""
    return {_BAD_GATEWAY: EXIT_ENDPOINT, _GATEWAY_TIMEOUT: EXIT_TIME}.get(status, EXIT_FAILED)


def settings(context: click.Context, **flags: object) -> "Loaded[Settings]":
    """The settings of this run: flags, environment, `.env`, `precis.toml`, defaults."""
    from service.settings import Settings, load

    return load(
        Settings,
        environ=os.environ,
        flags={**context.obj, **flags},
        dotenv=Path(".env"),
        file=Path("precis.toml"),
    )


def _endpoint_mode(record: str | None, replay: str | None) -> str | None:
    """What the two flags ask for; raises a usage error where both are given."""
    if record and replay:
        raise click.UsageError("--record and --replay exclude one another.")
    return "record" if record else "replay" if replay else None


def _bounded(_: click.Context, __: click.Parameter, focus: str | None) -> str | None:
    """The focus within the bounds that the API keeps."""
    if focus is not None and not 1 <= len(focus) <= LONGEST_FOCUS:
        raise click.BadParameter(f"it has {len(focus)} characters; 1 to {LONGEST_FOCUS} fit.")
    return focus


def _language(_: click.Context, __: click.Parameter, language: str | None) -> str | None:
    """The language as the API takes it."""
    if language is not None and not LANGUAGE.fullmatch(language):
        raise click.BadParameter(f"{language!r} is no language code: two or three small letters, such as en.")
    return language


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES + " Settings are PRECIS_* variables; `precis config` shows them.",
)
@click.version_option(__version__, prog_name="precis")
@click.option("--config", metavar="FILE", help="Settings in TOML (default: precis.toml, where there is one).")
@click.option("--database-url", metavar="URL", help="Where summaries are kept, such as sqlite:///precis.db.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least level logged.")
@click.pass_context
def precis(context: click.Context, config: str | None, database_url: str | None, log_level: str | None) -> None:
    """Summaries that a reader can check: every point carries exact quotes from its source."""
    context.obj = {"config": config, "database_url": database_url, "log_level": log_level}


@precis.command("summarise", epilog=EXIT_CODES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--each", is_flag=True, help="One summary for each file, not one over all.")
@click.option("--json", "as_json", is_flag=True, help="Print the resource that the API answers.")
@click.option("--length", type=click.Choice(LENGTHS), default="standard", show_default=True)
@click.option("--max-words", type=click.IntRange(10, 10_000), metavar="N", help="Bound on the words of the key points.")
@click.option("--focus", callback=_bounded, metavar="TEXT", help="A topic that the choice leans towards.")
@click.option(
    "--language",
    callback=_language,
    metavar="CODE",
    help="Language of the summary, such as en; another than the text's needs a model.",
)
@click.option("--prompt", metavar="NAME[@REF]", help="Prompt, version (news@2) or label that a model is sent.")
@click.option("--dev", is_flag=True, help="Drafts and edited versions may be used, marked as dirty.")
@click.option("--model", metavar="NAME", help="Model, of those that PRECIS_MODELS allows.")
@click.option("--strict", is_flag=True, help="Fail where a part could not be read.")
@click.option("--fallback", type=click.Choice(["extractive"]), help="What to do when the endpoint fails.")
@click.option("--record", metavar="DIR", help="Write down there what the endpoint answers.")
@click.option("--replay", metavar="DIR", help="Answer from recordings, without a network.")
@click.option("--wait", "wait_s", type=click.FloatRange(0), metavar="SECONDS", help="Give up waiting after so long.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write there; .txt, .md, .html and .json choose the form.",
)
@click.pass_context
def run_summarise(
    context: click.Context, /, record: str | None, replay: str | None, dev: bool, **arguments: object
) -> int:
    """Summarise FILEs (text, Markdown, HTML, PDF, DOCX; - is standard input)."""
    stopping.end_at_once(lambda: stopping.INTERRUPTED)
    from service.cli import summarise as command

    mode = _endpoint_mode(record, replay)
    loaded = settings(context, endpoint_mode=mode, recordings_dir=record or replay, prompts_dev=dev or None)
    return command.run(loaded, command.Arguments(**arguments))  # type: ignore[arg-type]


@precis.command(
    "batch", epilog="Exit codes: 0 all done, 1 some lines failed or did not fit, 2 usage, 130 or 143 stopped."
)
@click.argument("source", metavar="IN.ndjson|FOLDER|-")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="OUT.ndjson",
    help="Write results there, one a line, in order; what is there already is not done again.",
)
@click.option("--retry-failed", "again", is_flag=True, help="Do what failed in an earlier run again.")
@click.option("--length", type=click.Choice(LENGTHS), help="With a folder: length of the summaries.")
@click.option("--prompt", metavar="NAME[@REF]", help="With a folder: prompt, version (news@2) or label.")
@click.option("--model", metavar="NAME", help="With a folder: model, of those that PRECIS_MODELS allows.")
@click.option("--strict", is_flag=True, help="With a folder: fail where a part could not be read.")
@click.option(
    "--fallback", type=click.Choice(["extractive"]), help="With a folder: what to do when the endpoint fails."
)
@click.option("--dev", is_flag=True, help="Drafts and edited versions may be used, marked as dirty.")
@click.option("--record", metavar="DIR", help="Write down there what the endpoint answers.")
@click.option("--replay", metavar="DIR", help="Answer from recordings, without a network.")
@click.pass_context
def run_batch(context: click.Context, /, record: str | None, replay: str | None, dev: bool, **arguments: object) -> int:
    """Summarise many: a request a line of IN.ndjson (- is standard input), or a file of FOLDER each.

    It can be stopped and started again, and goes on where it was.
    """
    stopping.end_at_once(lambda: stopping.GOES_ON.format("0 done, 0 failed"))
    from service.cli import batch as command
    from service.cli.batch_input import Arguments

    mode = _endpoint_mode(record, replay)
    loaded = settings(context, endpoint_mode=mode, recordings_dir=record or replay, prompts_dev=dev or None)
    return command.run(loaded, Arguments(**arguments))  # type: ignore[arg-type]


@precis.command("evaluate", epilog=EXIT_CODES)
@click.argument("summary", metavar="SUMMARY.json")
@click.option("--reference", metavar="FILE", help="What a good summary of the same texts holds, in JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run_evaluate(summary: str, reference: str | None, as_json: bool) -> int:
    """Measure a summary that `precis summarise --json` printed (- is standard input)."""
    from service.cli import evaluate as command

    return command.run(summary, reference, as_json=as_json)


@precis.command(
    "compare",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 endpoint, 4 time; with --gate: 0 pass, 10 regression, "
    "11 inconclusive, 12 not comparable.",
)
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--prompts", metavar="A,B[,...]", help="Versions, such as news@1,news@3; the first is the baseline.")
@click.option(
    "--summary", "summaries", multiple=True, metavar="FILE", help="Compare summaries in JSON; no call is made."
)
@click.option("--from", "again", metavar="FILE", help="Draw a comparison in JSON again; no call is made.")
@click.option("--together", is_flag=True, help="One summary over all files, not one for each.")
@click.option("--repeat", type=click.IntRange(1, 10), default=1, show_default=True, help="Ask each version so often.")
@click.option("--reference", "references", multiple=True, metavar="DIR", help="What readers noted: a folder or a file.")
@click.option("--metric", metavar="NAME", help="The one that the verdict is about, named beforehand.")
@click.option("--length", type=click.Choice(LENGTHS), default="standard", show_default=True)
@click.option("--model", metavar="NAME", help="Model, of those that PRECIS_MODELS allows.")
@click.option("--record", metavar="DIR", help="Write down there what the endpoint answers.")
@click.option("--replay", metavar="DIR", help="Answer from recordings, without a network.")
@click.option("--dev", is_flag=True, help="Drafts and edited versions may be used, marked as dirty.")
@click.option("--plan", "plan_only", is_flag=True, help="Only say what it would take.")
@click.option("--gate", is_flag=True, help="Exit with 0 only where the last version may replace the first.")
@click.option("--margin", "margins", multiple=True, metavar="METRIC=X", help="Gate: how much worse a metric may be.")
@click.option("--max-words", type=click.FloatRange(0), metavar="N", help="Gate: most words of an abstract, on average.")
@click.option(
    "--max-cost", type=click.FloatRange(0), metavar="X", help="Gate: most that a summary may cost, on average."
)
@click.option("--max-latency", type=click.FloatRange(0), metavar="SECONDS", help="Gate: most at the 95th percentile.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-o",
    "--out",
    "output",
    multiple=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write there too; .html, .md, .json, .csv, .xml (JUnit) and .txt choose the form.",
)
@click.pass_context
def run_compare(context: click.Context, /, record: str | None, replay: str | None, dev: bool, **given: Any) -> int:
    """Compare prompt versions over FILEs, fact by fact."""
    stopping.end_at_once(lambda: stopping.INTERRUPTED)
    from service.cli import compare as command
    from service.core.comparison import Rules

    mode = _endpoint_mode(record, replay)
    loaded = settings(context, endpoint_mode=mode, recordings_dir=record or replay, prompts_dev=dev or None)
    prompts = tuple(name.strip() for name in (given.pop("prompts") or "").split(",") if name.strip())
    rules = Rules(
        margins=_margins(given.pop("margins")),
        max_words=given.pop("max_words"),
        max_cost=given.pop("max_cost"),
        max_latency_s=given.pop("max_latency"),
    )
    return command.run(loaded, command.Arguments(prompts=prompts, rules=rules, **given))


def _margins(given: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in given:
        name, _, value = one.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise click.UsageError(f"--margin {one}: write METRIC=NUMBER, such as must_recall=0.05.") from None
        if not 0 <= found[name.strip()] < inf:
            raise click.UsageError(f"--margin {one}: a margin is a number from 0 up: how much worse it may be.")
    return found


@precis.command("serve")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on.")
@click.option("--dev", is_flag=True, help="Drafts and edited versions of prompts may be used, marked as dirty.")
@click.pass_context
def run_serve(context: click.Context, host: str | None, port: int | None, dev: bool) -> int:
    """Run the HTTP service."""
    try:
        loaded = settings(context, host=host, port=port, prompts_dev=dev or None)
    except BadSettings as error:
        from service.cli.failing import refused

        return refused(error, os.environ)
    from service.cli import serve as command

    return command.run(loaded.settings)


@precis.command("purge")
@click.option("--dry-run", is_flag=True, help="Only say what is due.")
@click.pass_context
def run_purge(context: click.Context, dry_run: bool) -> int:
    """Delete what is older than PRECIS_DOCUMENTS_DAYS and PRECIS_RESULTS_DAYS; a server does so every hour."""
    from service.cli import purge as command

    return command.run(settings(context).settings, dry_run=dry_run)


@precis.command("doctor")
@click.pass_context
def run_doctor(context: click.Context) -> int:
    """Check what the service stands on, and say what to do about what is bad."""
    from service.cli import doctor as command

    return command.run(settings(context).settings)


@precis.command("config")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def run_config(context: click.Context, as_json: bool) -> int:
    """Show every setting, its value and where it comes from."""
    from service.cli import config as command

    return command.run(settings(context), as_json=as_json)


precis.add_command(prompts_group)
