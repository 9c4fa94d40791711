"""How settings are read: from flags, the environment, `.env`, a TOML file and defaults.

A flag goes before the environment, that before `.env`, that before the TOML file, and all before the default. Nothing
is read when this module is imported; the environment is handed in.
"""

import re
import tomllib
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Generic, TypeVar

import msgspec
from dotenv import dotenv_values
from msgspec import inspect
from rapidfuzz import fuzz, process

from service.core.errors import BadSettings, FieldError

PREFIX = "PRECIS_"
CONFIG = "config"
CONFIG_VARIABLE = "PRECIS_CONFIG"
"""The flag and the variable that name the TOML file; not a setting itself."""
MASK = "****"
NOT_SET = "not set"
NEAR_ENOUGH = 60
"""Similarity in per cent from which a name is suggested in place of an unknown one."""
VALUE_SHOWN = 80
"""Characters of a wrong value that a message shows."""
SECRETS = Path("/run/secrets")
"""Where files that hold secrets are in a container."""

_USER_PASSWORD = re.compile(r"(?<=://)([^:/@]*):.*@", re.DOTALL)
_QUERY_PASSWORD = re.compile(r"([?&](?:ssl)?password=)[^&]*", re.IGNORECASE)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know of a setting, apart from its value."""

    name: str
    variable: str
    """The environment variable."""
    fits: str
    """Type and range, in words."""
    default: str
    description: str
    secret: bool
    """Secrets are never shown, and can be read from the file that `<variable>_FILE` names."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as it is shown: secrets are masked."""

    name: str
    value: str
    origin: str
    description: str


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """A struct that `load` can fill: every field has a default and a description, and secrets stay out of its repr.

    A field is secret when it is annotated with `Meta(extra={"secret": True})`. Where a default differs between
    machines, `Meta(extra={"default": "..."})` says it in words.
    """

    def __repr__(self) -> str:
        """Name every field, secrets masked."""
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Give rich the same masked fields; the one of msgspec would show secrets."""
        return [(field.name, _masked(field, getattr(self, field.name))) for field in describe(type(self))]


S = TypeVar("S", bound=Configured)


class Loaded(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """Settings, and for each field where its value came from."""

    settings: S
    origins: Mapping[str, str]


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it was found, not yet checked."""

    value: object
    origin: str
    typed: bool = False
    """Whether the place knows numbers from text, as TOML does and an environment does not."""
    is_path: bool = False
    """Whether the value is the path of a file that holds the value."""


class _Layer(msgspec.Struct, frozen=True, kw_only=True):
    """What one place gives, by field name, and what is wrong there."""

    given: Mapping[str, _Given] = MappingProxyType({})
    problems: tuple[FieldError, ...] = ()


@cache
def describe(struct: type[Configured]) -> tuple[Field, ...]:
    """Return what there is to know of every setting of a struct, in the order of the struct."""
    return tuple(_field(info) for info in msgspec.structs.fields(struct))


def load(
    struct: type[S],
    *,
    environ: Mapping[str, str],
    flags: Mapping[str, object] = MappingProxyType({}),
    dotenv: Path | None = None,
    file: Path | None = None,
) -> Loaded[S]:
    """Fill a struct from flags, the environment, `.env`, a TOML file and its defaults, the first that has a value.

    Empty variables and flags that are `None` count as not given.

    Args:
        struct: the settings to fill.
        environ: the environment; only names that begin with `PRECIS_` are looked at.
        flags: what the command line was given, by field name; `config` names the TOML file.
        dotenv: a file of variables; it may be missing.
        file: the TOML file that is read, where there is one, if neither `--config` nor `PRECIS_CONFIG` names another.

    Raises:
        BadSettings: something is unknown, does not fit or cannot be read; the message lists all that is wrong.
    """
    fields = describe(struct)
    variables, unreadable = _read_dotenv(dotenv)
    environment = {name: value for name, value in environ.items() if value}
    named = (
        _variables_layer(fields, variables, str(dotenv)),
        _variables_layer(fields, environment, "environment"),
        _flags_layer(fields, flags),
    )
    config = _merged(named).get(CONFIG)
    layers = (_fallback_layer(struct, environment), _file_layer(fields, file, config), *named)
    given = _merged(layers)
    problems = [
        *unreadable,
        *(problem for layer in layers for problem in layer.problems),
        *_given_twice(fields, environment.keys() | variables.keys()),
    ]
    types = {info.name: info.type for info in msgspec.structs.fields(struct)}
    values: dict[str, object] = {}
    for field in fields:
        if field.name in given:
            value = _converted(field, types[field.name], given[field.name])
            if isinstance(value, FieldError):
                problems.append(value)
            values[field.name] = value
    if problems:
        raise BadSettings(_all_of(problems), errors=tuple(problems))
    origins = {field.name: given[field.name].origin if field.name in given else "default" for field in fields}
    return Loaded(settings=struct(**values), origins=MappingProxyType(origins))


def render(loaded: Loaded[S]) -> tuple[Row, ...]:
    """Return every setting as it may be shown, in the order of the struct."""
    return tuple(
        Row(
            name=field.name,
            value=_in_words(_masked(field, getattr(loaded.settings, field.name))),
            origin=loaded.origins[field.name],
            description=field.description,
        )
        for field in describe(type(loaded.settings))
    )


# --- fields ----------------------------------------------------------------------------------------------------------


def _field(info: msgspec.structs.FieldInfo) -> Field:
    kind = inspect.type_info(info.type)
    schema: Mapping[str, object] = {}
    extra: Mapping[str, object] = {}
    if isinstance(kind, inspect.Metadata):
        schema, extra, kind = kind.extra_json_schema or {}, kind.extra or {}, kind.type
    return Field(
        name=info.name,
        variable=PREFIX + info.name.upper(),
        fits=_fits(kind),
        default=str(extra.get("default", _in_words(info.default))),
        description=str(schema.get("description", "")),
        secret=bool(extra.get("secret", False)),
    )


def _fits(kind: inspect.Type) -> str:
    """Say in words what a type accepts."""
    match kind:
        case inspect.IntType(ge=least, le=most):
            return "a whole number" + _range(least, most)
        case inspect.FloatType(ge=least, le=most):
            return "a number" + _range(least, most)
        case inspect.StrType(min_length=least):
            return "a text that is not empty" if least else "a text"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case inspect.UnionType(types=kinds):
            return " or ".join(_fits(one) for one in kinds if not isinstance(one, inspect.NoneType))
    raise TypeError(f"{kind!r} has no description yet; give it one in service/settings/loading.py")


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return "" if most is None else f" of at most {most}"
    return f" of at least {least}" if most is None else f" from {least} to {most}"


def _masked(field: Field, value: object) -> object:
    """Return a value without its secrets: a secret that is set, or the password inside an address."""
    if field.secret:
        return MASK if value else value
    return _without_password(value) if isinstance(value, str) else value


def _without_password(text: str) -> str:
    # up to the last "@", since a password that was not escaped may contain one: better too much than a part of it
    return _QUERY_PASSWORD.sub(rf"\1{MASK}", _USER_PASSWORD.sub(rf"\1:{MASK}@", text))


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return NOT_SET if value is None else str(value)


# --- places ----------------------------------------------------------------------------------------------------------


def _read_dotenv(path: Path | None) -> tuple[dict[str, str], tuple[FieldError, ...]]:
    """Return the variables of a file that are not empty, and what kept it from being read."""
    if path is None:
        return {}, ()
    try:
        # utf-8-sig: behind a byte order mark the first name would not begin with the prefix, and pass unseen
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        return {}, (_unreadable(str(path), path, error),)
    return {name: value for name, value in found.items() if value}, ()


def _file_layer(fields: Iterable[Field], default: Path | None, config: _Given | None) -> _Layer:
    path = Path(str(config.value)) if config else default
    if path is None or (config is None and not _is_there(path)):
        return _Layer()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        return _Layer(problems=(FieldError(str(path), f"{path} is not TOML: {error}."),))
    except (OSError, ValueError) as error:
        return _Layer(problems=(_unreadable(config.origin if config else str(path), path, error),))
    return _layer(found, {field.name: field.name for field in fields}, str(path), typed=True)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that this user may not enter, as that of a volume is to whoever `--user` names
        return False


def _variables_layer(fields: Iterable[Field], variables: Mapping[str, str], where: str) -> _Layer:
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX)}
    plain = {field.variable: field.name for field in fields} | {CONFIG_VARIABLE: CONFIG}
    files = {f"{field.variable}_FILE": field.name for field in fields if field.secret}
    return _layer(ours, plain | files, where, files=files)


def _fallback_layer(struct: type[Configured], environment: Mapping[str, str]) -> _Layer:
    """Variables of other programs that stand in for ours: OPENAI_BASE_URL and its like."""
    given: dict[str, _Given] = {}
    for info in msgspec.structs.fields(struct):
        kind = inspect.type_info(info.type)
        extra = kind.extra if isinstance(kind, inspect.Metadata) else None
        name = str((extra or {}).get("fallback", ""))
        if name in environment:
            given[info.name] = _Given(value=environment[name], origin=f"environment {name}")
    return _Layer(given=given)


def _flags_layer(fields: Iterable[Field], flags: Mapping[str, object]) -> _Layer:
    ours = {_flag(name): value for name, value in flags.items() if value is not None}
    return _layer(ours, {_flag(name): name for name in [*(field.name for field in fields), CONFIG]}, "flag")


def _layer(
    found: Mapping[str, object],
    known: Mapping[str, str],
    where: str,
    *,
    typed: bool = False,
    files: Container[str] = (),
) -> _Layer:
    """Sort what a place holds into fields and mistakes; `known` maps the names of that place to those of fields."""
    return _Layer(
        given={
            known[name]: _Given(
                value=value, origin=where if typed else f"{where} {name}", typed=typed, is_path=name in files
            )
            for name, value in found.items()
            if name in known
        },
        problems=tuple(_unknown(name, where, known) for name in found if name not in known),
    )


def _merged(layers: Iterable[_Layer]) -> dict[str, _Given]:
    """Return what is given by field name; later layers go before earlier ones."""
    return {name: given for layer in layers for name, given in layer.given.items()}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


# --- checks ----------------------------------------------------------------------------------------------------------


def _converted(field: Field, kind: object, given: _Given) -> object:
    """Return the value in the type of its field, or what is wrong with it."""
    value = given.value
    if given.is_path:
        path = Path(str(value))
        try:
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            return _unreadable(given.origin, path, error)
        if not value:
            return FieldError(field.variable, f"{given.origin}: {path} is empty; write the value into it.")
    try:
        return msgspec.convert(value, kind, strict=given.typed)
    except msgspec.ValidationError:
        # the message of msgspec is not used: it quotes values, and this one may be secret
        shown = repr(_masked(field, value)) if isinstance(value, str | int | float) else type(value).__name__
        shown = shown if len(shown) <= VALUE_SHOWN else shown[:VALUE_SHOWN] + "…"
        return FieldError(field.variable, f"{field.name} is {shown} ({given.origin}); what fits is {field.fits}.")


def _all_of(problems: Sequence[FieldError]) -> str:
    """Say in one line what is wrong with one setting, and in as many as it takes with several."""
    if len(problems) == 1:
        return f"The service does not start: {problems[0].detail}"
    lines = "".join(f"\n  - {problem.detail}" for problem in problems)
    return f"The service does not start, because its settings do not fit:{lines}"


def _given_twice(fields: Iterable[Field], names: Iterable[str]) -> Iterator[FieldError]:
    for field in fields:
        file = f"{field.variable}_FILE"
        if field.secret and {field.variable, file} <= set(names):
            yield FieldError(field.variable, f"{field.variable} and {file} are both set; keep one of them.")


def _unknown(name: str, where: str, known: Collection[str]) -> FieldError:
    """Say that a name is not a setting. Its value is not shown: it may be a key under a mistyped name."""
    names = {_bare(candidate): candidate for candidate in known}
    without_file = name.removesuffix("_FILE")
    if without_file in known:
        advice = f"did you mean {without_file}? Only secrets are read from files."
        return FieldError(name, f"{name} ({where}) is not a setting; {advice}")
    near = process.extractOne(_bare(name), names.keys(), scorer=fuzz.ratio, score_cutoff=NEAR_ENOUGH)
    advice = f"did you mean {names[near[0]]}?" if near else "remove it, or see `precis config` for those there are."
    return FieldError(name, f"{name} ({where}) is not a setting; {advice}")


def _bare(name: str) -> str:
    # what all names share would make any two of them look alike
    return name.replace("-", "_").strip("_").upper().removeprefix(PREFIX)


def _unreadable(origin: str, path: Path, error: OSError | ValueError) -> FieldError:
    match error:
        case FileNotFoundError():
            why, advice = "it is not there", "put it there"
        case PermissionError():
            why, advice = "that is not permitted", "make it readable for the user that the service runs as"
        case OSError():
            why, advice = str(error.strerror), "correct the file"
        case _:
            why, advice = "it is not UTF-8", "correct the file"
    if SECRETS in path.parents:
        advice += " (with Compose, in the folder `secrets` beside docker-compose.yml)"
    other = "" if origin == str(path) else f", or correct {origin}"
    return FieldError(origin, f"{path} cannot be read: {why}; {advice}{other}.")
