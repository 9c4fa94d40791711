"""`.env.example`, which needs no engine to be checked."""

import re
from pathlib import Path

from service.settings import Settings, describe, load

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
VARIABLES = dict(re.findall(r"^(?:# ?)?(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
"""Those in comments included."""
OURS = {name: value for name, value in VARIABLES.items() if name.startswith("PRECIS_")}
"""Those that the service reads."""
PREDEFINED = {"COMPOSE_PROFILES"}
"""Those that Compose itself knows."""


def test_the_variables_of_the_example_are_the_settings() -> None:
    """Every setting is shown, a secret also as the name of a file; and nothing else is."""
    files = [f"{field.variable}_FILE" for field in describe(Settings) if field.secret]
    assert sorted(OURS) == sorted([*(field.variable for field in describe(Settings)), *files])


def test_the_other_variables_of_the_example_are_those_of_the_compose_file() -> None:
    """What only Compose reads stands in its file, with the same default, and all of it is shown."""
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE))
    read = {name: value for name, value in defaults.items() if not name.startswith("PRECIS_")}
    assert {name: value for name, value in VARIABLES.items() if name not in OURS | dict.fromkeys(PREDEFINED)} == read
    assert set(VARIABLES) >= PREDEFINED


def test_the_settings_that_the_compose_file_reads_are_settings() -> None:
    """A slip in a name would be an empty value, and nobody would say so."""
    known = {field.variable for field in describe(Settings)}
    known |= {f"{field.variable}_FILE" for field in describe(Settings) if field.secret}
    assert set(re.findall(r"PRECIS_\w+", COMPOSE)) <= known | {"PRECIS_DRAIN_S"}
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) <= set(VARIABLES)


def test_no_variable_is_shown_twice() -> None:
    """The second would win without a word."""
    names = re.findall(r"^(?:# ?)?(\w+)=", EXAMPLE, re.MULTILINE)
    assert len(names) == len(set(names))


def test_the_values_of_the_example_are_accepted() -> None:
    """Every line can be used as it stands."""
    loaded = load(Settings, environ=OURS)
    given = {name for name, value in OURS.items() if value}
    said = {field.variable for field in describe(Settings) if loaded.origins[field.name] != "default"}
    assert said == given


def test_the_values_of_the_example_are_the_defaults() -> None:
    """What is shown is what holds when nothing is said; only the database is elsewhere on every machine."""
    shown = load(Settings, environ=OURS | {"PRECIS_DATABASE_URL": ""}).settings
    assert shown == Settings()


def test_the_example_sets_nothing_by_itself() -> None:
    """Copied without a change, it leaves every default in place."""
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []
