"""`precis prompts`: the life of a version from the command line, from draft to withdrawn."""

import json
import os
import pty
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.adapters import library

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests/recordings"
SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"
(SEED,) = (ROOT / "seeds").glob("000_*.txt")
Precis = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The four released versions of the project in a folder of one's own, and the draft news@5; no labels."""
    path = own_folder / "prompts"
    shutil.copytree(ROOT / "prompts", path)
    for kept in ("labels.json", "withdrawn.json", "history.jsonl"):
        (path / kept).unlink(missing_ok=True)
    text = (path / "news/v4.md").read_text(encoding="utf-8").replace("You summarise news", "You retell news")
    (path / "news/v5.md").write_text(text.replace("version: 4", "version: 5"), encoding="utf-8")
    monkeypatch.setenv("PRECIS_PROMPTS_DIR", str(path))
    return path


def edit(folder: Path, number: int) -> str:
    """Edit a version; gives what it is called then."""
    path = folder / f"news/v{number}.md"
    path.write_text(path.read_text(encoding="utf-8").replace("news for readers", "reports for readers"), "utf-8")
    loaded = library.load(folder, dev=True)
    (found,) = (one for one in (*loaded.released, *loaded.drafts) if one.front.version == number)
    assert found.dirty
    return found.id


def done(ran: subprocess.CompletedProcess[str]) -> str:
    """What a command printed that succeeded."""
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def failed(ran: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """What a command said that failed, in one message and without output."""
    assert (ran.returncode, ran.stdout) == (code, "")
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_the_life_of_a_version(precis: Precis, folder: Path) -> None:
    """Draft, released, labelled, replaced, withdrawn; all of it is in the history."""
    assert "not used" in done(precis("prompts", "verify"))
    assert "is released with the digest" in done(precis("prompts", "release", "news@5"))
    done(precis("prompts", "label", "news@4", "production", "--why", "The first."))
    (folder / "report.txt").write_text("Better.", encoding="utf-8")
    moved = done(precis("prompts", "label", "news@5", "production", "--because", folder / "report.txt"))
    assert moved.startswith("news@production is news@5, it was news@4. report.txt ")
    assert "has the label production" in failed(precis("prompts", "withdraw", "news@5", "--why", "Worse."))
    done(precis("prompts", "label", "news@4", "production", "--why", "Back."))
    assert "news@5 is withdrawn" in done(precis("prompts", "withdraw", "news@5", "--why", "Worse."))
    lines = done(precis("prompts", "history", "news")).splitlines()
    assert [line.partition("  ")[2].split(". ")[0].rstrip(".") for line in lines] == [
        "news@5 released",
        "news@production is news@4",
        "news@production is news@5, it was news@4",
        "news@production is news@4, it was news@5",
        "news@5 withdrawn",
    ]
    assert lines[-1].endswith("Worse.")
    last = done(precis("prompts", "list")).splitlines()[-1].split()
    assert last[:2] == ["news@5", "withdrawn"]
    assert last[-2:] == ["[withdrawn:", "Worse.]"]
    assert done(precis("prompts", "verify")).splitlines()[-2:] == [
        f"news@5  {library.load(folder).released[4].digest}  withdrawn: Worse.",
        "news@production  is news@4",
    ]


# --- to read ---------------------------------------------------------------------------------------------------------


def test_a_list_shows_state_labels_and_the_day_of_release(precis: Precis, folder: Path) -> None:
    """Where the history knows it; the four of the project were released before it was kept."""
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    done(precis("prompts", "release", "news@5"))
    rows = [line.split()[:4] for line in done(precis("prompts", "list")).splitlines()]
    day = library.load(folder).catalogue.history[-1].at[:10]
    assert rows[0] == ["VERSION", "STATE", "LABELS", "RELEASED"]
    assert rows[1] == ["news@1", "released", "-", "-"]
    assert rows[2] == ["news@2", "released", "production", "-"]
    assert rows[5] == ["news@5", "released,", "latest", "-"]
    assert day in done(precis("prompts", "list")).splitlines()[5]


def test_a_list_in_json_is_what_the_api_answers_and_the_drafts(precis: Precis, folder: Path) -> None:
    """A program reads the same as a person."""
    (prompt,) = json.loads(done(precis("prompts", "list", "--json")))["data"]
    assert (prompt["name"], prompt["latest"], prompt["labels"]) == ("news", "news@4", {})
    states = [(one["version"], one["state"], one["dirty"]) for one in prompt["versions"]]
    assert states == [*((number, "released", False) for number in (1, 2, 3, 4)), (5, "draft", True)]


def test_an_empty_folder_lists_nothing(precis: Precis, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    (own_folder / "none").mkdir()
    monkeypatch.setenv("PRECIS_PROMPTS_DIR", str(own_folder / "none"))
    assert "There are no prompts in" in done(precis("prompts", "list"))
    assert json.loads(done(precis("prompts", "list", "--json"))) == {"data": []}
    assert "nothing was released" in done(precis("prompts", "history"))
    assert json.loads(done(precis("prompts", "history", "--json"))) == []


def test_a_version_is_shown_whole_or_by_stage(precis: Precis, folder: Path) -> None:
    """Its text is what stands in the file."""
    whole = done(precis("prompts", "show", "news@3"))
    stage = done(precis("prompts", "show", "news@3", "--stage", "conflicts"))
    template = library.load(folder).released[2].stages["conflicts"]
    assert stage == f"\n## conflicts system\n\n{template.system}\n\n## conflicts user\n\n{template.user}\n"
    assert whole.endswith(stage)
    assert whole.splitlines()[0].split() == ["version", "news@3"]
    shown = json.loads(done(precis("prompts", "show", "news@3", "--json")))
    assert shown["templates"]["conflicts"] == {"system": template.system, "user": template.user}
    assert "news@1 has no stage conflicts" in failed(precis("prompts", "show", "news@1", "--stage", "conflicts"))


def test_a_withdrawn_version_is_shown_and_compared(precis: Precis, folder: Path) -> None:
    """With the reason; only new summaries are refused."""
    done(precis("prompts", "withdraw", "news@2", "--why", "It loses numbers."))
    assert "state    withdrawn: It loses numbers.\n" in done(precis("prompts", "show", "news@2"))
    assert "news@2 -> news@3" in done(precis("prompts", "diff", "news@2", "news@3"))


def test_a_version_is_compared_with_its_parent_where_no_other_is_named(precis: Precis, folder: Path) -> None:
    """One that has none says so."""
    assert done(precis("prompts", "diff", "news@3")) == done(precis("prompts", "diff", "news@2", "news@3"))
    assert "news@1 has no parent" in failed(precis("prompts", "diff", "news@1"))
    assert "They say the same." in done(precis("prompts", "diff", "news@3", "news@3"))
    found = json.loads(done(precis("prompts", "diff", "news", "--json")))
    assert (found["a"], found["b"]) == ("news@3", "news@4")
    assert {line[0] for part in found["parts"] for line in part["lines"]} == {" ", "-", "+"}


def test_a_difference_is_coloured_on_a_terminal_only(precis_process: Precis, folder: Path) -> None:
    """In a pipe it is plain, each line with its sign."""
    plain = precis_process("prompts", "diff", "news@3").stdout
    assert "\x1b" not in plain
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "PRECIS_PROMPTS_DIR": str(folder)}
    environ.pop("NO_COLOR", None)
    subprocess.run([SCRIPT, "prompts", "diff", "news@1", "news@2"], stdout=theirs, env=environ, check=True)  # noqa: S603
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:
        pass
    os.close(ours)
    assert b"\x1b[31m- claim_first" in shown
    assert b"\x1b[32m+ evidence_first" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "nws"), "Did you mean news?"),
        (("show", "news@prodution"), "no label prodution"),
        (("show", "news@2@production"), "names more than one version"),
        (("show", "../../etc/passwd"), "is no reference"),
        (("diff", "news@1", "news@9"), "no released prompt news@9"),
        (("history", "nws"), "Did you mean news?"),
        (("history", "../x"), "no prompt '../x'"),
        (("release", "news"), "Say which version of news"),
        (("release", "news@4"), "released already"),
        (("release", "news@9"), "There is no draft news@9"),
        (("release", "news@5+dirty.00000000"), "There is no draft"),
        (("withdraw", "news", "--why", "w"), "Say which version of news"),
        (("withdraw", "news@latest", "--why", "w"), "Say which version of news"),
        (("withdraw", "news@5", "--why", "w"), "is a draft"),
        (("withdraw", "news@2", "--why", " "), "Say it with --why"),
        (("label", "news", "production", "--why", "w"), "Say which version of news"),
        (("label", "news@2", "latest", "--why", "w"), "computed, and cannot be set"),
        (("label", "news@5", "production", "--why", "w"), "is a draft"),
        (("label", "news@2", "production", "--because", "gone.json"), "gone.json cannot be read"),
    ],
)
def test_what_does_not_fit_fails_with_1_and_one_message(
    precis: Precis, folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    """Nothing is written."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert says in failed(precis("prompts", *arguments))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("label", "news@2", "production"),
        ("withdraw", "news@2"),
        ("show",),
        ("show", "news", "--stage", "x"),
        ("diff",),
    ],
)
def test_what_cannot_be_understood_fails_with_2(precis: Precis, folder: Path, arguments: tuple[str, ...]) -> None:
    """As everywhere on the command line."""
    failed(precis("prompts", *arguments), code=2)
    assert not (folder / "history.jsonl").exists()


def test_a_label_that_is_there_already_says_so(precis: Precis, folder: Path) -> None:
    """It is no failure, so that a script can be run again."""
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    assert "has the label production already" in done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    assert len(done(precis("prompts", "history")).splitlines()) == 1


def test_verify_says_which_label_was_set_by_hand(precis: Precis, folder: Path) -> None:
    """The history does not know why."""
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    (folder / "labels.json").write_text('{"news": {"candidate": 3, "production": 4}}', encoding="utf-8")
    assert done(precis("prompts", "verify")).count("(the history does not say so: it was set by hand)") == 2


# --- drafts and edited versions --------------------------------------------------------------------------------------


def test_an_edited_version_fails_everything_but_with_dev(precis: Precis, folder: Path) -> None:
    """With --dev it is shown as what it is, and verify still fails."""
    name = edit(folder, 3)
    for command in (("verify",), ("list",), ("show", "news@3"), ("diff", "news@2", "news@3"), ("history",)):
        assert "v3.md was edited after its release" in failed(precis("prompts", *command))
    ran = precis("prompts", "verify", "--dev")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert f"{name}  " in ran.stdout
    assert "edited since: the lock has 6907aa406e95" in ran.stdout
    assert ran.stdout.count("edited") == 1
    assert f"{name}  released, edited" in done(precis("prompts", "list", "--dev"))
    assert f"version  {name}\n" in done(precis("prompts", "show", "news@3", "--dev"))
    assert f"news@2 -> {name}" in done(precis("prompts", "diff", "news@2", "news@3", "--dev"))


def test_a_draft_is_shown_with_dev_only(precis: Precis, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a flag or as a setting; a folder in which drafts only are new verifies."""
    assert "is a draft, and not used" in failed(precis("prompts", "show", "news@5"))
    (draft,) = library.load(folder).drafts
    shown = done(precis("prompts", "show", "news@5", "--dev"))
    assert f"version  {draft.id}\n" in shown
    assert "draft\n" in done(precis("prompts", "verify", "--dev"))
    monkeypatch.setenv("PRECIS_PROMPTS_DEV", "true")
    assert done(precis("prompts", "show", draft.id)) == shown


def replay_of(number: int, own_folder: Path, name: str) -> Path:
    """The recordings of a version under another name, as it is called while it is a draft."""
    recordings = own_folder / "recordings"
    shutil.copytree(RECORDINGS / f"news@{number}", recordings / name)
    shutil.copy(RECORDINGS / "endpoint.json", recordings)
    return recordings


def summary(ran: subprocess.CompletedProcess[str]) -> Any:
    """The resource that a command printed."""
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_summary_by_a_label_says_so(precis_process: Precis, folder: Path) -> None:
    """Its result echoes name, version, digest and label; pinned to the version that it was then."""
    library.label(folder, "news@1", "production", why="w")
    made = summary(precis_process("summarise", SEED, "--json", "--replay", RECORDINGS, "--prompt", "news@production"))
    (released, *_) = library.load(folder).released
    assert made["prompt"] == "news@1"
    assert made["result"]["manifest"]["prompt"] == {
        "name": "news",
        "version": 1,
        "digest": released.digest,
        "label": "production",
        "dirty": False,
    }


def test_a_summary_by_a_draft_says_that_it_is_dirty(precis_process: Precis, folder: Path) -> None:
    """And is recorded under the draft's own name; without --dev it is refused."""
    (folder / "lock.json").unlink()
    draft = library.load(folder).drafts[0]
    recordings = replay_of(1, folder.parent, draft.id)
    command = ("summarise", SEED, "--json", "--replay", recordings, "--prompt", "news@1")
    refused = precis_process(*command)
    assert (refused.returncode, "is a draft, and not used" in refused.stderr) == (1, True)
    made = summary(precis_process(*command, "--dev"))
    assert made["prompt"] == draft.id
    assert made["result"]["manifest"]["prompt"]["dirty"] is True
    assert made["result"]["manifest"]["prompt"]["digest"] == draft.digest


def test_a_summary_by_a_withdrawn_version_is_refused(precis_process: Precis, folder: Path) -> None:
    """With the reason, and what to use."""
    library.withdraw(folder, "news@1", "It loses numbers.")
    ran = precis_process("summarise", SEED, "--replay", RECORDINGS, "--prompt", "news@1")
    assert ran.returncode == 1
    assert "news@1 was withdrawn: It loses numbers. Use news@4 instead." in ran.stderr


def test_the_doctor_knows_labels_and_what_is_withdrawn(
    precis: Precis, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt that is set and cannot be used is said before the first request."""
    library.label(folder, "news@2", "production", why="w")
    library.withdraw(folder, "news@1", "It loses numbers.")
    monkeypatch.setenv("PRECIS_PROMPT", "news@1")
    shown = " ".join(precis("doctor").stdout.split())
    assert "news@production is news@2" in shown
    assert "PRECIS_PROMPT is news@1: news@1 was withdrawn: It loses numbers." in shown
