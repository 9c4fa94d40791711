"""Settings come from four places, in one order, and a mistake in any of them stops start-up."""

import re
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from rich.pretty import pretty_repr

from service.core.errors import BadSettings
from service.settings import Configured, Settings, describe, load, render
from service.settings.fields import default_database_url
from service.settings.loading import MASK


class WithKey(Configured, frozen=True, kw_only=True):
    """Settings with a secret among them."""

    api_key: Annotated[str | None, Meta(description="A key.", extra={"secret": True})] = None

    pin: Annotated[int, Meta(ge=1000, le=9999, description="A number.", extra={"secret": True})] = 1234

    base_url: Annotated[str, Meta(description="An address.")] = "http://127.0.0.1"


def written(path: Path, text: str) -> Path:
    """Write a file and give its path back."""
    path.write_text(text, encoding="utf-8")
    return path


def problems(**environ: str) -> str:
    """Return what the settings say to an environment."""
    with pytest.raises(BadSettings) as raised:
        load(Settings, environ=environ)
    return raised.value.detail


@pytest.mark.parametrize(("given", "value"), [("true", True), ("1", True), ("False", False), ("0", False), ("", False)])
def test_a_switch_is_true_or_false(given: str, value: bool) -> None:
    """As a word or a digit, whatever its case; it is shown as it is written."""
    loaded = load(Settings, environ={"PRECIS_PROMPTS_DEV": given})
    assert loaded.settings.prompts_dev is value
    (row,) = (row for row in render(loaded) if row.name == "prompts_dev")
    assert row.value == str(value).lower()
    assert "prompts_dev is 'perhaps' (environment PRECIS_PROMPTS_DEV); what fits is true or false." in problems(
        PRECIS_PROMPTS_DEV="perhaps"
    )


def test_nothing_given_gives_the_defaults() -> None:
    """Without flags, environment and files every field has its default, and says so."""
    loaded = load(Settings, environ={})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.settings.database_url == default_database_url()
    assert re.fullmatch(r"sqlite:///.+/precis\.db", loaded.settings.database_url)


def test_a_flag_beats_the_environment_beats_dotenv_beats_the_file(tmp_path: Path) -> None:
    """Each place overrides those after it, and the origin names the place that won."""
    file = written(tmp_path / "precis.toml", 'port = 1\nconcurrency = 1\nmax_documents = 1\nhost = "file"\n')
    dotenv = written(tmp_path / ".env", "PRECIS_PORT=2\nPRECIS_CONCURRENCY=2\nPRECIS_MAX_DOCUMENTS=2\n")
    environ = {"PRECIS_PORT": "3", "PRECIS_CONCURRENCY": "3"}
    loaded = load(Settings, environ=environ, flags={"port": 4, "host": None}, dotenv=dotenv, file=file)
    settings = loaded.settings
    assert (settings.port, settings.concurrency, settings.max_documents, settings.host) == (4, 3, 2, "file")
    assert loaded.origins["port"] == "flag --port"
    assert loaded.origins["concurrency"] == "environment PRECIS_CONCURRENCY"
    assert loaded.origins["max_documents"] == f"{dotenv} PRECIS_MAX_DOCUMENTS"
    assert loaded.origins["host"] == str(file)
    assert loaded.origins["wait_s"] == "default"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """Compose files pass empty variables for what was left out, known or not."""
    dotenv = written(tmp_path / ".env", "PRECIS_HOST=\nPRECIS_ENCODING\n")
    loaded = load(Settings, environ={"PRECIS_PORT": "", "PRECIS_OLD": ""}, dotenv=dotenv)
    assert loaded.settings == Settings()
    assert loaded.origins["port"] == "default"


def test_an_empty_variable_does_not_hide_the_file(tmp_path: Path) -> None:
    """Not set means not set: the next place is asked."""
    file = written(tmp_path / "precis.toml", "port = 80\n")
    assert load(Settings, environ={"PRECIS_PORT": ""}, file=file).settings.port == 80


def test_names_without_the_prefix_are_somebody_elses(tmp_path: Path) -> None:
    """The environment and `.env` are shared with other programs."""
    dotenv = written(tmp_path / ".env", "COMPOSE_PROJECT_NAME=x\nOPENAI_KEY=y\n")
    assert load(Settings, environ={"PORT": "1", "precis_port": "2"}, dotenv=dotenv).settings == Settings()


def test_dotenv_values_are_not_interpolated(tmp_path: Path) -> None:
    """A dollar sign in a password is a dollar sign."""
    dotenv = written(tmp_path / ".env", "export PRECIS_DATABASE_URL='sqlite:///${HOME}.db'\n")
    assert load(Settings, environ={}, dotenv=dotenv).settings.database_url == "sqlite:///${HOME}.db"


def test_a_byte_order_mark_hides_nothing(tmp_path: Path) -> None:
    """Editors that write a byte order mark do not lose the first line."""
    dotenv = written(tmp_path / ".env", "\ufeffPRECIS_PORT=81\n")
    file = written(tmp_path / "precis.toml", "\ufeffconcurrency = 2\n")
    settings = load(Settings, environ={}, dotenv=dotenv, file=file).settings
    assert (settings.port, settings.concurrency) == (81, 2)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("PRECIS_PORTT", "PRECIS_PORT"),
        ("PRECIS_port", "PRECIS_PORT"),
        ("PRECIS_DATABASE", "PRECIS_DATABASE_URL"),
        ("PRECIS_WAIT", "PRECIS_WAIT_S"),
        ("PRECIS_LOGLEVEL", "PRECIS_LOG_LEVEL"),
        ("PRECIS_MAX_DOCS", "PRECIS_MAX_DOCUMENTS"),
        ("PRECIS_PORT_FILE", "PRECIS_PORT"),
        ("PRECIS_CONFIG_FILE", "PRECIS_CONFIG"),
    ],
)
def test_an_unknown_variable_is_answered_with_the_nearest(wrong: str, right: str) -> None:
    """A mistyped variable is named with its place and the name that was meant."""
    assert f"{wrong} (environment) is not a setting; did you mean {right}?" in problems(**{wrong: "1"})


def test_an_unknown_variable_like_no_other_points_to_the_list() -> None:
    """Where nothing is near, no name is made up."""
    said = problems(PRECIS_XYZZY="1")
    assert "did you mean" not in said
    assert "`precis config`" in said


def test_the_value_of_an_unknown_variable_is_not_shown() -> None:
    """A key under a mistyped name stays a secret."""
    assert "hunter2" not in problems(PRECIS_API_KEI="hunter2")


def test_unknown_names_are_found_in_every_place(tmp_path: Path) -> None:
    """`.env`, the file and the flags are held to the same names as the environment."""
    dotenv = written(tmp_path / ".env", "PRECIS_PORTT=1\n")
    file = written(tmp_path / "precis.toml", 'PRECIS_HOST = "x"\n[chunk_token]\nx = 1\n')
    with pytest.raises(BadSettings) as raised:
        load(Settings, environ={}, flags={"log_levels": "info"}, dotenv=dotenv, file=file)
    said = raised.value.detail
    assert f"PRECIS_PORTT ({dotenv}) is not a setting; did you mean PRECIS_PORT?" in said
    assert f"PRECIS_HOST ({file}) is not a setting; did you mean host?" in said
    assert f"chunk_token ({file}) is not a setting; did you mean chunk_tokens?" in said
    assert "--log-levels (flag) is not a setting; did you mean --log-level?" in said


@pytest.mark.parametrize(
    ("variable", "value", "fits"),
    [
        ("PRECIS_PORT", "99999", "a whole number from 1 to 65535"),
        ("PRECIS_PORT", "http", "a whole number from 1 to 65535"),
        ("PRECIS_CONCURRENCY", "0", "a whole number of at least 1"),
        ("PRECIS_CHUNK_TOKENS", "255", "a whole number of at least 256"),
        ("PRECIS_WAIT_S", "61", "a number from 0 to 60"),
        ("PRECIS_WAIT_S", "nan", "a number from 0 to 60"),
        ("PRECIS_DRAIN_S", "inf", "a number from 0 to 3600"),
        ("PRECIS_OUTAGE_S", "-1", "a number from 0 to 86400"),
        ("PRECIS_LOG_LEVEL", "loud", "one of debug, error, info, warning"),
    ],
)
def test_a_value_that_does_not_fit_is_shown_with_what_fits(variable: str, value: str, fits: str) -> None:
    """The message names the variable, its place, its value and what would be right."""
    name = variable.removeprefix("PRECIS_").lower()
    assert f"{name} is {value!r} (environment {variable}); what fits is {fits}." in problems(**{variable: value})


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Nobody starts a service five times to learn of five mistakes."""
    file = written(tmp_path / "precis.toml", 'port = "80"\nhots = "x"\n')
    with pytest.raises(BadSettings) as raised:
        load(Settings, environ={"PRECIS_WAIT_S": "soon", "PRECIS_PORTT": "1"}, file=file)
    assert {error.pointer for error in raised.value.errors} == {
        "PRECIS_PORTT",
        "hots",
        "PRECIS_PORT",
        "PRECIS_WAIT_S",
    }
    assert all(error.detail in raised.value.detail for error in raised.value.errors)


def test_toml_knows_numbers_from_text(tmp_path: Path) -> None:
    """A number in quotes is a mistake in TOML; a whole number is fine where a number is asked for."""
    good = written(tmp_path / "good.toml", "wait_s = 5\n")
    bad = written(tmp_path / "bad.toml", 'wait_s = "5"\nhost = ["x"]\n')
    assert load(Settings, environ={}, file=good).settings.wait_s == 5
    with pytest.raises(BadSettings, match="wait_s is '5'") as raised:
        load(Settings, environ={}, file=bad)
    assert "host is list" in raised.value.detail


def test_an_overridden_value_is_not_judged(tmp_path: Path) -> None:
    """Only the value that counts has to fit."""
    file = written(tmp_path / "precis.toml", "port = 0\n")
    assert load(Settings, environ={"PRECIS_PORT": "80"}, file=file).settings.port == 80


def test_the_default_file_may_be_missing(tmp_path: Path) -> None:
    """A `precis.toml` and a `.env` are read where they are, and not asked for where they are not."""
    loaded = load(Settings, environ={}, dotenv=tmp_path / ".env", file=tmp_path / "precis.toml")
    assert loaded.settings == Settings()


def test_a_named_file_replaces_the_default_one(tmp_path: Path) -> None:
    """`--config` goes before `PRECIS_CONFIG`, that before `.env`, that before `precis.toml`."""
    paths = [str(written(tmp_path / f"{port}.toml", f"port = {port}\n")) for port in (1, 2, 3, 4)]
    dotenv = written(tmp_path / ".env", f"PRECIS_CONFIG={paths[2]}\n")
    default = Path(paths[3])
    environ = {"PRECIS_CONFIG": paths[1]}
    by_flag = load(Settings, environ=environ, flags={"config": Path(paths[0])}, dotenv=dotenv, file=default)
    by_environment = load(Settings, environ=environ, flags={"config": None}, dotenv=dotenv, file=default)
    by_dotenv = load(Settings, environ={}, dotenv=dotenv, file=default)
    by_default = load(Settings, environ={}, file=default)
    assert [loaded.settings.port for loaded in (by_flag, by_environment, by_dotenv, by_default)] == [1, 2, 3, 4]


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """Somebody who names a file wants it read."""
    gone = tmp_path / "gone.toml"
    said = problems(PRECIS_CONFIG=str(gone))
    assert str(gone) in said
    assert "environment PRECIS_CONFIG" in said


def test_broken_files_are_named(tmp_path: Path) -> None:
    """A file that is not TOML or not UTF-8 is a problem like any other."""
    file = written(tmp_path / "precis.toml", "port 80\n")
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"PRECIS_HOST=\xff\n")
    with pytest.raises(BadSettings) as raised:
        load(Settings, environ={}, dotenv=dotenv, file=file)
    assert f"{file} is not TOML: " in raised.value.detail
    assert f"{dotenv} cannot be read: it is not UTF-8" in raised.value.detail


def test_one_fault_is_one_line_and_several_are_a_list() -> None:
    """Whoever reads the last line of a log finds what is wrong in it."""
    assert problems(PRECIS_PORT="0").startswith("The service does not start: port is '0' (environment PRECIS_PORT); ")
    assert "\n" not in problems(PRECIS_PORT="0")
    several = problems(PRECIS_PORT="0", PRECIS_PROMT="x")
    assert [line[:4] for line in several.splitlines()[1:]] == ["  - "] * 2


def test_a_file_that_cannot_be_read_is_said_with_what_to_do(tmp_path: Path) -> None:
    """One that is missing is put there; one in a container's folder of secrets belongs into that of Compose."""
    gone = str(tmp_path / "gone")
    said = problems(PRECIS_API_KEY_FILE=gone)
    assert f"{gone} cannot be read: it is not there; put it there, or correct environment PRECIS_API_KEY_FILE." in said
    assert "Compose" not in said
    said = problems(PRECIS_API_KEY_FILE="/run/secrets/gone")
    assert "put it there (with Compose, in the folder `secrets` beside docker-compose.yml), or correct" in said
    assert "cannot be read: Is a directory; correct the file" in problems(PRECIS_API_KEY_FILE=str(tmp_path))


def test_a_folder_that_may_not_be_looked_into_holds_no_file_of_settings(tmp_path: Path) -> None:
    """It is another user's, such as that of a volume; only a file that was named has to be there."""
    unseen = tmp_path / ("x" * 300) / "precis.toml"
    assert load(Settings, environ={}, file=unseen).settings.port == 8000
    assert "cannot be read" in problems(PRECIS_CONFIG=str(unseen))


def test_a_secret_can_be_read_from_a_file(tmp_path: Path) -> None:
    """The line end that editors leave behind is not part of the secret; the origin names the variable."""
    key = written(tmp_path / "key", "s3cret \n")
    loaded = load(WithKey, environ={"PRECIS_API_KEY_FILE": str(key)})
    assert loaded.settings.api_key == "s3cret "
    assert loaded.origins["api_key"] == "environment PRECIS_API_KEY_FILE"


def test_a_missing_or_empty_secret_file_stops_start_up(tmp_path: Path) -> None:
    """An empty key would fail much later, at the endpoint."""
    gone, empty = tmp_path / "gone", written(tmp_path / "empty", "\n")
    with pytest.raises(BadSettings, match=re.escape(str(gone))):
        load(WithKey, environ={"PRECIS_API_KEY_FILE": str(gone)})
    with pytest.raises(BadSettings, match=f"{re.escape(str(empty))} is empty"):
        load(WithKey, environ={"PRECIS_API_KEY_FILE": str(empty)})


def test_a_secret_and_its_file_exclude_each_other(tmp_path: Path) -> None:
    """Which of two keys was meant is not guessed, wherever they stand."""
    key = written(tmp_path / "key", "s3cret\n")
    both = {"PRECIS_API_KEY": "other", "PRECIS_API_KEY_FILE": str(key)}
    dotenv = written(tmp_path / ".env", "PRECIS_API_KEY=other\n")
    with pytest.raises(BadSettings, match="PRECIS_API_KEY and PRECIS_API_KEY_FILE are both set"):
        load(WithKey, environ=both)
    with pytest.raises(BadSettings, match="are both set"):
        load(WithKey, environ={"PRECIS_API_KEY_FILE": str(key)}, dotenv=dotenv)
    assert load(WithKey, environ={**both, "PRECIS_API_KEY": ""}).settings.api_key == "s3cret"


def test_only_secrets_have_a_file_variant() -> None:
    """A `_FILE` behind the name of a plain setting is a mistake."""
    with pytest.raises(BadSettings, match=r"PRECIS_BASE_URL_FILE \(environment\) is not a setting"):
        load(WithKey, environ={"PRECIS_BASE_URL_FILE": "x"})


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6))
def test_a_secret_is_never_shown(secret: str) -> None:
    """Not in a repr, not by rich, not in the rows of `precis config`, not in a message."""
    key = f"sk-{secret}"
    loaded = load(WithKey, environ={"PRECIS_API_KEY": key})
    with pytest.raises(BadSettings) as raised:
        load(WithKey, environ={"PRECIS_PIN": key})
    shown = [repr(loaded), pretty_repr(loaded), repr(render(loaded)), raised.value.detail, repr(raised.value)]
    assert loaded.settings.api_key == key
    assert not [text for text in shown if key in text]
    assert all(MASK in text for text in shown)


def test_a_secret_that_is_not_set_is_shown_as_not_set() -> None:
    """A mask over nothing would look like a key."""
    values = {row.name: row.value for row in render(load(WithKey, environ={}))}
    assert values == {"api_key": "not set", "pin": MASK, "base_url": "http://127.0.0.1"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:pass@db:5432/precis", "postgresql://me:****@db:5432/precis"),
        ("postgresql://me:p@ss:/w?rd@db/precis", "postgresql://me:****@db/precis"),
        ("postgresql://:pass@db/precis", "postgresql://:****@db/precis"),
        ("postgresql://db/precis?user=me&password=pass&sslmode=require", None),
        ("postgresql://me@db:5432/precis", "postgresql://me@db:5432/precis"),
        ("sqlite:////var/lib/precis.db", "sqlite:////var/lib/precis.db"),
    ],
)
def test_the_password_in_an_address_is_masked(url: str, shown: str | None) -> None:
    """The rest of the address stays readable."""
    loaded = load(Settings, environ={"PRECIS_DATABASE_URL": url})
    row = render(loaded)[0]
    assert loaded.settings.database_url == url
    assert row.value == (shown or "postgresql://db/precis?user=me&password=****&sslmode=require")
    assert "pass@" not in repr(loaded)


def test_rows_show_value_origin_and_description() -> None:
    """What `precis config` prints is every setting in order."""
    rows = render(load(Settings, environ={"PRECIS_PORT": "8080"}))
    port = next(row for row in rows if row.name == "port")
    assert [row.name for row in rows] == [field.name for field in describe(Settings)]
    assert (port.value, port.origin) == ("8080", "environment PRECIS_PORT")
    assert port.description == "Port the server listens on."


def test_every_setting_is_described() -> None:
    """Each field has a sentence about it, a variable and a default that is the same on every machine."""
    fields = describe(Settings)
    assert [field.name for field in fields] == list(Settings.__struct_fields__)
    assert all(field.description.endswith(".") for field in fields)
    assert all(field.variable == f"PRECIS_{field.name.upper()}" for field in fields)
    assert [field.name for field in fields if field.secret] == ["api_key", "endpoint_headers"]
    assert fields[0].default == "precis.db in the user's data folder"


@given(st.integers(1, 65_535), st.floats(0, 60), st.integers(1))
def test_values_in_range_arrive_unchanged(port: int, wait_s: float, concurrency: int) -> None:
    """Text in the environment and typed flags end as the same settings."""
    environ = {"PRECIS_PORT": str(port), "PRECIS_WAIT_S": repr(wait_s), "PRECIS_CONCURRENCY": str(concurrency)}
    flags = {"port": port, "wait_s": wait_s, "concurrency": concurrency}
    assert load(Settings, environ=environ).settings == load(Settings, environ={}, flags=flags).settings


def test_the_variables_of_openai_stand_in_for_ours() -> None:
    """OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL are read, but ours go before them."""
    environ = {"OPENAI_BASE_URL": "http://a/v1", "OPENAI_API_KEY": "k", "OPENAI_MODEL": "m", "PRECIS_MODEL": "n"}
    loaded = load(Settings, environ=environ)
    assert (loaded.settings.base_url, loaded.settings.api_key, loaded.settings.model) == ("http://a/v1", "k", "n")
    assert loaded.origins["base_url"] == "environment OPENAI_BASE_URL"
    assert loaded.origins["model"] == "environment PRECIS_MODEL"
