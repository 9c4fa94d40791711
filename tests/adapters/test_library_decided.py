"""Labels, withdrawn versions and the history: what loads with the prompts, and what stops the start."""

import json
from pathlib import Path

import pytest

from service.adapters.library import Library, load, release
from service.core.errors import BadPrompt

V1 = (Path(__file__).parents[2] / "prompts" / "news" / "v1.md").read_text(encoding="utf-8")
EVENT = {"at": "2026-01-02T03:04:05Z", "action": "label", "prompt": "news", "label": "production", "to": 1, "why": "w"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with news@1 and news@2, released, and the draft news@3; nothing in the history."""
    (tmp_path / "news").mkdir()
    for number in (1, 2, 3):
        text = V1.replace("version: 1", f"version: {number}").replace("one JSON object", f"{number} JSON objects")
        (tmp_path / "news" / f"v{number}.md").write_text(text, encoding="utf-8")
    for draft in load(tmp_path).drafts[:2]:
        release(tmp_path, draft)
    (tmp_path / "history.jsonl").unlink()
    return tmp_path


def refusal(folder: Path, *, dev: bool = False) -> str:
    """Why a folder does not load."""
    with pytest.raises(BadPrompt) as raised:
        load(folder, dev=dev)
    return raised.value.detail


def test_a_folder_without_labels_withdrawn_versions_and_history_has_none(folder: Path) -> None:
    """None of these files has to be there."""
    catalogue = load(folder).catalogue
    assert (catalogue.labels, catalogue.withdrawn, catalogue.history) == ({}, {}, ())


@pytest.mark.parametrize("empty", ["{}", "{}\n", '{"news": {}}', '{"gone": {}}'])
def test_files_that_hold_nothing_load(folder: Path, empty: str) -> None:
    """As they are before the first label is set."""
    for name in ("labels.json", "withdrawn.json"):
        (folder / name).write_text(empty, encoding="utf-8")
    (folder / "history.jsonl").write_text("\n", encoding="utf-8")
    assert load(folder).catalogue.labels == {}


def test_what_is_written_is_read(folder: Path) -> None:
    """Labels by name, withdrawn versions by number, the history in order."""
    (folder / "labels.json").write_text('{"news": {"production": 1, "candidate": 1}}', encoding="utf-8")
    (folder / "withdrawn.json").write_text('{"news": {"2": "Because."}}', encoding="utf-8")
    because = {"name": "r.json", "sha256": "0", "sentence": "s", "outcome": "pass"}
    events = [EVENT, {**EVENT, "from": 2, "because": because}, {**EVENT, "action": "withdraw", "label": None, "to": 2}]
    (folder / "history.jsonl").write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    catalogue = load(folder).catalogue
    assert catalogue.labels == {"news": {"production": 1, "candidate": 1}}
    assert catalogue.withdrawn == {"news": {2: "Because."}}
    assert [(event.action, event.from_, event.to) for event in catalogue.history] == [
        ("label", None, 1),
        ("label", 2, 1),
        ("withdraw", None, 2),
    ]
    assert catalogue.history[1].because is not None
    assert catalogue.history[1].because.outcome == "pass"


@pytest.mark.parametrize(
    ("labels", "line", "says"),
    [
        ("", 1, "restore the file"),
        ("[]", 1, 'Write {"news": {"production": 2}}'),
        ('{"news": 1}', 1, "'news' is no object"),
        ('{\n"news": {\n"production": x}}', 3, "JSON is malformed"),
        ('{\n"news": {\n"production": 3}}', 3, "no released version. Released are news@1, news@2."),
        ('{"news": {"production": 9}}', 1, "the label production of news is on 9"),
        ('{"news": {"production": "1"}}', 1, "is on '1'"),
        ('{"news": {"production": true}}', 1, "is on True"),
        ('{"news": {"production": 1.0}}', 1, "is on 1.0"),
        ('{"news": {"production": null}}', 1, "is on None"),
        ('{\n"news": {},\n"nws":\n{"production": 1}}', 4, "Nothing of nws is released."),
        ('{"news": {\n"latest": 1}}', 2, "latest is computed"),
        ('{"news": {"v2": 1}}', 1, "looks like the number of a version"),
        ('{"news": {"sha256": 1}}', 1, "looks like a digest"),
        ('{"news": {"Production": 1}}', 1, "is no label"),
        ('{"n\u00e4ws": {"production": 1}}', 1, "Nothing of näws is released"),
        ("[" * 100_000, 1, "recursion"),
    ],
)
def test_labels_that_do_not_fit_stop_the_start(folder: Path, labels: str, line: int, says: str) -> None:
    """With file and line, and what to write; a broken file is not taken for an empty one."""
    (folder / "labels.json").write_text(labels, encoding="utf-8")
    for dev in (False, True):
        detail = refusal(folder, dev=dev)
        assert detail.startswith(f"{folder / 'labels.json'}:{line}: "), detail
        assert says in detail


@pytest.mark.parametrize(
    ("withdrawn", "line", "says"),
    [
        ("[]", 1, 'Write {"news": {"2": "why it was withdrawn"}}'),
        ('{\n"news": {\n"3": "w"}}', 3, "news@3 is withdrawn, and no released version. Released are news@1, news@2."),
        ('{"news": {"01": "w"}}', 1, "news@01 is withdrawn, and no released version"),
        ('{"news": {"one": "w"}}', 1, "no released version"),
        ('{"nws": {"1": "w"}}', 1, "Nothing of nws is released"),
        ('{"news": {"1": "  "}}', 1, "without a reason. Write why."),
        ('{"news": {"1": 5}}', 1, "without a reason. Write why."),
        ('{"news": ["1"]}', 1, "is no object"),
    ],
)
def test_withdrawn_versions_that_do_not_fit_stop_the_start(folder: Path, withdrawn: str, line: int, says: str) -> None:
    """With file and line, and what to write."""
    (folder / "withdrawn.json").write_text(withdrawn, encoding="utf-8")
    detail = refusal(folder)
    assert detail.startswith(f"{folder / 'withdrawn.json'}:{line}: "), detail
    assert says in detail


def test_a_label_on_a_withdrawn_version_stops_the_start(folder: Path) -> None:
    """The two files do not fit one another; the message says what to write where."""
    (folder / "labels.json").write_text('{"news": {\n"candidate": 1,\n"production": 2}}', encoding="utf-8")
    (folder / "withdrawn.json").write_text('{"news": {"2": "w"}}', encoding="utf-8")
    assert f"{folder / 'labels.json'}:3: the label production is on news@2, which is withdrawn" in refusal(folder)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "this is no entry of the history"),
        (json.dumps(EVENT)[:-5], "cut as it was written, take it out"),
        ("[]", "this is no entry"),
        (json.dumps({**EVENT, "action": "delete"}), "'delete'"),
        (json.dumps({**EVENT, "at": "yesterday"}), "$.at"),
        (json.dumps({**EVENT, "by": "me"}), "by"),
        (json.dumps({**EVENT, "to": "1"}), "$.to"),
        (json.dumps({**EVENT, "to": 3}), "the history names news@3. Released are news@1, news@2."),
        (json.dumps({**EVENT, "from": 7}), "the history names news@1, news@7"),
        (json.dumps({**EVENT, "prompt": "nws"}), "Nothing of nws is released"),
        (json.dumps({**EVENT, "to": None}), "names no version of news"),
        (json.dumps({**EVENT, "label": None}), "has a label where its action is “label”"),
        (json.dumps({**EVENT, "action": "release"}), "has a label where its action is “label”"),
        ("[" * 100_000, "got `array`"),
    ],
)
def test_a_history_that_does_not_fit_stops_the_start(folder: Path, line: str, says: str) -> None:
    """With file and line; what it names has to be there."""
    (folder / "history.jsonl").write_text(f"{json.dumps(EVENT)}\n\n{line}\n", encoding="utf-8")
    detail = refusal(folder)
    assert detail.startswith(f"{folder / 'history.jsonl'}:3: "), detail
    assert says in detail


@pytest.mark.parametrize("name", ["labels.json", "withdrawn.json", "history.jsonl", "lock.json"])
def test_what_cannot_be_read_is_refused(folder: Path, name: str) -> None:
    """With its name, and not with a traceback."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    assert refusal(folder).startswith(f"{folder / name} cannot be read")
    (folder / name).rmdir()
    (folder / name).write_bytes(b'{"\xff": 1}')
    assert str(folder / name) in refusal(folder)


def test_edited_and_new_versions_load_as_dirty_where_that_is_asked_for(folder: Path) -> None:
    """The one that was edited stays among the released, with what it says now."""
    path = folder / "news" / "v2.md"
    (clean,) = (version for version in load(folder).released if version.front.version == 2)
    path.write_text(path.read_text(encoding="utf-8").replace("You summarise", "You retell"), encoding="utf-8")
    assert "--dev (PRECIS_PROMPTS_DEV=true) tries it" in refusal(folder)
    catalogue = load(folder, dev=True).catalogue
    assert [version.dirty for version in catalogue.released] == [False, True]
    assert catalogue.released[1].digest != clean.digest
    assert [version.id for version in catalogue.drafts] == [f"news@3+dirty.{catalogue.drafts[0].digest[:8]}"]
    assert catalogue.dev
    assert not load_clean(folder, path).catalogue.dev


def load_clean(folder: Path, path: Path) -> Library:
    """The folder, once the edit was taken back."""
    path.write_text(path.read_text(encoding="utf-8").replace("You retell", "You summarise"), encoding="utf-8")
    return load(folder)


def test_a_released_version_that_is_gone_is_refused_with_dev_as_well(folder: Path) -> None:
    """What results name has to be readable."""
    (folder / "news" / "v2.md").unlink()
    assert "v2.md is gone, but news@2 is released" in refusal(folder, dev=True)


def test_versions_stand_by_number(folder: Path) -> None:
    """Not by the letters of their file names."""
    text = V1.replace("version: 1", "version: 10")
    (folder / "news" / "v10.md").write_text(text, encoding="utf-8")
    assert [version.front.version for version in load(folder).drafts] == [3, 10]
