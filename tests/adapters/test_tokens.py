"""Token counts: exact, offline, and whatever the text."""

import re
import threading
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.adapters.tokens import VOCABULARIES, Tokens, load, verify
from service.core.errors import BadSettings, InternalError

ENCODINGS = ("cl100k_base", "o200k_base")
DIGESTS = {
    "9b5ad71b2ce5302211f9c61530b329a4922fc6a4": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "fb374d419588a4632f3f557e76b4b70aebbca790": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
PROSE = "The film, she said, isn't “safe”.\n\nIt cost 1,600 dollars;  nobody’s sure why… Überraschung!\r\n"
ODD = {
    "a million spaces": " " * 1_000_000,
    "line ends only": "\n" * 300_000,
    "one long line": "abcdefghij" * 25_000,
    "digits": "0123456789" * 25_000,
    "emoji": "😀👍🏽👩‍👩‍👧" * 30_000,
    "CJK": "漢字かな交じり文です。" * 20_000,
    "letters that share tokens": "ａ" * 120_000,
    "Arabic digits": "٣١٤" * 40_000,
}


@cache
def loaded(encoding: str) -> Tokens:
    """An encoding, loaded once."""
    return load(encoding)


def reference(encoding: str, text: str) -> list[int]:
    """The offsets at which tokens end, from the bytes that they stand for; 0 where that is inside a character."""
    tokenizer = tiktoken.get_encoding(loaded(encoding).encoding)
    return list(_offsets(tokenizer.decode_tokens_bytes(tokenizer.encode_ordinary(text))))


def _offsets(spelled: list[bytes]) -> Iterator[int]:
    read, characters = b"", 0
    for token in spelled:
        read += token
        try:
            characters += len(read.decode())
        except UnicodeDecodeError:
            yield 0
        else:
            read = b""
            yield characters


@pytest.mark.parametrize("file", sorted(DIGESTS))
def test_the_vocabularies_are_the_published_ones(file: str) -> None:
    """Both files that come with the package have the digest that their publisher states."""
    assert sha256((VOCABULARIES / file).read_bytes()).hexdigest() == DIGESTS[file]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_encoding_loads_with_sockets_blocked(encoding: str, socket_disabled: None) -> None:
    """Nothing is fetched."""
    assert load(encoding).count("hello world") == 2


def test_an_unknown_encoding_is_refused_with_those_there_are() -> None:
    """The message names both encodings."""
    with pytest.raises(BadSettings, match=r"'p50k_base'.*cl100k_base, o200k_base"):
        load("p50k_base")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_missing_vocabulary_is_refused(encoding: str, tmp_path: Path) -> None:
    """It says which file is missing and what to do."""
    with pytest.raises(BadSettings, match=r"No such file.*Unset TIKTOKEN_CACHE_DIR"):
        verify(encoding, tmp_path)


def test_a_damaged_vocabulary_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The file is still there afterwards: the tokenizer, which would delete it, never saw it."""
    file = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
    file.write_bytes(b"damaged")
    with pytest.raises(BadSettings, match="damaged"):
        verify("o200k_base", tmp_path)
    assert file.read_bytes() == b"damaged"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "text", ["", " ", PROSE, "😀👩‍👩‍👧", "ａｂｃ" * 9, "<|endoftext|>", "e\u0301\u200d", "\x00\x1c\u2028", "กำลัง ႃႃႃ"]
)
def test_positive_ends_are_where_tokens_cut_no_character(encoding: str, text: str) -> None:
    """Every token has an end; it is positive, and the offset, exactly where the bytes so far are whole characters."""
    ends = loaded(encoding).ends(text)
    assert np.maximum(ends, 0).tolist() == reference(encoding, text)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text(max_size=60))
def test_any_text_has_as_many_ends_as_tokens(encoding: str, text: str) -> None:
    """Whatever the text, ends describe its tokens."""
    assert np.maximum(loaded(encoding).ends(text), 0).tolist() == reference(encoding, text)
    assert loaded(encoding).count(text) == len(reference(encoding, text))


def test_a_negative_end_counts_the_character_that_it_leaves_unfinished() -> None:
    """A rare emoji takes several tokens: the first of them have begun character 2 and not finished it."""
    *inside, last = loaded("o200k_base").ends("a🫠").tolist()[1:]
    assert set(inside) == {-2}
    assert last == 2


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_windows_change_no_token_of_prose(encoding: str) -> None:
    """A text of several windows has the tokens it has in one piece."""
    text = PROSE * 3_500
    whole = tiktoken.get_encoding(loaded(encoding).encoding).encode_ordinary(text)
    assert len(text) > 300_000
    assert loaded(encoding).count(text) == len(whole)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["one long line", "emoji", "CJK", "digits"])
def test_windows_change_no_token_of_a_line_without_spaces(encoding: str, name: str) -> None:
    """Where there is nowhere to cut, the next window starts at a border that the last one is sure of."""
    whole = tiktoken.get_encoding(loaded(encoding).encoding).encode_ordinary(ODD[name])
    assert loaded(encoding).count(ODD[name]) == len(whole)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", sorted(ODD))
def test_odd_texts_are_described_to_their_end(encoding: str, name: str) -> None:
    """The last token ends where the text does, no token ends before the one before it, and the count agrees."""
    ends = loaded(encoding).ends(ODD[name])
    assert ends[-1] == len(ODD[name])
    assert (np.diff(np.abs(ends)) >= 0).all()
    assert loaded(encoding).count(ODD[name]) == len(ends)


@pytest.mark.parametrize("special", ["<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>"])
def test_special_tokens_are_ordinary_text(special: str) -> None:
    """A text that spells a special token has the tokens of its letters and signs."""
    assert loaded("o200k_base").count(special) > 3
    assert loaded("cl100k_base").count(special) > 3


def test_a_lone_surrogate_counts_as_the_replacement_character() -> None:
    """Such a text is refused elsewhere; counting it neither fails nor moves an offset."""
    tokens = loaded("o200k_base")
    broken = "caf\ud83d \ud83d\ude00 end"
    assert tokens.ends(broken).tolist() == tokens.ends(re.sub("[\ud800-\udfff]", "\ufffd", broken)).tolist()
    assert tokens.ends(broken)[-1] == len(broken)


def test_a_panic_of_the_tokenizer_is_a_named_error_without_the_text() -> None:
    """A panic is a BaseException; it becomes one of our errors, which tells the size and not the words."""

    class PanicException(BaseException):
        """What a panic in Rust raises."""

    def panics(text: str) -> NDArray[np.uint32]:
        raise PanicException(text)

    none = np.empty(0, dtype=np.int16)
    tokens = Tokens(encoding="broken", encode=panics, begun=none, inside=none.astype(np.bool_))
    with pytest.raises(InternalError, match="panicked on 6 characters") as caught:
        tokens.count("secret")
    assert "secret" not in caught.value.detail


def test_an_interrupt_is_not_taken_for_a_panic() -> None:
    """Other exceptions that are no errors pass unchanged."""

    def interrupted(text: str) -> NDArray[np.uint32]:
        raise KeyboardInterrupt

    none = np.empty(0, dtype=np.int16)
    tokens = Tokens(encoding="broken", encode=interrupted, begun=none, inside=none.astype(np.bool_))
    with pytest.raises(KeyboardInterrupt):
        tokens.count("text")


def test_threads_may_share_an_encoding() -> None:
    """Counted side by side, texts have the counts they have one after another."""
    tokens = loaded("o200k_base")
    texts = [PROSE * size for size in range(1, 60)]
    counted: dict[int, int] = {}

    def work(first: int) -> None:
        counted.update({index: tokens.count(texts[index]) for index in range(first, len(texts), 4)})

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [counted[index] for index in range(len(texts))] == [tokens.count(text) for text in texts]
