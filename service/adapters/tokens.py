"""Token counts from the vocabularies that come with the package; nothing is ever fetched."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import tiktoken
from numpy.typing import NDArray

from service.core.chunking import CLEAN_CUT
from service.core.errors import BadSettings, InternalError

Encoding = Literal["cl100k_base", "o200k_base"]

VOCABULARIES: Final = Path(__file__).parent.parent / "_data" / "tokens"
WINDOW_CHARACTERS: Final = 100_000
"""Most that is encoded at once: a run of a million spaces makes the tokenizer panic."""

_LOOK_BACK_CHARACTERS: Final = 2_000
_UNSETTLED_CHARACTERS: Final = 500
_CONTINUATION: Final = 0b10
"""The two high bits of every byte of a character in UTF-8 but its first."""
_NO_TOKENS: Final = np.empty(0, dtype=np.uint32)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    file: str
    """SHA-1 of the address it was published at: the name by which tiktoken finds it."""
    sha256: str


_VOCABULARIES: Final[dict[str, _Vocabulary]] = {
    "cl100k_base": _Vocabulary(
        file="9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": _Vocabulary(
        file="fb374d419588a4632f3f557e76b4b70aebbca790",
        sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Counts and borders of tokens in one encoding; may be used from several threads.

    Special tokens such as `<|endoftext|>` are ordinary text. A lone surrogate counts as U+FFFD.
    """

    encoding: str
    encode: Callable[[str], NDArray[np.uint32]]
    """Token numbers of a text of at most `WINDOW_CHARACTERS`."""
    begun: NDArray[np.int16]
    """By token number: how many characters begin in the token."""
    inside: NDArray[np.bool_]
    """By token number: whether the token starts inside a character."""

    def count(self, text: str) -> int:
        """How many tokens a text has.

        Raises:
            InternalError: the tokenizer panicked.
        """
        return sum(len(numbers) for numbers in self._windows(text))

    def ends(self, text: str) -> NDArray[np.int64]:
        """For each token in order, the number of characters begun by its end; negative if the last is unfinished.

        So a positive number is an offset at which the text can be cut without cutting a token or a character.

        Raises:
            InternalError: the tokenizer panicked.
        """
        windows = list(self._windows(text))
        return self._ends(windows[0] if len(windows) == 1 else np.concatenate([_NO_TOKENS, *windows]))

    def _ends(self, numbers: NDArray[np.uint32]) -> NDArray[np.int64]:
        ends = np.cumsum(self.begun[numbers], dtype=np.int64)
        np.negative(ends[:-1], out=ends[:-1], where=self.inside[numbers[1:]])
        return ends

    def _windows(self, text: str) -> Iterator[NDArray[np.uint32]]:
        """The tokens of a text, window by window, cut where that changes none of them."""
        start = 0
        while len(text) - start > WINDOW_CHARACTERS:
            end = start + WINDOW_CHARACTERS
            cut = None
            for match in CLEAN_CUT.finditer(text, end - _LOOK_BACK_CHARACTERS, end):
                cut = match.start()
            numbers = self._encode(text[start : cut or end])
            if cut is None:
                # The last tokens are those of a text that stops here; those well before are the same in a text that
                # goes on. So the next window starts at a border among the latter.
                ends = self._ends(numbers)
                settled = np.flatnonzero((ends > 0) & (ends <= WINDOW_CHARACTERS - _UNSETTLED_CHARACTERS))[-1:]
                for last in settled.tolist():
                    numbers, cut = numbers[: last + 1], start + int(ends[last])
            yield numbers
            start = cut or end
        if start < len(text):
            yield self._encode(text[start:])

    def _encode(self, text: str) -> NDArray[np.uint32]:
        try:
            return self.encode(text)
        except UnicodeEncodeError:
            return self.encode(_SURROGATE.sub("\ufffd", text))
        except BaseException as error:
            # A panic in Rust is no Exception and its class cannot be imported; everything else passes.
            if type(error).__name__ != "PanicException":
                raise
            raise InternalError(
                f"The {self.encoding} tokenizer panicked on {len(text)} characters, so they could not be counted."
                " Report it with the text; the other encoding may do."
            ) from error


def load(encoding: str = "o200k_base") -> Tokens:
    """Load an encoding; takes 200 to 600 ms, so call it at start-up and in a thread.

    Raises:
        BadSettings: no such encoding, or its vocabulary is missing or damaged.
    """
    # tiktoken knows no other way to be told where its files are, and reads this once it needs one. An empty value would
    # make it fetch.
    if not os.environ.get("TIKTOKEN_CACHE_DIR"):
        os.environ["TIKTOKEN_CACHE_DIR"] = str(VOCABULARIES)
    verify(encoding, Path(os.environ["TIKTOKEN_CACHE_DIR"]))
    encoder = tiktoken.get_encoding(encoding)
    spelled = encoder.decode_tokens_bytes(range(len(encoder.token_byte_values())))
    data = np.frombuffer(b"".join(spelled), dtype=np.uint8)
    lengths = np.fromiter(map(len, spelled), np.int64, len(spelled))
    starts = np.cumsum(lengths) - lengths
    begins = (data >> 6) != _CONTINUATION
    return Tokens(
        encoding=encoding,
        encode=lambda text: encoder.encode_to_numpy(text, disallowed_special=()),
        begun=np.add.reduceat(begins, starts, dtype=np.int16),
        inside=~begins[starts],
    )


def verify(encoding: str, folder: Path) -> None:
    """Compare a vocabulary with its digest: tiktoken deletes a file that differs, and fetches one that is missing.

    Raises:
        BadSettings: no such encoding, or its vocabulary is missing or damaged.
    """
    vocabulary = _VOCABULARIES.get(encoding)
    if vocabulary is None:
        raise BadSettings(f"There is no encoding {encoding!r}. Choose one of {', '.join(get_args(Encoding))}.")
    file = folder / vocabulary.file
    advice = "Unset TIKTOKEN_CACHE_DIR to use the one that comes with precis, or install precis again."
    try:
        digest = sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise BadSettings(
            f"The vocabulary of {encoding} cannot be read at {file}: {error.strerror}. {advice}"
        ) from error
    if digest != vocabulary.sha256:
        raise BadSettings(
            f"The vocabulary of {encoding} at {file} is damaged: its SHA-256 is {digest}"
            f" instead of {vocabulary.sha256}. {advice}"
        )
