"""The command line: `precis`. Commands import what they need when they run, so that `--help` is quick."""

import os
import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service import __version__
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
    except (click.Abort, KeyboardInterrupt):
        click.echo("precis: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)


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
@click.option("--prompt", metavar="NAME[@N]", help="Prompt, or version of one, that a model is sent.")
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
def run_summarise(context: click.Context, /, record: str | None, replay: str | None, **arguments: object) -> int:
    """Summarise FILEs (text, Markdown, HTML, PDF, DOCX; - is standard input)."""
    from service.cli import summarise as command

    if record and replay:
        raise click.UsageError("--record and --replay exclude one another.")
    mode = "record" if record else "replay" if replay else None
    loaded = settings(context, endpoint_mode=mode, recordings_dir=record or replay)
    return command.run(loaded, command.Arguments(**arguments))  # type: ignore[arg-type]


@precis.command("evaluate", epilog=EXIT_CODES)
@click.argument("summary", metavar="SUMMARY.json")
@click.option("--reference", metavar="FILE", help="What a good summary of the same texts holds, in JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run_evaluate(summary: str, reference: str | None, as_json: bool) -> int:
    """Measure a summary that `precis summarise --json` printed (- is standard input)."""
    from service.cli import evaluate as command

    return command.run(summary, reference, as_json=as_json)


@precis.command("serve")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on.")
@click.pass_context
def run_serve(context: click.Context, host: str | None, port: int | None) -> int:
    """Run the HTTP service."""
    from service.cli import serve as command

    return command.run(settings(context, host=host, port=port).settings)


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


@precis.group("prompts")
def prompts_group() -> None:
    """Versioned prompts."""


@prompts_group.command("verify")
@click.pass_context
def run_prompts_verify(context: click.Context) -> int:
    """Check that released versions are as they were released."""
    from service.cli import prompts as command

    return command.verify(settings(context).settings)


@prompts_group.command("release")
@click.argument("reference", metavar="NAME@N")
@click.pass_context
def run_prompts_release(context: click.Context, reference: str) -> int:
    """Release a draft: from then on it may not change."""
    from service.cli import prompts as command

    return command.release(settings(context).settings, reference)
