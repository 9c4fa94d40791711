"""What an endpoint was found to take, by base URL and model."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from service.core.types import Value
from service.core.wire import RUNGS, Profile

RUNG_S = 3600.0
"""How long a lower rung is remembered: endpoints are updated, and the best rung is worth another try."""
_RUNGS_KEPT = 1024


class Peer(Value, frozen=True, kw_only=True):
    """An endpoint and a model on it."""

    base_url: str
    """As configured, without user and password."""
    model: str


class _Known(msgspec.Struct, kw_only=True):
    """What is known of a peer."""

    profile: Profile
    window: int | None = None
    forget_rung_at: float | None = None
    answered: int = 0
    """At this rung."""
    invalid: int = 0
    """Of those, the ones that did not validate."""


class Memory:
    """Profiles and context windows of the peers of one process."""

    def __init__(self, *, clock: Callable[[], float], rung_s: float = RUNG_S) -> None:
        self._clock = clock
        self._rung_s = rung_s
        self._known: dict[Peer, _Known] = {}
        self._rungs: dict[str, Profile] = {}

    def profile(self, peer: Peer, start: Profile) -> Profile:
        """Give what a peer is sent now; `start` where nothing is known."""
        known = self._known.setdefault(peer, _Known(profile=start))
        if known.forget_rung_at is not None and self._clock() >= known.forget_rung_at:
            known.profile = replace(known.profile, rung=start.rung)
            known.forget_rung_at, known.answered, known.invalid = None, 0, 0
        return known.profile

    def learn(self, peer: Peer, profile: Profile) -> None:
        """Remember what a peer takes; a lower rung for a while only."""
        known = self._known.setdefault(peer, _Known(profile=profile))
        if profile.rung != known.profile.rung:
            known.forget_rung_at = self._clock() + self._rung_s
            known.answered = known.invalid = 0
        known.profile = profile

    def window(self, peer: Peer) -> int | None:
        """Give the context window of a peer in tokens, where it is known."""
        known = self._known.get(peer)
        return known.window if known is not None else None

    def learn_window(self, peer: Peer, window: int, start: Profile) -> None:
        """Remember the context window of a peer."""
        self._known.setdefault(peer, _Known(profile=start)).window = window

    def answered(self, peer: Peer, question: str, profile: Profile) -> None:
        """Note that a question, by its key, was answered at the rung of a profile."""
        self._rungs.pop(question, None)
        self._rungs[question] = profile
        while len(self._rungs) > _RUNGS_KEPT:
            del self._rungs[next(iter(self._rungs))]
        known = self._known.get(peer)
        if known is not None and known.profile.rung == profile.rung:
            known.answered += 1

    def invalid(self, peer: Peer, question: str) -> None:
        """Note that the answer to a question did not validate.

        A rung at which more than half of the answers do not validate is left for the next one down. Answers that were
        given at another rung than today's say nothing about today's.
        """
        profile = self._rungs.pop(question, None)
        known = self._known.get(peer)
        if profile is None or known is None or profile.rung != known.profile.rung:
            return
        known.invalid += 1
        below = RUNGS[RUNGS.index(profile.rung) + 1 :]
        if below and known.invalid * 2 > known.answered:
            self.learn(peer, replace(known.profile, rung=below[0]))
