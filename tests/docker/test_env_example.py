"""`.env.example`, which needs no engine to be checked."""

import re
from pathlib import Path

from service.settings import Settings, describe, load

EXAMPLE = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
VARIABLES = dict(re.findall(r"^(?:# ?)?(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
"""Those in comments included."""


def test_the_variables_of_the_example_are_the_settings() -> None:
    """Every setting is shown, and nothing else is."""
    assert sorted(VARIABLES) == sorted(field.variable for field in describe(Settings))


def test_the_values_of_the_example_are_accepted() -> None:
    """Every line can be used as it stands."""
    loaded = load(Settings, environ=VARIABLES)
    given = {name for name, value in VARIABLES.items() if value}
    said = {field.variable for field in describe(Settings) if loaded.origins[field.name] != "default"}
    assert said == given


def test_the_values_of_the_example_are_the_defaults() -> None:
    """What is shown is what holds when nothing is said; only the database is elsewhere on every machine."""
    shown = load(Settings, environ=VARIABLES | {"PRECIS_DATABASE_URL": ""}).settings
    assert shown == Settings()


def test_the_example_sets_nothing_by_itself() -> None:
    """Copied without a change, it leaves every default in place."""
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []
