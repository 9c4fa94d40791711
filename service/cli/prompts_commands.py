"""The commands of `precis prompts`, as the command line takes them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from service.settings import Settings

_STAGES = ("map", "merge", "repair", "conflicts")

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_dev = click.option("--dev", is_flag=True, help="Drafts and edited versions may be used, marked as dirty.")


def _settings(context: click.Context, *, dev: bool = False) -> "Settings":
    from service.cli import settings

    return settings(context, prompts_dev=dev or None).settings


@click.group("prompts")
def prompts_group() -> None:
    """Versioned prompts."""


@prompts_group.command("list")
@_dev
@_as_json
@click.pass_context
def run_list(context: click.Context, dev: bool, as_json: bool) -> int:
    """List every version with its state and labels."""
    from service.cli import prompts as command

    return command.show_list(_settings(context, dev=dev), as_json=as_json)


@prompts_group.command("show")
@click.argument("reference", metavar="NAME[@REF]")
@click.option("--stage", type=click.Choice(_STAGES), help="Only this stage.")
@_dev
@_as_json
@click.pass_context
def run_show(context: click.Context, reference: str, stage: Any, dev: bool, as_json: bool) -> int:
    """Show the text of a version: NAME, NAME@N, NAME@LABEL or NAME@sha256:HEX."""
    from service.cli import prompts as command

    return command.show(_settings(context, dev=dev), reference, stage, as_json=as_json)


@prompts_group.command("diff")
@click.argument("first", metavar="[NAME@A]")
@click.argument("second", metavar="NAME@B", required=False)
@_dev
@_as_json
@click.pass_context
def run_diff(context: click.Context, first: str, second: str | None, dev: bool, as_json: bool) -> int:
    """Show how NAME@B differs from NAME@A, or from its parent, stage by stage."""
    from service.cli import prompts as command

    return command.diff(_settings(context, dev=dev), first, second, as_json=as_json)


@prompts_group.command("verify")
@_dev
@click.pass_context
def run_verify(context: click.Context, dev: bool) -> int:
    """Check that released versions are as they were released."""
    from service.cli import prompts as command

    return command.verify(_settings(context, dev=dev))


@prompts_group.command("release")
@click.argument("reference", metavar="NAME@N")
@click.pass_context
def run_release(context: click.Context, reference: str) -> int:
    """Release a draft: from then on it may not change."""
    from service.cli import prompts_changing as command

    return command.release(_settings(context), reference)


@prompts_group.command("withdraw")
@click.argument("reference", metavar="NAME@N")
@click.option("--why", required=True, metavar="TEXT", help="The reason, for those who ask for it.")
@click.pass_context
def run_withdraw(context: click.Context, reference: str, why: str) -> int:
    """Withdraw a version: it takes no new summaries, and stays readable."""
    from service.cli import prompts_changing as command

    return command.withdraw(_settings(context), reference, why)


@prompts_group.command("label")
@click.argument("reference", metavar="NAME@N")
@click.argument("label", metavar="LABEL")
@click.option("--why", metavar="TEXT", help="The reason.")
@click.option(
    "--because",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What shows it, such as a comparison in JSON that has the version; its digest is kept.",
)
@click.option("--new", is_flag=True, help="The label is a new one, however close it is to another.")
@click.option("--remove", is_flag=True, help="Remove the label: NAME LABEL --remove --why TEXT.")
@click.pass_context
def run_label(
    context: click.Context,
    reference: str,
    label: str,
    why: str | None,
    because: Path | None,
    new: bool,
    remove: bool,
) -> int:
    """Move a label, such as production, to a released version, or remove it."""
    from service.cli import prompts_changing as command

    if remove and (because or new):
        raise click.UsageError("--remove takes --why TEXT, and neither --because nor --new.")
    if remove:
        return command.remove(_settings(context), reference, label, why=why)
    return command.label(_settings(context), reference, label, why=why, because=because, new=new)


@prompts_group.command("history")
@click.argument("name", required=False)
@_as_json
@click.pass_context
def run_history(context: click.Context, name: str | None, as_json: bool) -> int:
    """Show what was released, withdrawn and labelled, and why."""
    from service.cli import prompts as command

    return command.history(_settings(context), name, as_json=as_json)
