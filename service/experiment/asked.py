"""What a caller wants compared, and whether that can be."""

from math import inf

from service.core import catalogue, scoring
from service.core.comparing import FEWEST_VERSIONS
from service.core.comparison import Rules
from service.core.errors import FieldError, InvalidRequest
from service.core.references import Reference
from service.core.types import Conditions, Options, Value

MOST_REPETITIONS = 10
MOST_TRIALS = 2000
"""Of one comparison; each is a summary with its calls."""


class Asked(Value, frozen=True, kw_only=True):
    """What a caller wants compared, and how."""

    prompts: tuple[str, ...] = ()
    """References; the first is the baseline."""
    model: str | None = None
    options: Options = Options()
    repetitions: int = 1
    metric: str | None = None
    rules: Rules = Rules()
    references: tuple[Reference, ...] = ()


def versions(asked: Asked, there_are: catalogue.Catalogue) -> list[catalogue.Resolved]:
    """The versions that are to be compared; raises InvalidRequest and NotFound."""
    found = [catalogue.resolve(one, there_are, withdrawn_too=True) for one in asked.prompts]
    ids = [one.version.id for one in found]
    twice = [name for at, name in enumerate(ids) if name in ids[:at]]
    if twice:
        fault = FieldError("/prompts", f"{twice[0]} more than once")
        raise InvalidRequest(
            f"{twice[0]} is named twice. To see how far it differs from itself, ask for repetitions.",
            errors=(fault,),
        )
    if len(found) < FEWEST_VERSIONS:
        fault = FieldError("/prompts", "at least two")
        raise InvalidRequest("Name two prompt versions or more, the baseline first.", errors=(fault,))
    return found


def check(asked: Asked, trials_once: int) -> None:
    """Refuse what does not fit, with so many trials for each repetition; raises InvalidRequest."""
    if not 1 <= asked.repetitions <= MOST_REPETITIONS:
        fault = FieldError("/repetitions", f"1 to {MOST_REPETITIONS}")
        raise InvalidRequest(f"{asked.repetitions} repetitions do not fit.", errors=(fault,))
    if trials_once == 0:
        raise InvalidRequest("There is nothing to compare.", errors=(FieldError("", "give documents or summaries"),))
    if trials_once * asked.repetitions > MOST_TRIALS:
        fault = FieldError("", f"at most {MOST_TRIALS:,} trials")
        raise InvalidRequest(
            f"{trials_once * asked.repetitions:,} trials (documents x versions x repetitions) are over the limit "
            f"of {MOST_TRIALS:,} a comparison. Compare fewer documents at a time.",
            errors=(fault,),
        )
    if asked.metric is not None:
        scoring.check_metrics([asked.metric], "/metric")
    scoring.check_metrics(asked.rules.margins)
    bounds = (*asked.rules.margins.values(), asked.rules.max_words, asked.rules.max_cost, asked.rules.max_latency_s)
    if not all(bound is None or 0 <= bound < inf for bound in bounds):
        fault = FieldError("/gate", "numbers from 0 up")
        raise InvalidRequest("A margin or budget of the gate is no number from 0 up.", errors=(fault,))


def conditions(asked: Asked, named: catalogue.Resolved) -> Conditions:
    """How the trials of a version are made."""
    # a summary with gaps would be compared as if its text were shorter
    return Conditions(prompt=named.version.id, label=named.label, model=asked.model, strict=True)
