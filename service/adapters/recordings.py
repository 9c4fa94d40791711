"""Recorded traffic with an endpoint: a transport that writes it down, and one that replays it without a network.

One JSON file a request, `<folder>/<prompt>@<version>/<key>-<repetition>.json`, with no request headers in it. How the
endpoint was addressed when it was recorded stands in `<folder>/endpoint.json`, so that a folder alone is enough to ask
the same questions again.
"""

import asyncio
import base64
import difflib
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import msgspec

from service.core.errors import BadSettings, PrecisError, RecordingMissing
from service.core.types import Value
from service.core.wire import Profile, request_key

ENDPOINT_FILE = "endpoint.json"
REPETITION_HEADER = "X-Repetition"
_UNNAMED = "unnamed@0"
_KEPT = re.compile(r"content-type|retry-after.*|x-ratelimit-.*")
_FOLDER = re.compile(r"[\w.-]+@[\w.+-]+")
_MOST_CANDIDATES = 40
_RECORD = "ask again where the endpoint can be reached, with --record"
_MOST_DIFF_LINES = 60
_MUCH_ALIKE = 0.8
"""Share of lines in common from which a request is shown as another one changed, and not as one of its own."""
_MOST_DIFF_WIDTH = 200


class EndpointRecord(Value, frozen=True, kw_only=True):
    """How an endpoint was addressed when it was recorded: what shapes requests, apart from what is asked."""

    model: str
    profile: Profile
    slots: int
    context_window: int | None


class Asked(Value, frozen=True, kw_only=True):
    """The request of a recording."""

    method: str
    path: str
    body: dict[str, object]


class Replied(Value, frozen=True, kw_only=True):
    """The reply of a recording."""

    status: int
    headers: dict[str, str]
    chunks: list[str | dict[str, str]]
    """As they came; a chunk that is no UTF-8 is `{"base64": ...}`."""


class Recording(Value, frozen=True, kw_only=True):
    """One request and its reply."""

    key: str
    repetition: int
    stage: str
    request: Asked
    response: Replied


class About(Value, frozen=True, kw_only=True):
    """What a request says of itself in its `recording` extension."""

    prompt: str = _UNNAMED
    """Name and version."""
    stage: str = ""
    repetition: int = 0
    path: str | None = None
    """Under the base URL; the key is made with it. The path of the URL where it is missing."""


# --- recording -------------------------------------------------------------------------------------------------------


class RecordingTransport(httpx.AsyncBaseTransport):
    """Writes down every successful reply to a request that has a `recording` extension.

    Args:
        inner: sends the requests.
        folder: that the files go into; it is made when it is missing.
        secrets: a reply that repeats one of them, as errors do that come under a 200, is not written down.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, folder: Path, *, secrets: Sequence[str] = ()) -> None:
        self._inner = inner
        self._folder = folder
        self._secrets = tuple(secret.encode() for secret in secrets)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its reply is kept once it was read to its end."""
        about = _about(request)
        if about is None:
            return await self._inner.handle_async_request(request)
        content = await request.aread()
        asked = _asked(request, content, about)
        headers = httpx.Headers(request.headers)
        headers[REPETITION_HEADER] = str(about.repetition)
        response = await self._inner.handle_async_request(
            httpx.Request(request.method, request.url, headers=headers, content=content, extensions=request.extensions)
        )
        if not response.is_success:
            return response
        kept = {name.lower(): value for name, value in response.headers.items() if _KEPT.fullmatch(name.lower())}
        key = request_key(asked.method, asked.path, asked.body)
        path = _file(self._folder, about, key)

        def keep(chunks: Sequence[bytes]) -> None:
            if any(secret in b"".join(chunks) for secret in self._secrets):
                return
            replied = Replied(status=response.status_code, headers=kept, chunks=[_as_text(chunk) for chunk in chunks])
            recording = Recording(
                key=key, repetition=about.repetition, stage=about.stage, request=asked, response=replied
            )
            _write(path, recording)

        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Kept(response, keep=keep),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


class _Kept(httpx.AsyncByteStream):
    """Passes a reply on and hands all of it over when it has ended; a reply that was left before is not kept."""

    def __init__(self, response: httpx.Response, *, keep: Callable[[Sequence[bytes]], None]) -> None:
        self._response = response
        self._keep = keep

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: list[bytes] = []
        async for chunk in self._response.aiter_raw():
            chunks.append(chunk)
            yield chunk
        await asyncio.to_thread(self._keep, chunks)

    async def aclose(self) -> None:
        """Close the reply."""
        await self._response.aclose()


# --- replaying -------------------------------------------------------------------------------------------------------


class ReplayTransport(httpx.AsyncBaseTransport):
    """Answers requests from recordings, and no others; nothing goes out to a network.

    `used` names the files that were served, so that a suite can fail on those that no test needs.

    Args:
        folder: that the files are in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.used: set[Path] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve the recorded reply.

        Raises:
            RecordingMissing: there is none; the message has a diff against the nearest.
        """
        about = _about(request)
        if about is None:
            raise RecordingMissing(
                f"{request.method} {request.url.path} is not recorded, and a replay goes out to no network. "
                "Ask it of a real endpoint: set PRECIS_ENDPOINT_MODE=live."
            )
        asked = _asked(request, await request.aread(), about)
        path, recording = await asyncio.to_thread(self._find, asked, about)
        self.used.add(path)
        replied = recording.response
        # limits of the day it was recorded are not served: a replay has nobody to wait for
        headers = {name: value for name, value in replied.headers.items() if name == "content-type"}
        return httpx.Response(replied.status, headers=headers, stream=_Replayed(replied.chunks))

    def unused(self) -> frozenset[Path]:
        """Name the recordings that were not served."""
        return frozenset(_recordings(self._folder)) - self.used

    def _find(self, asked: Asked, about: About) -> tuple[Path, Recording]:
        key = request_key(asked.method, asked.path, asked.body)
        path = _file(self._folder, about, key)
        if not path.exists():
            raise RecordingMissing(_missing(self._folder, asked, about, key))
        return path, read_recording(path)


class _Replayed(httpx.AsyncByteStream):
    """The chunks of a recorded reply."""

    def __init__(self, chunks: Iterable[str | dict[str, str]]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk.encode() if isinstance(chunk, str) else base64.b64decode(chunk["base64"])


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        RecordingMissing: the file is damaged, or was edited so that its key and name are not those of its request.
    """
    try:
        recording = msgspec.json.decode(path.read_bytes(), type=Recording)
        for chunk in recording.response.chunks:
            if not isinstance(chunk, str):
                base64.b64decode(chunk["base64"], validate=True)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, KeyError, ValueError, RecursionError) as error:
        raise RecordingMissing(
            f"The recording {path} cannot be read: {type(error).__name__}. Restore it, or delete it and " + _RECORD
        ) from error
    asked = recording.request
    derived = request_key(asked.method, asked.path, asked.body)
    if derived != recording.key or path.name != f"{recording.key}-{recording.repetition}.json":
        raise RecordingMissing(
            f"The recording {path} does not fit its request: by its body the key is {derived[:12]}, the file says "
            f"{recording.key[:12]}-{recording.repetition}. Recordings are not edited: restore it, or delete it and "
            + _RECORD
        )
    return recording


# --- the endpoint of a folder ----------------------------------------------------------------------------------------


def load_endpoint(folder: Path) -> EndpointRecord | None:
    """Read how the endpoint was addressed; None where the folder does not say.

    Raises:
        BadSettings: the file is damaged.
    """
    path = folder / ENDPOINT_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=EndpointRecord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} cannot be read: {error}. Restore it, or {_RECORD}") from error


def save_endpoint(folder: Path, record: EndpointRecord) -> None:
    """Write how the endpoint is addressed.

    Raises:
        BadSettings: the folder cannot be written.
    """
    _write(folder / ENDPOINT_FILE, record)


# --- misses ----------------------------------------------------------------------------------------------------------


def _missing(folder: Path, asked: Asked, about: About, key: str) -> str:
    """Say which recording is missing, and how the request differs from the nearest one there is."""
    head = f"There is no recording {key[:12]}-{about.repetition} for {about.prompt}, stage {about.stage or 'unknown'}"
    wanted = readable(asked.body)
    nearest = _nearest(folder, about, wanted)
    if nearest is None:
        return f"{head}, nor any other of that prompt and stage in {folder}; {_RECORD}"
    recording = read_recording(nearest)
    if recording.key == key:
        return f"{head}; repetition {recording.repetition} of it is there; {_RECORD}"
    had = readable(recording.request.body)
    if difflib.SequenceMatcher(a=had, b=wanted, autojunk=False).ratio() < _MUCH_ALIKE:
        return f"{head}, nor one of a request much like it: other texts or options were recorded; {_RECORD}"
    changes = difflib.unified_diff(had, wanted, fromfile=nearest.name, tofile="this request", lineterm="", n=1)
    material = _material(had) | _material(wanted)
    lines = [
        f"{line[0]}(a line of the material)"
        if line[1:] in material
        else line[:_MOST_DIFF_WIDTH] + "…" * (len(line) > _MOST_DIFF_WIDTH)
        for line in changes
    ]
    rest = len(lines) - _MOST_DIFF_LINES
    shown = "\n".join([*lines[:_MOST_DIFF_LINES], *([f"... and {rest} lines more"] if rest > 0 else [])])
    return f"{head}. The nearest differs so:\n{shown}\nIf that is meant, {_RECORD}"


def _material(lines: Sequence[str]) -> frozenset[str]:
    """Lines between delimiters: what a message may not repeat, since it goes into answers and logs."""
    found: set[str] = set()
    inside = False
    for line in lines:
        if line.startswith("<<<"):
            inside = not line.startswith("<<<END")
        elif inside:
            found.add(line)
    return frozenset(found)


def _nearest(folder: Path, about: About, wanted: Sequence[str]) -> Path | None:
    """Find the recording of the same prompt and stage whose request is most like this one."""
    best: tuple[float, Path] | None = None
    matcher = difflib.SequenceMatcher(a=(), b=wanted, autojunk=False)
    of_stage = (
        (path, recording)
        for path in _recordings(folder / about.prompt)
        if (recording := _readable_recording(path)) is not None and recording.stage == about.stage
    )
    for _, (path, recording) in zip(range(_MOST_CANDIDATES), of_stage, strict=False):
        matcher.set_seq1(readable(recording.request.body))
        if best is None or (matcher.real_quick_ratio() > best[0] and matcher.ratio() > best[0]):
            best = (matcher.ratio(), path)
    return best[1] if best is not None else None


def readable(body: Mapping[str, object]) -> list[str]:
    r"""Print the body of a request so that a diff can be read: the lines of its messages as lines, then the rest.

    >>> readable({"model": "m", "messages": [{"role": "user", "content": "One\nTwo"}]})
    ['--- user', 'One', 'Two', '---', '{', '  "model": "m"', '}']
    """
    messages = body.get("messages")
    lines: list[str] = []
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            lines += [f"--- {message.get('role')}", *str(message.get("content")).split("\n")]
    rest = {name: value for name, value in body.items() if name != "messages"}
    return [*lines, "---", *_pretty(rest).splitlines()]


# --- files -----------------------------------------------------------------------------------------------------------


def _about(request: httpx.Request) -> About | None:
    said = request.extensions.get("recording")
    if said is None:
        return None
    about = msgspec.convert(said, About)
    if not _FOLDER.fullmatch(about.prompt):
        raise BadSettings(f"Nothing can be recorded for {about.prompt!r}: name a prompt and its version, as in news@1.")
    return about


def _asked(request: httpx.Request, content: bytes, about: About) -> Asked:
    body = msgspec.json.decode(content, type=dict[str, object])
    return Asked(method=request.method, path=about.path or request.url.path, body=body)


def _file(folder: Path, about: About, key: str) -> Path:
    return folder / about.prompt / f"{key}-{about.repetition}.json"


def _recordings(folder: Path) -> Iterator[Path]:
    """Give the files of all recordings below a folder, in order."""
    return (path for path in sorted(folder.rglob("*-*.json")) if path.name != ENDPOINT_FILE)


def _readable_recording(path: Path) -> Recording | None:
    """Read a recording, or pass over one that is damaged: it is the miss that is told about here."""
    try:
        return read_recording(path)
    except PrecisError:
        return None


def _as_text(chunk: bytes) -> str | dict[str, str]:
    try:
        return chunk.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(chunk).decode()}


def _pretty(value: object) -> str:
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False)


def _write(path: Path, value: msgspec.Struct) -> None:
    """Write a file in one go: it is there whole, or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(_pretty(msgspec.to_builtins(value)) + "\n")
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadSettings(f"{path} cannot be written: {error.strerror}. Name a folder that can be.") from error
