"""The endpoint and the articles of the trial by kills: what is drawn is drawn again the same."""

import os
from pathlib import Path

import httpx
import pytest
from articles import AGAIN, article, is_long
from flaky import FAULTS, PATH, Fault, Flaky, Journal, headline
from journals import calls_in
from lives import endpoint
from writing import SHORT

from service.core.wire import request_key

KEYS = [f"{number:x}" for number in range(4_000)]


def drawn(folder: Path, *, seed: int, keys: list[str], share: float = 0.05) -> list[Fault | None]:
    """The faults of calls for these keys, in order."""
    flaky = Flaky(Journal(Path(os.devnull)), seed=seed, share=share, delays_s=(0.0, 0.0))
    return [flaky.fault(key)[0] for key in keys]


def test_faults_are_drawn_by_the_seed(tmp_path: Path) -> None:
    """Of whatever order the calls come in; another seed draws others."""
    there, back = drawn(tmp_path, seed=1, keys=KEYS), drawn(tmp_path, seed=1, keys=KEYS[::-1])
    assert there == back[::-1]
    assert there != drawn(tmp_path, seed=2, keys=KEYS)


def test_one_call_in_twenty_has_a_fault_and_every_kind_comes(tmp_path: Path) -> None:
    """Of 4,000 calls, 150 to 250."""
    found = [fault for fault in drawn(tmp_path, seed=1, keys=KEYS) if fault]
    assert 150 < len(found) < 250
    assert set(found) == set(FAULTS)


def test_a_request_never_fails_twice_in_a_row(tmp_path: Path) -> None:
    """Even where every call has a fault."""
    found = drawn(tmp_path, seed=1, keys=["1"] * 6, share=1.0)
    assert [fault is None for fault in found] == [False, True] * 3


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_every_call_is_in_the_journal_with_what_was_sent(tmp_path: Path) -> None:
    """Also one that got no answer, or half of one; the key is the service's own."""
    journal = tmp_path / "calls"
    seen: list[tuple[str, int, str]] = []
    with endpoint(journal, seed=3, faults=1.0, delays_s=(0.0, 0.0)) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", trust_env=False) as client:
            for number in range(40):
                content = f"<<<DOCUMENT {number}\n[1] {SHORT}"
                body: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": content}]}
                seen.append((request_key("POST", PATH, body), *await _asked(client, body)))
    calls = calls_in(journal)
    assert [call.key for call in calls] == [key for key, *_ in seen]
    for call, (_, status, text) in zip(calls, seen, strict=True):
        assert call.status == status or (call.status == 200 and call.sent)  # reset after it was sent
        assert ("data: [DONE]" in text) <= call.sent
    assert {call.status for call in calls} == {0, 200, 429, 500, 503}


async def _asked(client: httpx.AsyncClient, body: dict[str, object]) -> tuple[int, str]:
    """The status and text that come of a call; 0 where none does."""
    status, text = 0, b""
    try:
        async with client.stream("POST", PATH, json=body) as answer:
            status = answer.status_code
            async for piece in answer.aiter_raw():
                text += piece
    except httpx.TransportError:
        pass
    return status, text.decode()


def test_calls_are_told_apart_by_their_headlines() -> None:
    """And none has a digit in it."""
    found = [headline(call) for call in range(1, 2_000)]
    assert len(set(found)) == len(found)
    assert not any(character.isdigit() for line in found for character in line)


def test_articles_differ_but_for_those_that_come_again() -> None:
    """One in ten is an earlier one; one in nine has many sentences."""
    found = [article(number) for number in range(400)]
    new = [text for number, text in enumerate(found) if number % AGAIN != AGAIN - 1]
    assert len(set(new)) == len(new)
    assert set(found) == set(new)
    assert min(len(found[number]) for number in range(400) if is_long(number) and number % AGAIN != AGAIN - 1) > 2_000
