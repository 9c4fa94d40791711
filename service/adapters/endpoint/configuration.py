"""What an endpoint is configured with, and what is noted of every request to it."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Protocol

from msgspec.structs import asdict, replace

from service.core.types import Completion, Value
from service.core.wire import DEFAULT, Cap, Profile, Rung, SystemRole

_MASK = "****"
_SECRET = frozenset({"api_key", "headers", "query", "proxy", "base_url"})


class Overrides(Value, frozen=True, kw_only=True):
    """Parts of the profile that are set by hand; what is None is learned from the endpoint."""

    cap: Cap | Literal["none"] | None = None
    """`none` sends no bound on the answer."""
    system_role: SystemRole | None = None
    temperature: bool | None = None
    seed: bool | None = None
    rung: Rung | None = None
    stream: bool | None = None
    stream_usage: bool | None = None

    def applied(self, profile: Profile) -> Profile:
        """Give a profile with what is set by hand in place."""
        given: dict[str, object] = {name: value for name, value in asdict(self).items() if value is not None}
        if given.get("cap") == "none":
            given["cap"] = None
        return replace(profile, **given)


def pinned(profile: Profile) -> Overrides:
    """Set every part of a profile by hand, as a replay does."""
    return Overrides(
        cap=profile.cap or "none",
        system_role=profile.system_role,
        temperature=profile.temperature,
        seed=profile.seed,
        rung=profile.rung,
        stream=profile.stream,
        stream_usage=profile.stream_usage,
    )


class EndpointSettings(Value, frozen=True, kw_only=True):
    """Where the endpoint is, how to get in, and how long to wait for it. Nothing secret is in its repr."""

    base_url: str
    """Such as `https://api.openai.com/v1`."""
    model: str
    api_key: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    """Sent with every request, such as Azure's `api-key`."""
    query: Mapping[str, str] = MappingProxyType({})
    """Added to every URL, such as Azure's `api-version`."""
    proxy: str | None = None
    ca_file: str | None = None
    """PEM file of the authorities that are trusted in place of the usual ones."""
    slots: int = 8
    """Most requests in flight."""
    rpm: int | None = None
    """Most requests in any minute."""
    tpm: int | None = None
    """Most tokens in any minute, those that an answer may take included."""
    context_window: int | None = None
    """In tokens; learned from the endpoint when missing."""
    connect_s: float = 5.0
    write_s: float = 30.0
    silence_s: float = 120.0
    """Longest time between two pieces of a reply."""
    pool_s: float = 5.0
    deadline_s: float = 300.0
    """Wall clock for one request with its whole reply."""
    attempts: int = 4
    patience_s: float = 60.0
    """Longest time in all that one call waits in place where the endpoint asks to wait."""
    outage_s: float = 3600.0
    """Longest time that a call waits for an endpoint that is down, or asks to wait for longer than that; 0 for none."""
    max_reply_bytes: int = 4 * 1024 * 1024
    overrides: Overrides = Overrides()

    def __repr__(self) -> str:
        """Name every field, secrets masked."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Give rich the same masked fields; the one of msgspec would show secrets."""
        return [(name, self._shown(name)) for name in self.__struct_fields__]

    @property
    def start(self) -> Profile:
        """The profile before anything is learned."""
        return self.overrides.applied(DEFAULT)

    def _shown(self, name: str) -> object:
        value = getattr(self, name)
        if name not in _SECRET or not value:
            return value
        if isinstance(value, Mapping):
            return dict.fromkeys(value, _MASK)
        # user and password may stand in a URL
        return _MASK if name == "api_key" or "@" in value else value


class Hold(Protocol):
    """Told when a request waits for the endpoint for long, and when it goes on.

    Every `begin` has its `end`, also where the request is cancelled or fails, and where `begin` itself does. Several
    requests may be held by one; a request whose moment moves begins anew before it ends what it began.
    """

    async def begin(self, until: datetime) -> None:
        """It waits until then at least."""

    async def end(self) -> None:
        """It goes on."""


class Alone(Protocol):
    """What keeps others from asking the same meanwhile; a request that waits for the endpoint lets go of it."""

    @property
    def busy(self) -> bool:
        """Whether somebody asks the same now."""

    def let_go(self) -> None:
        """Let others ask."""

    async def take(self) -> Completion | None:
        """Be the only one who asks, and give what others were answered meanwhile."""


class Attempt(Value, frozen=True, kw_only=True):
    """One request as it is journalled: before it is sent, and again straight after."""

    key: str
    repetition: int
    number: int
    """Counted from 1 within a call."""
    state: Literal["sent", "answered", "failed", "unknown"]
    """`unknown` where a request was sent and it is not known what became of it; a row left at `sent` is one too."""
    status: int | None
    at: datetime
    completion: Completion | None = None
    """What was answered, if it is of use: whoever asked may have been cancelled, and then is not given it."""
