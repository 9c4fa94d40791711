"""The prompts folder: what loads, what is held against the lock, and what is released."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.adapters.library import load, read_lock, release, survey
from service.core.errors import BadPrompt

PROMPTS = Path(__file__).parents[2] / "prompts"
V1 = (PROMPTS / "news" / "v1.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one version of one prompt, a draft."""
    write(tmp_path, "news/v1.md", V1)
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    """Write a file with its folder."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def refusal(folder: Path, *, dev: bool = False) -> str:
    """Why a folder does not load."""
    with pytest.raises(BadPrompt) as raised:
        load(folder, dev=dev)
    return raised.value.detail


def draft_fault(folder: Path) -> str:
    """What is wrong with the one draft that does not load: it stops what uses drafts, and nothing else."""
    (fault,) = load(folder).faults
    assert fault.draft
    assert refusal(folder, dev=True) == fault.detail
    return fault.detail


def numbers(folder: Path) -> tuple[list[int], list[int]]:
    """Released versions, and drafts."""
    found = load(folder)
    return [one.front.version for one in found.released], [one.front.version for one in found.drafts]


def test_the_prompts_of_the_project_load() -> None:
    """As they are in the folder, with whatever is released."""
    found = load(PROMPTS)
    assert "news" in {one.front.name for one in (*found.released, *found.drafts)}


def test_a_version_is_a_draft_until_it_is_released(folder: Path) -> None:
    """Only the lock makes a version."""
    assert numbers(folder) == ([], [1])
    (draft,) = load(folder).drafts
    release(folder, draft)
    assert numbers(folder) == ([1], [])
    assert read_lock(folder) == {"news": {"1": draft.digest}}
    assert sorted(path.name for path in folder.iterdir()) == ["history.jsonl", "lock.json", "news"]


def test_releasing_keeps_what_is_released_and_is_the_same_twice(folder: Path) -> None:
    """The lock grows, and is written in one way."""
    release(folder, load(folder).drafts[0])
    write(folder, "news/v2.md", V1.replace("version: 1", "version: 2").replace("one JSON object", "a JSON object"))
    second = load(folder).drafts[0]
    release(folder, second)
    before = (folder / "lock.json").read_bytes()
    release(folder, second)
    assert (folder / "lock.json").read_bytes() == before
    assert numbers(folder) == ([1, 2], [])


def test_an_edited_released_version_is_refused_with_both_digests(folder: Path) -> None:
    """One word is enough; the message names the file and says what to do."""
    (old,) = load(folder).drafts
    release(folder, old)
    write(folder, "news/v1.md", V1.replace("You summarise news", "You summarise articles"))
    detail = refusal(folder)
    edited = V1.replace("You summarise news", "You summarise articles")
    (folder / "lock.json").rename(folder / "aside.json")
    (folder / "history.jsonl").unlink()
    write(folder, "news/v1.md", edited)
    (new,) = load(folder).drafts
    assert all(part in detail for part in ("news/v1.md", old.digest[:12], new.digest[:12], "write a new version"))
    assert "Restore it from version control or a backup (only the digest of what was released is kept" in detail


def test_an_edited_version_is_not_released_again(folder: Path) -> None:
    """The lock never changes its mind."""
    (old,) = load(folder).drafts
    write(folder, "news/v1.md", V1.replace("You summarise news", "You summarise articles"))
    (new,) = load(folder).drafts
    release(folder, old)
    with pytest.raises(BadPrompt, match=r"news@1 is released with the digest .* Write a new version"):
        release(folder, new)
    assert read_lock(folder) == {"news": {"1": old.digest}}


def test_why_a_released_version_was_made_may_be_edited(folder: Path) -> None:
    """`change` is for readers, and is not sent."""
    release(folder, load(folder).drafts[0])
    write(folder, "news/v1.md", V1.replace("The plain version", "A plain version"))
    assert numbers(folder) == ([1], [])


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: text + "\n\n"])
def test_line_ends_and_blank_lines_at_the_end_change_nothing(folder: Path, change: Callable[[str], str]) -> None:
    """A checkout on another system is the same version."""
    release(folder, load(folder).drafts[0])
    (folder / "news" / "v1.md").write_bytes(change(V1).encode())
    assert numbers(folder) == ([1], [])


def test_a_released_version_that_is_gone_is_refused(folder: Path) -> None:
    """Results name it, so it stays readable."""
    release(folder, load(folder).drafts[0])
    shutil.rmtree(folder / "news")
    assert "v1.md is gone, but news@1 is released. Restore it from version control or a backup." in refusal(folder)


@pytest.mark.parametrize(
    ("name", "line", "remedy"),
    [
        ("news/v2.md", 3, "write `version: 2`, the number of its file"),
        ("news/version1.md", 3, "give the version another number"),
        ("news/v01.md", 3, "give the version another number"),
        ("other/v1.md", 2, "write `name: other`, the name of its folder"),
    ],
)
def test_a_version_in_the_wrong_place_is_refused(folder: Path, name: str, line: int, remedy: str) -> None:
    """The message names the line of the name or number, where the version belongs, and what to write instead."""
    write(folder, name, V1)
    detail = draft_fault(folder)
    assert f"{folder / name}:{line}: version 1 of news belongs into news/v1.md" in detail
    assert f"Move the file, or {remedy}" in detail


def test_two_versions_never_have_one_number(folder: Path) -> None:
    """Two files that both say version 2 do not load: which of them would news@2 be?"""
    second = V1.replace("version: 1", "version: 2")
    write(folder, "news/v2.md", second)
    write(folder, "news/v3.md", second)
    detail = draft_fault(folder)
    assert f"{folder / 'news/v3.md'}:3: version 2 of news belongs into news/v2.md, which is there as well" in detail
    assert "two versions cannot have one number" in detail
    assert "write `version: 3`" in detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "v2.md:1: there is no front matter"),
        ("name: news\n", "Begin with a line “---”"),
        ("---\nname: news\n", "end it with another"),
        ("---\nname: news\nversion: [\n---\n", "the front matter does not parse"),
        ("---\nname: news\nversion: 2\n---\n", "v2.md:1: the front matter does not fit"),
        (V1.replace("version: 1", "version: 2").replace("{{request}}", "{{wish}}", 1), "{{wish}} is not a variable"),
        (V1.replace("version: 1", "version: two"), "v2.md:3: the front matter does not fit"),
        (V1.replace("version: 1", "version: 2\nversion: 2"), "v2.md:4: `version` stands in line 3 too"),
        (V1.replace("version: 1", "version: 2\ncolour: 2026-13-45"), "month must be in 1..12"),
        (V1.replace("version: 1", "version: 2\ncolour: red"), "v2.md:4: the front matter does not fit"),
        (V1.replace("version: 1", "version: 2").split("## repair system")[0], "“## repair system” is missing. Add it"),
    ],
)
def test_a_file_that_does_not_parse_is_refused_with_its_place(folder: Path, text: str, words: str) -> None:
    """File, line and what to write."""
    write(folder, "news/v2.md", text)
    detail = draft_fault(folder)
    assert str(folder / "news" / "v2.md") in detail
    assert words in detail


def test_lines_are_counted_from_the_start_of_the_file(folder: Path) -> None:
    """Front matter included, so that an editor goes there."""
    lines = V1.replace("version: 1", "version: 2").replace("{{request}}", "{{wish}}", 1).split("\n")
    write(folder, "news/v2.md", "\n".join(lines))
    at = next(number for number, line in enumerate(lines, 1) if "{{wish}}" in line)
    assert f"v2.md:{at}: " in draft_fault(folder)


@pytest.mark.parametrize("change", ['""', '"  "', "|\n\n", '" \\n "'])
def test_a_version_that_does_not_say_what_it_changes_is_refused(folder: Path, change: str) -> None:
    """With file and line, and what to write."""
    lines = [f"change: {change}" if line.startswith("change:") else line for line in V1.split("\n")]
    write(folder, "news/v1.md", "\n".join(lines))
    assert f"{folder / 'news/v1.md'}:5: `change` is empty. Write in a sentence or two" in draft_fault(folder)


@pytest.mark.parametrize(
    ("parent", "says"),
    [
        ("9", "the parent of news@2, 9, is not there. Write one of 1, or null"),
        ("2", "the parent of news@2, 2, is this version itself. Write one of 1, or null"),
        ("-1", "the parent of news@2, -1, is not there"),
    ],
)
def test_a_parent_that_is_not_there_is_refused(folder: Path, parent: str, says: str) -> None:
    """With file and line, and what there is; one that is there and does not load is one all the same."""
    write(folder, "news/v2.md", V1.replace("version: 1", "version: 2").replace("parent: null", f"parent: {parent}"))
    assert f"{folder / 'news/v2.md'}:4: {says}" in draft_fault(folder)
    write(folder, "news/v2.md", V1.replace("version: 1", "version: 2").replace("parent: null", "parent: 1"))
    assert load(folder).faults == ()
    write(folder, "news/v1.md", "")
    assert [fault.file for fault in load(folder).faults] == ["news/v1.md"]


def test_the_only_version_has_no_parent_to_choose(folder: Path) -> None:
    """The message says to write null."""
    write(folder, "news/v1.md", V1.replace("parent: null", "parent: 9"))
    assert draft_fault(folder).endswith("9, is not there. Write `parent: null`.")


def test_a_released_version_that_does_not_parse_stops_the_start(folder: Path) -> None:
    """Unlike a draft; with dev as well, and the digest that it was released with."""
    (old,) = load(folder).drafts
    release(folder, old)
    write(folder, "news/v1.md", "nothing")
    for dev in (False, True):
        detail = refusal(folder, dev=dev)
        assert "v1.md:1: there is no front matter" in detail
        assert f"news@1 is released with the digest {old.digest[:12]}. Restore it from version control" in detail


def test_what_is_released_is_looked_for_in_its_own_place(folder: Path) -> None:
    """Another file that says it is news@1 is a draft in the wrong place, and changes nothing."""
    release(folder, load(folder).drafts[0])
    write(folder, "news/copy.md", V1.replace("You summarise", "You retell"))
    found = load(folder)
    assert [one.id for one in found.released] == ["news@1"]
    assert [(fault.file, fault.draft) for fault in found.faults] == [("news/copy.md", True)]


def test_a_survey_says_everything_that_is_wrong_and_reads_the_rest(folder: Path) -> None:
    """A refusal says the first, how many there are, and where to find the others."""
    release(folder, load(folder).drafts[0])
    write(folder, "news/v2.md", V1.replace("version: 1", "version: 2").replace("one JSON", "a JSON"))
    release(folder, load(folder).drafts[0])
    write(folder, "news/v3.md", "draft")
    write(folder, "news/v4.md", V1.replace("version: 1", "version: 4"))
    write(folder, "news/v2.md", V1.replace("version: 1", "version: 2").replace("one JSON", "2 JSON"))
    (folder / "labels.json").write_text('{"news": {"production": 1, "candidate": 4, "v1": 1}}', encoding="utf-8")
    (folder / "withdrawn.json").write_text("[]", encoding="utf-8")
    with (folder / "history.jsonl").open("a", encoding="utf-8") as history:
        history.write("{\n[]\n")
    found = survey(folder)
    assert [(fault.file, fault.draft) for fault in found.faults] == [
        ("news/v2.md", False),
        ("news/v3.md", True),
        ("history.jsonl", False),
        ("history.jsonl", False),
        ("withdrawn.json", False),
        ("labels.json", False),
        ("labels.json", False),
    ]
    assert ([one.front.version for one in found.released], [one.front.version for one in found.drafts]) == ([1], [4])
    assert found.catalogue.labels == {"news": {"production": 1}}
    assert [event.to for event in found.catalogue.history] == [1, 2]
    assert found.catalogue.broken == {"news": {2: "released", 3: "draft"}}
    assert "There are 6 such faults; `precis prompts verify` says all of them." in refusal(folder)


def test_a_file_that_is_not_utf_8_or_not_a_file_is_refused(folder: Path) -> None:
    """With its name, and not with a traceback."""
    (folder / "news" / "v2.md").write_bytes(b"---\n\xff\n")
    assert "is not UTF-8" in draft_fault(folder)
    (folder / "news" / "v2.md").unlink()
    (folder / "news" / "v2.md").mkdir()
    assert "cannot be read" in draft_fault(folder)


@pytest.mark.parametrize("name", ["/etc", "../x", "", "a/b", "\x00"])
def test_a_lock_opens_nothing_elsewhere(folder: Path, name: str) -> None:
    """What it names is looked up among the files of the folder, and is gone."""
    (folder / "lock.json").write_text(json.dumps({name: {"1": "0"}}), encoding="utf-8")
    assert f"v1.md is gone, but {name}@1 is released" in refusal(folder)


@pytest.mark.parametrize(
    "lock",
    [b"", b"[]", b'{"news": 1}', b'{"news": {"one": "x"}}', b'{"news": {"1": 5}}', b"\xff", b'{"news": {"0": ""}}'],
)
def test_a_lock_that_is_none_is_refused(folder: Path, lock: bytes) -> None:
    """It is the word on what may not change: a broken one is not taken for an empty one."""
    (folder / "lock.json").write_bytes(lock)
    assert "lock.json is not a lock" in refusal(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the setting."""
    assert "PRECIS_PROMPTS_DIR" in refusal(tmp_path / "nowhere")


def test_a_lock_that_cannot_be_written_is_refused(folder: Path) -> None:
    """The message says what to do in a container, and the lock is as it was."""
    (draft,) = load(folder).drafts
    (folder / "lock.part").mkdir()
    with pytest.raises(BadPrompt, match="mount a folder of your own"):
        release(folder, draft)
    assert read_lock(folder) == {}


def test_other_files_are_left_alone(folder: Path) -> None:
    """Readings beside the prompts, labels, and text files are no versions."""
    write(folder, "README.md", "# Prompts")
    write(folder, "news/notes.txt", "notes")
    (folder / "labels.json").write_text(json.dumps({}), encoding="utf-8")
    assert numbers(folder) == ([], [1])
