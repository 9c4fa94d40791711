"""`precis compare`: prompt versions over files, or summaries that are there, compared fact by fact; and a gate."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from service import bootstrap, logs, pipeline
from service.adapters.store import StoredComparison
from service.cli import EXIT_ENDPOINT, EXIT_FAILED, exit_code_of, files, progress, stopping
from service.cli.evaluate import reference_of
from service.core import trials
from service.core.comparison import COMPARISON_VERSION, Comparison, Experiment, Outcome, Rules, Trial
from service.core.errors import InvalidRequest, NeedsModel, NothingToRead, TooLarge
from service.core.references import Reference
from service.core.types import Document, Length, Options, Value
from service.experiment import Asked, Experiments
from service.experiment.drawing import check_references, digest, draw
from service.jobs import FINISHED, TENANT
from service.rendering import comparison as reports
from service.rendering.comparison import terminal
from service.settings import Loaded, Settings

GATE_CODES: Mapping[Outcome, int] = {"pass": 0, "regression": 10, "inconclusive": 11, "not_comparable": 12}
_PIPE_WIDTH = 100
_LOOK_S = 0.2
"""Between two looks at how far a comparison is."""


class Arguments(Value, frozen=True, kw_only=True):
    """What the command line said."""

    files: tuple[str, ...]
    prompts: tuple[str, ...]
    summaries: tuple[str, ...]
    again: str | None
    """A comparison in JSON to be drawn again."""
    together: bool
    repeat: int
    references: tuple[str, ...]
    """Folders and files."""
    metric: str | None
    rules: Rules
    length: Length
    model: str | None
    output: tuple[Path, ...]
    as_json: bool
    plan_only: bool
    gate: bool


def run(loaded: Loaded[Settings], arguments: Arguments) -> int:
    """Compare, write the reports and print what came out; returns the exit code."""
    settings = files.impatient(loaded)
    quiet = loaded.origins["log_level"] == "default"
    # what a failed trial came to stands in the report
    logs.configure(level="error" if quiet else settings.log_level, fmt=settings.log_format)
    forms = {output: _form(output) for output in arguments.output}
    for output in arguments.output:
        files.check_folder(output)
    _check(arguments)
    references = tuple(_references(arguments.references))
    stopping.end_at_once(progress.interrupted)
    # each is d1 of a set of its own
    read = files.documents(arguments.files, settings.max_characters) if arguments.files else ()
    documents = [msgspec.structs.replace(document, id="d1") for document in read]
    if arguments.again or arguments.summaries:
        made = _from_files(settings, arguments, documents, references)
    else:
        ran = asyncio.run(_run(settings, arguments, documents, references))
        if isinstance(ran, int):
            return ran
        made = ran
    _write(made, {digest(document): document.text for document in documents}, arguments, forms)
    if arguments.gate:
        files.tell(f"gate: {made.gate.outcome.replace('_', ' ')}")
        return GATE_CODES[made.gate.outcome]
    return EXIT_ENDPOINT if any(trial.result is None for trial in made.trials) else 0


_RUNNING_FLAGS: Mapping[str, Callable[[Arguments], bool]] = {
    "--repeat": lambda given: given.repeat > 1,
    "--together": lambda given: given.together,
    "--plan": lambda given: given.plan_only,
    "--model": lambda given: given.model is not None,
}
"""What says how versions are run, and is no use where none is."""


def _check(arguments: Arguments) -> None:
    """Refuse what does not go together; raises a usage error."""
    if arguments.again and arguments.summaries:
        raise click.UsageError(
            "--from draws a comparison again and --summary compares summaries. Leave one of them out."
        )
    if (arguments.again or arguments.summaries) and arguments.prompts:
        raise click.UsageError("Without new summaries there is nothing to ask a prompt for. Leave --prompts out.")
    if not (arguments.again or arguments.summaries or (arguments.files and arguments.prompts)):
        raise click.UsageError(
            "Name files and prompt versions: precis compare FILE... --prompts news@1,news@2. `precis prompts list` "
            "shows the versions there are."
        )
    if arguments.again or arguments.summaries:
        idle = [flag for flag, given in _RUNNING_FLAGS.items() if given(arguments)]
        if idle:
            raise click.UsageError(f"Nothing is run, so {', '.join(idle)} would do nothing. Leave it out.")
    if arguments.files.count(files.STDIN) > 1:
        raise click.UsageError("Standard input (-) can be read only once.")


def _form(output: Path) -> reports.Form:
    found = reports.form_by_ending(output.suffix.lower())
    if found is None:
        endings = ", ".join(sorted(reports.ENDINGS))
        raise click.UsageError(f"--out {output}: a comparison is written as {endings}, not {output.suffix or 'that'}.")
    return found


# --- running ---------------------------------------------------------------------------------------------------------


async def _run(
    settings: Settings, arguments: Arguments, documents: Sequence[Document], references: tuple[Reference, ...]
) -> Comparison | int:
    """The comparison, or an exit code where there is none to show."""
    asked = Asked(
        prompts=arguments.prompts,
        model=arguments.model,
        options=Options(length=arguments.length),
        repetitions=arguments.repeat,
        metric=arguments.metric,
        rules=arguments.rules,
        references=references,
    )
    sets = _sets(arguments, documents)
    async with bootstrap.open_jobs(settings) as jobs, Experiments(jobs) as experiments:
        if arguments.plan_only or (settings.endpoint_mode != "replay" and jobs.asking is not None):
            await _show_plan(experiments, sets, asked)
        if arguments.plan_only:
            return 0
        accepted = await _accepted(experiments, sets, asked)
        total = len(sets) * len(accepted.experiment.prompts) * asked.repetitions
        with _bar(total, accepted.id) as show:
            stored = accepted
            while stored.status not in FINISHED:
                under_way = experiments.working_on(TENANT, accepted.id)
                stored = await experiments.wait(TENANT, accepted.id, wait_s=_LOOK_S)
                if not under_way and stored.status not in FINISHED:
                    # what became of it could not be written: nothing will change while this process waits
                    files.tell(f"{accepted.id}: what came out could not be stored. See that its disk has room.")
                    return EXIT_FAILED
                progress = await experiments.progress(TENANT, accepted.id)
                show(progress.completed + progress.failed)
        if stored.result is None:
            said = stored.error
            files.tell(f"{accepted.id}: {said.title}. {said.detail}" if said else f"{accepted.id}: {stored.status}")
            return exit_code_of(said.status) if said else EXIT_ENDPOINT
        return stored.result


async def _accepted(
    experiments: Experiments, sets: Sequence[tuple[str, Sequence[Document]]], asked: Asked
) -> StoredComparison:
    try:
        return await experiments.submit(TENANT, sets, asked)
    except (NothingToRead, TooLarge) as error:
        raise files.by_name(error, [name for name, _ in sets]) from error
    except NeedsModel as error:
        raise NeedsModel(
            "Versions of a prompt are compared by asking a model, and no endpoint is configured. Set PRECIS_BASE_URL "
            "and PRECIS_MODEL, or answer from recordings with --replay DIR."
        ) from error


def _sets(arguments: Arguments, documents: Sequence[Document]) -> list[tuple[str, Sequence[Document]]]:
    """Each file by itself, or all of them together."""
    if not arguments.together:
        return [(document.name or document.id, (document,)) for document in documents]
    numbered = [msgspec.structs.replace(document, id=f"d{n}") for n, document in enumerate(documents, 1)]
    return [(f"{len(documents)} documents together", numbered)]


async def _show_plan(experiments: Experiments, sets: Sequence[tuple[str, Sequence[Document]]], asked: Asked) -> None:
    plans = await experiments.plan(sets, asked)
    calls, sent = sum(plan.calls for plan in plans), sum(plan.prompt_tokens for plan in plans)
    answered = sum(plan.completion_tokens for plan in plans)
    costs = [plan.cost for plan in plans]
    known = [cost for cost in costs if cost is not None]
    cost = f", cost at most {sum(known):.4f}" if len(known) == len(costs) else ", cost unknown (no prices are set)"
    files.tell(
        f"plan: {len(plans)} trials, about {calls} calls, {sent:,} tokens in, at most {answered:,} out{cost}. "
        "What was asked before is not paid again; repairs may add calls."
    )


@contextmanager
def _bar(total: int, comparison: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; elsewhere a line at the start and one at the end."""
    if not sys.stderr.isatty():
        files.tell(f"{comparison}: {total} trials ...")
        yield lambda _done: None
        files.tell(f"{comparison}: done")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True))
    with progress.standing(bar):
        task = bar.add_task(f"{comparison}: trials", total=total)
        yield lambda done: bar.update(task, completed=done)


# --- without a call --------------------------------------------------------------------------------------------------


def _from_files(
    settings: Settings, arguments: Arguments, documents: Sequence[Document], references: tuple[Reference, ...]
) -> Comparison:
    """A comparison of what is there already: of summaries, or one that is drawn again."""
    experiment, found = _drawn_before(arguments.again) if arguments.again else _of_summaries(arguments.summaries)
    experiment = msgspec.structs.replace(
        experiment,
        # where references are new, the rule says what it is about
        metric=arguments.metric or (None if references else experiment.metric),
        rules=arguments.rules if arguments.rules != Rules() else experiment.rules,
        references=references or experiment.references,
    )
    check_references(experiment.references, experiment.sets, documents)
    trials.check_quotes(found, {digest(document): document.text for document in documents})
    sources = pipeline.read(documents, bootstrap.tools(settings))
    try:
        return draw(experiment, found, sources, bootstrap.load_prompts(settings).catalogue)
    except (OverflowError, ValueError) as error:
        raise InvalidRequest(f"A number in these results is beyond what is calculated with: {error}.") from error


class _Answered(msgspec.Struct):
    """What tells the resource of the API from a comparison itself."""

    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def _drawn_before(file: str) -> tuple[Experiment, tuple[Trial, ...]]:
    name = files.shown_name(file)
    wrong = f"{name}: this is no comparison as `precis compare --json` prints it"
    sent = files.content(file)
    answered = files.decoded(sent, _Answered, wrong)
    # as the API answers it, or the comparison itself
    inner = bytes(answered.result) if isinstance(answered.result, msgspec.Raw) else sent
    made = files.decoded(inner, Comparison, wrong)
    if made.schema_version != COMPARISON_VERSION:
        raise InvalidRequest(
            f"{name}: this has schema version {made.schema_version!r}; {COMPARISON_VERSION} is what this version of "
            "precis reads. Compare again."
        )
    prompts = tuple(version.id for version in made.versions)
    experiment = Experiment(
        sets=made.sets,
        prompts=prompts,
        metric=made.primary_metric,
        rules=made.rules,
        references=made.references,
    )
    return experiment, made.trials


def _of_summaries(names: Sequence[str]) -> tuple[Experiment, tuple[Trial, ...]]:
    existing = [
        trials.Existing(name=Path(name).name, result=result)
        for name in names
        for result in files.results(files.content(name), files.shown_name(name))
    ]
    found = trials.assembled(existing)
    return Experiment(sets=found.sets), found.trials


# --- references ------------------------------------------------------------------------------------------------------


def _references(names: Sequence[str]) -> Iterator[Reference]:
    """Those in files, and in the JSON files of folders; raises InvalidRequest for a file that is none."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(path.glob("*.json"))
            if not inside:
                raise click.UsageError(f"--reference {name}: there is no .json file in that folder.")
            yield from (reference_of(str(one)) for one in inside)
        else:
            yield reference_of(name)


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(
    made: Comparison, texts: Mapping[str, str], arguments: Arguments, forms: Mapping[Path, reports.Form]
) -> None:
    for output, form in forms.items():
        files.save(output, reports.render(form, made, texts))
    if arguments.as_json:
        # bytes, as JSON is UTF-8 whatever the terminal says
        click.echo(reports.render("json", made, texts).encode(), nl=False)
    else:
        terminal.render(made, Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False))
