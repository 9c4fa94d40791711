"""What happens, told to whoever watches a summary while it is made; nothing that goes wrong there harms the summary."""

import asyncio
from itertools import count

import structlog

from service.core import grounding, repairing
from service.core.types import Draft, KeyPoint
from service.core.verifying import Examined, key_point
from service.core.watching import PointsStood, Seen, Watch

log = structlog.stdlib.get_logger(__name__)


def tell(watch: Watch, seen: Seen) -> None:
    """Tell what was seen; a watcher that fails is noted in the log."""
    try:
        watch(seen)
    except Exception:
        log.exception("watching_failed", seen=type(seen).__name__)


class Standing:
    """Looks at the points of each part as they come, and tells those that stand in the text.

    Args:
        index: of the sources.
        watch: told of the points, numbered p1, p2 and so on in the order in which they were seen.
    """

    def __init__(self, index: grounding.Index, watch: Watch) -> None:
        self._index = index
        self._watch = watch
        self._numbers = count(1)
        # one part at a time: several threads would only take turns, and make what they search in several times over
        self._looking = asyncio.Lock()

    async def examined(self, draft: Draft) -> tuple[Examined, ...]:
        """What became of the quotes of each point of a part."""
        async with self._looking:
            # a quote that is nowhere takes milliseconds in a long text: not on the event loop
            found, stood = await asyncio.to_thread(self._looked, draft)
        if stood:
            tell(self._watch, PointsStood(points=stood))
        return found

    def _looked(self, draft: Draft) -> tuple[tuple[Examined, ...], tuple[KeyPoint, ...]]:
        found = tuple(repairing.examined(draft.points, self._index))
        stood = tuple(
            key_point(f"p{next(self._numbers)}", point, one.evidence)
            for point, one in zip(draft.points, found, strict=True)
            if one.fault is None
        )
        return found, stood
