"""One object is read out of an answer, strictly, or the answer is refused with the place of its first flaw."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.errors import MalformedCompletion
from service.core.strict_json import count_replacements, parse_json, strip_reasoning

FENCE = "```"
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8")),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)
objects = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), values, max_size=4)


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": 1}',
        '\ufeff{"a": 1}',
        '\n\n  {"a": 1}\r\n',
        f'{FENCE}json\n{{"a": 1}}\n{FENCE}',
        f'{FENCE}\n{{"a": 1}}\n{FENCE}',
        f'Here you are,\n{FENCE}json\n{{"a": 1}}\n{FENCE}\nAnything else?',
        'The answer: {"a": 1} Done.',
        '<think>first {"b": 2} then</think>{"a": 1}',
        '<think>one</think>\n<THINK>two</THINK>\n{"a": 1}',
        '\ufeff\n<think>\n</think>\n\n{"a": 1}',
        'hm, maybe {"b": 2}, no.</think>\n{"a": 1}',
        'hm, {a set}.</think> {"a": 1}',
        f'<think>hm</think>{FENCE}json\n{{"a": 1}}\n{FENCE}',
    ],
)
def test_one_object_is_found_whatever_is_around_it(answer: str) -> None:
    """A BOM, blanks, prose, fences and thoughts are passed over."""
    assert parse_json(answer) == {"a": 1}


@pytest.mark.parametrize("quoted", ["<think>x</think>", "</think>", "```", "} {", "[", "NaN", "\\ud83d\\ude80"])
@pytest.mark.parametrize("form", ['{{"a": "{}"}}', '```json\n{{"a": "{}"}}\n```', 'Here: {{"a": "{}"}}'])
def test_what_stands_in_a_string_is_only_a_string(quoted: str, form: str) -> None:
    """A quotation may speak of tags, fences and braces."""
    assert parse_json(form.format(quoted)) == json.loads(f'{{"a": "{quoted}"}}')


@pytest.mark.parametrize(
    ("answer", "reason", "place"),
    [
        ("", "no object", (1, 1)),
        ("I cannot help with that.", "no object", (1, 1)),
        ("<think>hm {", "no object", (1, 12)),
        ('"a"', "no object", (1, 1)),
        ("[1, 2]", "no object", (1, 1)),
        ('[{"a": 1}]', "a list", (1, 1)),
        ('["x", {"a": 1}', "a list", (1, 1)),
        ('```json\n[{"a": 1}]\n```', "a list", (1, 1)),
        ('{"a": 1}]', "a piece", (1, 9)),
        ('"p": {"a": 1}}', "a piece", (1, 14)),
        ('{"a": 1}\n{"b": 2}', "more than one", (2, 1)),
        ('{"a": [{"b": 1}, {"c"', "expecting", (1, 22)),
        ('{"a": [{"b": 1}, ', "expecting", (1, 18)),
        ('{"a": "cut', "unterminated", (1, 7)),
        ("{'a': 1}", "expecting property name", (1, 2)),
        ('{"a": 1,}', "expecting|illegal", None),
        ('{"a": "line\nbreak"}', "invalid control character", (1, 12)),
        ('{"a": "\\x"}', "invalid", (1, 8)),
        ('{"a": 1,\n "b": NaN}', "infinity", (2, 7)),
        ('{"a": Infinity}', "infinity", (1, 7)),
        ('{"a": -Infinity}', "infinity", (1, 7)),
        ('{"a": "NaN", "b": [1e999]}', "too large", (1, 20)),
        ('{"a": -1e999}', "too large", (1, 7)),
        ('{"a": 1' + "0" * 5_000 + "}", "too large", (1, 7)),
        ('{"a": 1, "a": 2}', "twice", (1, 10)),
        ('{"b": {"a": 1},\n "c": [{"a": "a", "\\u0061" : 2}]}', "twice", (2, 19)),
        ('{"a": "\\ud83d"}', "surrogate", (1, 7)),
        ('{"\\udc00": 1}', "surrogate", (1, 2)),
        ('{"a": "\ud83d"}', "surrogate", (1, 7)),
        ('{"a": ' + "[" * 100_000, "deep", (1, 1)),
        ('{"a":' * 300 + "1" + "}" * 300, "deep", (1, 1)),
    ],
)
def test_what_is_not_strict_json_is_refused_with_its_place(
    answer: str, reason: str, place: tuple[int, int] | None
) -> None:
    """NaN, infinity, 1e999, keys twice, halves of characters, deep nests, several objects and cut ones are refused."""
    with pytest.raises(MalformedCompletion, match=reason) as caught:
        parse_json(answer)
    if place is not None:
        assert f"(line {place[0]}, column {place[1]})" in caught.value.detail


@given(st.text(st.characters(codec="utf-8", min_codepoint=0x3040, max_codepoint=0x30FF), min_size=1, max_size=6))
def test_no_refusal_quotes_the_answer(secret: str) -> None:
    """What a model wrote may be the article's own text: it is not said again."""
    for answer in (
        f"{secret}",
        f'{{"{secret}": 1, "{secret}": 2}}',
        f'{{"a": "{secret}\\x"}}',
        f'{{"a": {secret}}}',
        f'{{"{secret}": NaN}}',
        f'{{"a": "{secret}',
    ):
        with pytest.raises(MalformedCompletion) as caught:
            parse_json(answer)
        assert caught.value.detail.isascii(), caught.value.detail


@given(objects, st.sampled_from(["{}", "\ufeff{}", "<think>a {{</think>{}", "```json\n{}\n```", "So: {}\nEnd."]))
def test_every_object_is_read_as_it_was_written(value: dict[str, object], form: str) -> None:
    """Nothing is lost or changed by the strictness."""
    assert parse_json(form.replace("{{", "(").replace("{}", json.dumps(value))) == value
    assert parse_json(json.dumps(value, ensure_ascii=False)) == value


@given(objects, st.data())
def test_a_cut_object_is_never_an_answer(value: dict[str, object], data: st.DataObject) -> None:
    """Not even where whole objects stand inside of what is left."""
    whole = json.dumps({"points": [value, {"a": 1}]})
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedCompletion):
        parse_json(whole[:cut])


@settings(max_examples=1_000)
@given(
    st.one_of(
        st.text(),
        st.text(st.sampled_from('{}[]",:\\ue1-N<>think/ \n`\ud83d\ufeff')),
        st.lists(
            st.sampled_from(["<think>", "</think>", "{", "}", '"', '{"a":1}', ":", "NaN", "1e999", "\\ud8", " "])
        ).map("".join),
    )
)
def test_any_text_is_an_object_or_refused(answer: str) -> None:
    """No text at all raises anything else."""
    try:
        value = parse_json(answer)
    except MalformedCompletion as error:
        refusal = error.detail
    else:
        assert isinstance(value, dict)
        refusal = f"{len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())} bytes (line 1, column 1)"
    assert re.search(r"\(line \d+, column \d+\)", refusal)


def test_large_odd_answers_are_refused_in_one_pass() -> None:
    """A megabyte of braces, tags, blanks or escapes is no work for minutes; the test would not end if it were."""
    for odd in ("{", "</think>{", "<think>", "[", '{"a":', '"\\ud800"', " ", "<think></think>", '{"a":NaN,', "{}"):
        with pytest.raises(MalformedCompletion):
            parse_json(odd * (1_000_000 // len(odd)))
    keys = ",".join(f'"{number}":"x"' for number in range(100_000))
    with pytest.raises(MalformedCompletion, match="twice"):
        parse_json(f'{{{keys},"7":1}}')


def test_replaced_characters_are_counted() -> None:
    """U+FFFD says that something was lost on the way; keys count too."""
    assert count_replacements(parse_json('{"a\ufffd": ["\\ufffd\ufffd", {"b": "ok"}]}')) == 3
    assert count_replacements(parse_json('{"a": 1}')) == 0


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("<think>a</think>b", "b"),
        ("a</think> b", "b"),
        ("<think>a", ""),
        ("  b", "b"),
        ('{"a": "</think>"}', '{"a": "</think>"}'),
        ("", ""),
    ],
)
def test_thoughts_are_stripped_and_quotations_stay(answer: str, left: str) -> None:
    """What is left is the answer, or nothing."""
    assert strip_reasoning(answer) == left
