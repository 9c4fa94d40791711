"""Releasing, withdrawing and labelling: each is in the history, and is done whole, alone, or not at all."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from service.adapters.library import Evidence, changing, evidence, label, load, release, remove, withdraw
from service.core.catalogue import Because, Event
from service.core.comparison import Comparison
from service.core.errors import BadPrompt, InvalidRequest, NotFound, PromptWithdrawn
from service.core.prompts import PromptVersion

V1 = (Path(__file__).parents[2] / "prompts" / "news" / "v1.md").read_text(encoding="utf-8")
NOON = datetime(2026, 1, 2, 12, 0, 0, 999_999, tzinfo=UTC)


def noon() -> datetime:
    """A clock that stands still."""
    return NOON


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with news@1 to news@3, released, and the draft news@4; nothing in the history."""
    (tmp_path / "news").mkdir()
    for number in (1, 2, 3, 4):
        text = V1.replace("version: 1", f"version: {number}").replace("one JSON object", f"{number} JSON objects")
        (tmp_path / "news" / f"v{number}.md").write_text(text, encoding="utf-8")
    for draft in load(tmp_path).drafts[:3]:
        release(tmp_path, draft)
    (tmp_path / "history.jsonl").unlink()
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    """Everything beside the versions, byte by byte."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def events(folder: Path) -> list[dict[str, Any]]:
    """The lines of the history."""
    return [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_release_is_in_the_lock_and_in_the_history(folder: Path) -> None:
    """With the moment; what the version does otherwise stands in itself."""
    (draft,) = load(folder).drafts
    event = release(folder, draft, now=noon)
    assert event == Event(at="2026-01-02T12:00:00Z", action="release", prompt="news", to=4)
    assert load(folder).catalogue.history == (event,)
    assert [version.id for version in load(folder).released][-1] == "news@4"


def test_what_is_released_already_is_not_written_again(folder: Path) -> None:
    """Neither in the lock nor in the history."""
    before = files(folder)
    assert release(folder, load(folder).released[0]) is None
    assert files(folder) == before


def test_a_label_is_moved_and_the_history_says_from_where_to_where_and_why(folder: Path) -> None:
    """The first time from nowhere."""
    because = Because(name="report.json", sha256="0" * 64, sentence="news@3 is better.", outcome="pass")
    label(folder, "news@1", "production", why="The first.", now=noon)
    label(folder, "news@3", "production", because=Evidence(because=because), now=noon)
    catalogue = load(folder).catalogue
    assert catalogue.labels == {"news": {"production": 3}}
    assert events(folder)[1] == {
        "at": "2026-01-02T12:00:00Z",
        "action": "label",
        "prompt": "news",
        "label": "production",
        "from": 1,
        "to": 3,
        "why": None,
        "because": {"name": "report.json", "sha256": "0" * 64, "sentence": "news@3 is better.", "outcome": "pass"},
    }
    assert [(event.from_, event.to, event.why) for event in catalogue.history] == [
        (None, 1, "The first."),
        (1, 3, None),
    ]
    assert sorted(files(folder)) == ["history.jsonl", "labels.json", "lock.json"]


def test_a_label_can_be_moved_to_what_another_one_or_a_digest_means(folder: Path) -> None:
    """A candidate is promoted by its name; the others stay where they are."""
    label(folder, "news@2", "candidate", why="w")
    label(folder, "news@candidate", "production", why="w")
    label(folder, f"news@sha256:{load(folder).released[2].digest[:8]}", "candidate", why="w")
    assert load(folder).catalogue.labels == {"news": {"candidate": 3, "production": 2}}


def test_a_label_that_is_there_already_is_not_moved(folder: Path) -> None:
    """And the history does not say it was."""
    label(folder, "news@2", "production", why="w")
    before = files(folder)
    assert label(folder, "news@2", "production", why="again") is None
    assert files(folder) == before


def test_a_withdrawn_version_has_its_reason_and_its_file(folder: Path) -> None:
    """It stays readable."""
    event = withdraw(folder, "news@2", "It loses\n  numbers.", now=noon)
    catalogue = load(folder).catalogue
    assert catalogue.withdrawn == {"news": {2: "It loses numbers."}}
    assert catalogue.history == (event,)
    assert (event.action, event.from_, event.to, event.why) == ("withdraw", 2, None, "It loses numbers.")
    assert (folder / "news" / "v2.md").is_file()
    assert len(catalogue.released) == 3


def test_moments_are_in_utc_to_the_second(folder: Path) -> None:
    """Wherever the clock is, so that lines can be compared."""
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    event = withdraw(folder, "news@2", "w", now=lambda: there)
    assert event.at == "2026-01-02T12:00:00Z"


def test_a_history_whose_last_line_has_no_end_gets_one(folder: Path) -> None:
    """Some editors leave it out; two entries never share a line."""
    label(folder, "news@1", "production", why="w")
    path = folder / "history.jsonl"
    path.write_bytes(path.read_bytes().rstrip())
    label(folder, "news@2", "production", why="w")
    assert [(event["from"], event["to"]) for event in events(folder)] == [(None, 1), (1, 2)]


def test_letters_of_other_alphabets_stay_as_they_are(folder: Path) -> None:
    """A reason is for readers."""
    withdraw(folder, "news@2", "Zahlen fehlen – 数字 🙂")
    assert "数字 🙂" in (folder / "withdrawn.json").read_text(encoding="utf-8")
    assert load(folder).catalogue.withdrawn["news"][2].endswith("🙂")


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_version_with_a_label_is_not_withdrawn(folder: Path) -> None:
    """Else the label would mean nothing; the message says to move it first, and then it can be."""
    label(folder, "news@2", "production", why="w")
    before = files(folder)
    with pytest.raises(InvalidRequest, match=r"has the label production\. Move it to another version first"):
        withdraw(folder, "news@2", "bad")
    assert files(folder) == before
    label(folder, "news@3", "production", why="w")
    withdraw(folder, "news@2", "bad")
    assert load(folder).catalogue.withdrawn == {"news": {2: "bad"}}


@pytest.mark.parametrize("why", ["", "  ", "\n\t"])
def test_nothing_is_withdrawn_or_labelled_without_a_reason(folder: Path, why: str) -> None:
    """Those who come later ask for it."""
    before = files(folder)
    with pytest.raises(InvalidRequest, match="--why"):
        withdraw(folder, "news@2", why)
    with pytest.raises(InvalidRequest, match="--because"):
        label(folder, "news@2", "production", why=why)
    assert files(folder) == before


@pytest.mark.parametrize(
    "name", ["latest", "2", "v2", "sha256", "sha256:6907aa40", "deadbeef", "Production", "", "a/b"]
)
def test_what_cannot_be_a_label_is_refused(folder: Path, name: str) -> None:
    """Before anything is written."""
    before = files(folder)
    with pytest.raises(InvalidRequest, match=r"such as production"):
        label(folder, "news@2", name, why="w")
    assert files(folder) == before


def test_a_withdrawn_version_gets_no_label_and_is_not_withdrawn_twice(folder: Path) -> None:
    """The message says why it was, and what to use."""
    withdraw(folder, "news@2", "It loses numbers.")
    before = files(folder)
    changes: list[Callable[[], object]] = [
        lambda: label(folder, "news@2", "production", why="w"),
        lambda: withdraw(folder, "news@2", "w"),
    ]
    for change in changes:
        with pytest.raises(PromptWithdrawn, match=r"news@2 was withdrawn: It loses numbers. Use news@3 instead"):
            change()
    assert files(folder) == before


@pytest.mark.parametrize("reference", ["news@4", "news@9", "nws@1", "news@staging", "news@1+dirty.00000000"])
def test_drafts_and_what_is_not_there_are_refused(folder: Path, reference: str) -> None:
    """A label never is on something that may still change."""
    before = files(folder)
    with pytest.raises(NotFound):
        label(folder, reference, "production", why="w")
    with pytest.raises(NotFound):
        withdraw(folder, reference, "w")
    assert files(folder) == before


def test_nothing_is_changed_while_a_released_version_is_edited(folder: Path) -> None:
    """What is labelled has to be what was released."""
    path = folder / "news" / "v1.md"
    path.write_text(path.read_text(encoding="utf-8").replace("You summarise", "You retell"), encoding="utf-8")
    with pytest.raises(BadPrompt, match="was edited after its release"):
        label(folder, "news@2", "production", why="w")


def test_a_reason_that_is_not_utf_8_is_refused(folder: Path) -> None:
    """As a terminal passes on bytes that it does not understand."""
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        withdraw(folder, "news@2", "bad \udcff")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_version_that_sends_what_a_released_one_sends_is_not_released(folder: Path, number: int) -> None:
    """The message names that one, withdrawn or not; nothing is written."""
    withdraw(folder, "news@1", "w")
    text = (folder / f"news/v{number}.md").read_text(encoding="utf-8")
    (folder / "news/v4.md").write_text(text.replace(f"version: {number}", "version: 4"), encoding="utf-8")
    before = files(folder)
    with pytest.raises(InvalidRequest, match=rf"news@4 sends exactly what news@{number} sends, which is released"):
        release(folder, load(folder).drafts[0])
    assert files(folder) == before


def test_a_prompt_of_another_name_may_send_the_same(folder: Path) -> None:
    """Somebody begins with a copy."""
    (folder / "sport").mkdir()
    text = (folder / "news/v1.md").read_text(encoding="utf-8")
    (folder / "sport/v1.md").write_text(text.replace("name: news", "name: sport"), encoding="utf-8")
    (draft,) = (one for one in load(folder).drafts if one.front.name == "sport")
    assert release(folder, draft) is not None


@pytest.mark.parametrize("change", [label, withdraw])
def test_a_draft_is_to_be_released_before_it_is_labelled_or_withdrawn(folder: Path, change: Any) -> None:
    """The commands have no --dev, and the message does not name it."""
    draft = load(folder).drafts[0].id
    for reference in ("news@4", draft):
        with pytest.raises(NotFound) as raised:
            change(folder, reference, "w", **({"why": "w"} if change is label else {}))
        assert "Release it first: `precis prompts release news@4`." in raised.value.detail
        assert "--dev" not in raised.value.detail


def test_a_draft_that_does_not_load_stops_no_change(folder: Path) -> None:
    """It is not used."""
    (folder / "news/v5.md").write_text("broken", encoding="utf-8")
    release(folder, load(folder).drafts[0])
    label(folder, "news@4", "production", why="w")
    withdraw(folder, "news@1", "w")
    assert load(folder).catalogue.labels == {"news": {"production": 4}}


def test_a_label_one_typo_away_from_another_has_to_be_meant(folder: Path) -> None:
    """Else production would stay where it was, and nobody would know."""
    label(folder, "news@1", "production", why="w")
    before = files(folder)
    with pytest.raises(InvalidRequest, match=r"no label prodution yet\. Did you mean production\? If not, say --new\."):
        label(folder, "news@2", "prodution", why="w")
    assert files(folder) == before
    label(folder, "news@2", "prodution", why="w", new=True)
    label(folder, "news@3", "prodution", why="it is there now")
    assert load(folder).catalogue.labels == {"news": {"production": 1, "prodution": 3}}


def test_a_removed_label_is_gone_and_the_history_says_why(folder: Path) -> None:
    """From the version that it was on, to none; it may come back, and the version may be withdrawn."""
    label(folder, "news@2", "candidate", why="w")
    label(folder, "news@2", "production", why="w")
    event = remove(folder, "news", "candidate", " A\n typo. ", now=noon)
    assert events(folder)[-1] == {
        "at": "2026-01-02T12:00:00Z",
        "action": "label",
        "prompt": "news",
        "label": "candidate",
        "from": 2,
        "to": None,
        "why": "A typo.",
        "because": None,
    }
    assert load(folder).catalogue.history[-1] == event
    assert load(folder).catalogue.labels == {"news": {"production": 2}}
    remove(folder, "news", "production", "w")
    assert json.loads((folder / "labels.json").read_text(encoding="utf-8")) == {}
    withdraw(folder, "news@2", "w")
    back = label(folder, "news@3", "candidate", why="w")
    assert back is not None
    assert (back.from_, back.to) == (None, 3)


@pytest.mark.parametrize(
    ("prompt", "name", "why", "says"),
    [
        ("news", "prod", "w", r"no label 'prod'\. Labels there: production \(news@1\)\."),
        ("news", "latest", "w", "no label 'latest'"),
        ("nws", "production", "w", "Did you mean news"),
        ("news", "production", " ", "removed for a reason"),
    ],
)
def test_a_label_that_is_not_there_is_not_removed(folder: Path, prompt: str, name: str, why: str, says: str) -> None:
    """Nor is one without a reason; nothing is written."""
    label(folder, "news@1", "production", why="w")
    before = files(folder)
    with pytest.raises((InvalidRequest, NotFound), match=says):
        remove(folder, prompt, name, why)
    assert files(folder) == before


# --- evidence --------------------------------------------------------------------------------------------------------


def test_any_file_is_evidence_by_its_digest(tmp_path: Path) -> None:
    """Its name without its folder, and the SHA-256 of its bytes."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\xff\x00 whatever")
    because = Because(name="notes.txt", sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert evidence(path) == Evidence(because=because)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"pairs": []}', b"null", b"[" * 100_000])
def test_json_that_is_no_comparison_is_any_file(tmp_path: Path, content: bytes) -> None:
    """Nothing is read into it."""
    (tmp_path / "r.json").write_bytes(content)
    found = evidence(tmp_path / "r.json")
    assert (found.because.sentence, found.because.outcome, found.comparison) == (None, None, None)


def comparison(*versions: PromptVersion, outcome: str = "pass") -> dict[str, Any]:
    """A comparison of versions as it is written, the last against the first, and how its gate came out."""
    a, b = versions[0].id, versions[-1].id
    pair = {
        "a": a,
        "b": b,
        "sentence": f"{b} against {a}: no change.",
        "verdict": "too_few_documents",
        "differences": [],
        "notes": [],
        "counts": {},
        "metrics": [],
        "sets": [],
    }
    return _filled(Comparison) | {
        "versions": [{"id": one.id, "prompt": msgspec.to_builtins(one.ref), "engine": "llm"} for one in versions],
        "pairs": [pair, pair | {"sentence": "another"}],
        "gate": {"a": a, "b": b, "outcome": outcome, "reasons": []},
    }


def report(folder: Path, content: object) -> Evidence:
    """What is read from a report."""
    path = folder.parent / "compared.json"
    path.write_bytes(msgspec.json.encode(content))
    return evidence(path)


def test_a_comparison_says_its_sentence_and_how_its_gate_came_out(folder: Path) -> None:
    """Of its first pair: the last version against the first; as a file, or as the API answers it."""
    one, two, _ = load(folder).released
    content = comparison(one, two, outcome="inconclusive")
    found = report(folder, content).because
    assert (found.sentence, found.outcome) == ("news@2 against news@1: no change.", "inconclusive")
    again = report(folder, {"id": "cmp_1", "status": "succeeded", "result": content}).because
    assert (again.sentence, again.outcome) == (found.sentence, found.outcome)
    none = report(folder, content | {"pairs": []}).because
    assert (none.sentence, none.outcome) == (None, "inconclusive")


def test_a_label_because_of_a_comparison_of_other_versions_is_refused(folder: Path) -> None:
    """Whatever is said beside it; the message says which versions it is about, and what would do."""
    one, two, three = load(folder).released
    before = files(folder)
    for why in (None, "w"):
        with pytest.raises(InvalidRequest) as raised:
            label(folder, "news@3", "production", why=why, because=report(folder, comparison(one, two)))
        assert "compared.json is not about news@3: it compares news@1 (digest " in raised.value.detail
        assert f"news@2 (digest {two.digest[:12]})" in raised.value.detail
        assert f"released (digest {three.digest[:12]})" in raised.value.detail
    assert files(folder) == before


def test_a_comparison_of_another_text_under_the_same_name_is_about_another_version(folder: Path) -> None:
    """What counts is what was sent: a version that was edited, or a prompt of another folder, is not this one."""
    one, two, _ = load(folder).released
    edited = comparison(one, replace(two, digest="f" * 64))
    with pytest.raises(InvalidRequest, match=r"is not about news@2: .*news@2 \(digest ffffffffffff\)"):
        label(folder, "news@2", "production", because=report(folder, edited))
    nameless = comparison(one, two)
    nameless["versions"][1]["prompt"] = None
    with pytest.raises(InvalidRequest, match=r"it compares news@1 \(digest .*\), news@2\. Name a report"):
        label(folder, "news@2", "production", because=report(folder, nameless))


def test_a_version_that_was_compared_as_a_draft_is_labelled_by_that(folder: Path) -> None:
    """It says what it said then: its digest is the same, and its name was that of a draft."""
    one = load(folder).released[0]
    (draft,) = load(folder).drafts
    release(folder, draft)
    event = label(folder, "news@4", "production", because=report(folder, comparison(one, draft)))
    assert event is not None
    assert event.because is not None
    assert event.because.outcome == "pass"


@pytest.mark.parametrize("outcome", ["regression", "inconclusive", "not_comparable"])
def test_where_the_gate_did_not_pass_a_reason_in_words_is_needed(folder: Path, outcome: str) -> None:
    """The message says how it came out; with a reason the label is moved, and both are kept."""
    one, two, _ = load(folder).released
    shown = report(folder, comparison(one, two, outcome=outcome))
    for why in (None, "  "):
        with pytest.raises(InvalidRequest, match=rf"did not pass: news@2 against news@1 is {outcome}\. Say with --why"):
            label(folder, "news@2", "production", why=why, because=shown)
    event = label(folder, "news@2", "production", why="It reads better.", because=shown)
    assert event is not None
    assert (event.why, event.because) == ("It reads better.", shown.because)


def test_a_gate_that_let_another_version_pass_is_no_reason(folder: Path) -> None:
    """The baseline is in the report, and nothing in it is for the baseline."""
    one, two, three = load(folder).released
    shown = report(folder, comparison(one, two, three))
    for number in (1, 2):
        with pytest.raises(InvalidRequest, match=rf"let news@3 pass against news@1, and not news@{number}\. Say"):
            label(folder, f"news@{number}", "production", because=shown)
    assert label(folder, "news@3", "production", because=shown) is not None
    assert label(folder, "news@1", "production", why="Back.", because=shown) is not None


def _filled(struct: Any) -> dict[str, Any]:
    """Each required field of a struct that is a text or a list, with an empty one."""
    empty = {str: "", int: 0}
    return {
        field.name: empty.get(field.type, [])
        for field in msgspec.structs.fields(struct)
        if field.required and field.name not in ("gate", "versions")
    }


@pytest.mark.parametrize("name", ["gone.json", ".", "x\x00y"])
def test_what_cannot_be_read_is_no_evidence(tmp_path: Path, name: str) -> None:
    """The message names it."""
    with pytest.raises(InvalidRequest, match="cannot be read"):
        evidence(tmp_path / name)


# --- whole, alone, or not at all -------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocked", ["labels.part", "labels.before"])
def test_where_a_file_cannot_be_written_nothing_is(folder: Path, blocked: str) -> None:
    """Neither the label nor the history; the message says how to have a folder that can be, in Docker too."""
    label(folder, "news@1", "production", why="w")
    before = files(folder)
    (folder / blocked).mkdir()
    with pytest.raises(BadPrompt, match=r"cannot be written: .*mount a folder of your own.*PRECIS_PROMPTS_DIR"):
        label(folder, "news@2", "production", why="w")
    assert files(folder) == before


def test_where_the_history_cannot_be_written_a_change_is_taken_back(folder: Path) -> None:
    """A disk that is full at that moment leaves the folder as it was: with the old label, or with none."""
    pytest.importorskip("resource")
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from service.adapters.library import label; from service.core.errors import BadPrompt\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
        "try: label(Path(sys.argv[1]), sys.argv[2], 'production', why='w')\n"
        "except BadPrompt as error: print(error.detail)\n"
    )

    def full(reference: str) -> str:
        ran = subprocess.run(  # noqa: S603 - the script above
            [sys.executable, "-c", script, folder, reference], capture_output=True, text=True, check=True, timeout=60
        )
        return ran.stdout

    # a history that has room for no other line within the limit of the script
    long = Event(at="2026-01-02T12:00:00Z", action="withdraw", prompt="news", from_=3, why="w" * 500)
    (folder / "history.jsonl").write_bytes(msgspec.json.encode(long) + b"\n")
    before = files(folder)
    assert "cannot be written" in full("news@1")
    assert files(folder) == before
    label(folder, "news@1", "production", why="w")
    before = files(folder)
    assert "cannot be written" in full("news@2")
    assert files(folder) == before
    assert load(folder).catalogue.labels == {"news": {"production": 1}}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes another user to be refused")
def test_a_folder_of_somebody_else_says_how_to_have_an_own_one(folder: Path) -> None:
    """As in a container, whose prompts belong to root: for all three, and nothing is written."""
    script = (
        "import os, sys; from pathlib import Path\n"
        "from service.adapters.library import label, load, release, withdraw\n"
        "from service.core.errors import BadPrompt\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "folder = Path(sys.argv[1]); draft = load(folder).drafts[0]\n"
        "for change in (lambda: release(folder, draft), lambda: withdraw(folder, 'news@1', 'w'),\n"
        "               lambda: label(folder, 'news@2', 'production', why='w')):\n"
        "    try: change()\n"
        "    except BadPrompt as error: print(error.detail)\n"
    )
    for path in (folder, *folder.parents):
        if path.stat().st_uid == 0 and path.is_relative_to(folder.parents[2]):
            path.chmod(0o755)
    before = files(folder)
    ran = subprocess.run(  # noqa: S603 - the script above
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=True, timeout=60
    )
    assert len(re.findall(r"cannot be written: Permission denied.*-v \./prompts:/prompts", ran.stdout)) == 3
    assert files(folder) == before


def test_processes_that_change_at_the_same_time_do_it_one_after_another(folder: Path) -> None:
    """No label and no line is lost: each takes up where the one before it left off."""
    script = (
        "import sys; from pathlib import Path; from service.adapters.library import label\n"
        "for number in range(8):\n"
        "    label(Path(sys.argv[1]), f'news@{1 + number % 3}', 'production', why=sys.argv[2])\n"
        "    label(Path(sys.argv[1]), f'news@{1 + number % 3}', f'own-{sys.argv[2]}', why=sys.argv[2], new=True)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, folder, name])  # noqa: S603 - the script above
        for name in "abc"
    ]
    assert [one.wait(timeout=120) for one in running] == [0, 0, 0]
    catalogue = load(folder).catalogue
    assert catalogue.labels["news"].keys() == {"production", "own-a", "own-b", "own-c"}
    for name, last in catalogue.labels["news"].items():
        own = [event for event in catalogue.history if event.label == name]
        assert [event.from_ for event in own] == [None, *(event.to for event in own[:-1])]
        assert own[-1].to == last
    assert all(len([e for e in catalogue.history if e.label == f"own-{name}"]) == 8 for name in "abc")
    assert sorted(files(folder)) == ["history.jsonl", "labels.json", "lock.json"]


def test_who_waits_too_long_for_another_process_is_told(folder: Path) -> None:
    """What holds the folder may hang; nothing is written past it."""
    waited: list[float] = []
    label(folder, "news@1", "production", why="w")
    before = files(folder)
    refused = pytest.raises(BadPrompt, match=r"Another process has been changing .* Try again")
    with changing.alone(folder), refused, changing.alone(folder, sleep=waited.append):
        pass
    assert sum(waited) == pytest.approx(10)
    assert files(folder) == before
    with changing.alone(folder, sleep=waited.append):
        assert files(folder) == before


@pytest.mark.parametrize("left", ["labels.part", "labels.before"])
def test_what_a_crash_left_behind_is_in_nobody_s_way(folder: Path, left: str) -> None:
    """Such files are never read, and are gone with the next change."""
    (folder / left).write_text("{", encoding="utf-8")
    label(folder, "news@1", "production", why="w")
    assert load(folder).catalogue.labels == {"news": {"production": 1}}
    assert sorted(files(folder)) == ["history.jsonl", "labels.json", "lock.json"]
