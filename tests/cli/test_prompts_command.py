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
from rich.cells import cell_len

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
    assert moved.splitlines()[0].endswith("  news@production is news@5, it was news@4")
    assert moved.splitlines()[1].startswith("    because: report.txt ")
    assert "has the label production" in failed(precis("prompts", "withdraw", "news@5", "--why", "Worse."))
    done(precis("prompts", "label", "news@4", "production", "--why", "Back."))
    assert "news@5 is withdrawn" in done(precis("prompts", "withdraw", "news@5", "--why", "Worse."))
    lines = done(precis("prompts", "history", "news")).splitlines()
    assert [line.partition("  ")[2] for line in lines if not line.startswith(" ")] == [
        "news@5 released",
        "news@production is news@4",
        "news@production is news@5, it was news@4",
        "news@production is news@4, it was news@5",
        "news@5 withdrawn",
    ]
    assert lines[-1] == "    why: Worse."
    last = done(precis("prompts", "list")).splitlines()[-1].split()
    assert last[:6] == ["news@5", "withdrawn", "-", day(folder), "Withdrawn:", "Worse."]
    assert done(precis("prompts", "verify")).splitlines()[-2:] == [
        f"news@5  {library.load(folder).released[4].digest}  withdrawn: Worse.",
        "news@production  is news@4",
    ]


def day(folder: Path) -> str:
    """Of the last entry of the history."""
    return library.load(folder).catalogue.history[-1].at[:10]


# --- to read ---------------------------------------------------------------------------------------------------------


def test_a_list_shows_state_labels_and_the_day_of_release(precis: Precis, folder: Path) -> None:
    """Where the history knows it; the four of the project were released before it was kept."""
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    done(precis("prompts", "release", "news@5"))
    rows = [line.split()[:4] for line in done(precis("prompts", "list")).splitlines()]
    assert rows[0] == ["VERSION", "STATE", "LABELS", "RELEASED"]
    assert rows[1] == ["news@1", "released", "-", "-"]
    assert rows[2] == ["news@2", "released", "production", "-"]
    assert rows[5] == ["news@5", "released,", "latest", "-"]
    assert day(folder) in done(precis("prompts", "list")).splitlines()[5]


def test_a_line_of_a_list_is_a_line(precis: Precis, folder: Path) -> None:
    """The change is cut to 100 columns where there is no terminal, wide letters counted; drafts stand out."""
    path = folder / "news/v5.md"
    lines = [
        'change: "One\\n two: ' + "数字" * 60 + '"' if line.startswith("change:") else line
        for line in path.read_text(encoding="utf-8").split("\n")
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    for flags, state in (((), "draft, not used"), (("--dev",), "draft, used (--dev)")):
        shown = done(precis("prompts", "list", *flags)).splitlines()
        assert len(shown) == 6
        assert max(cell_len(line) for line in shown) <= 100
        assert all(line.endswith("…") for line in shown[3:])
        assert f"  {state}  " in shown[5]
        assert "One two: 数字" in shown[5]


def test_an_event_is_a_few_short_lines(precis: Precis, folder: Path) -> None:
    """What, why, because of what; each line within 100 columns, and all of the words are there."""
    why = "Because of this and that. " * 20
    done(precis("prompts", "label", "news@2", "production", "--why", why))
    lines = done(precis("prompts", "history")).splitlines()
    assert lines[0].endswith("Z  news@production is news@2")
    assert all(line.startswith("    ") and len(line) <= 100 for line in lines[1:])
    assert " ".join(" ".join(lines[1:]).split()) == f"why: {why.strip()}"


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
        (("release", "news"), "Say which version of news by its number. Drafts there: news@5."),
        (("release", "news5"), "There is no prompt 'news5'. Did you mean news? There are: news."),
        (("release", "nws@5"), "There is no prompt 'nws'. Did you mean news?"),
        (("release", "news@4"), "released already"),
        (("release", "news@9"), "There is no draft news@9"),
        (("release", "news@5+dirty.00000000"), "There is no draft"),
        (("withdraw", "news", "--why", "w"), "Say which version of news by its number or a label. Released are news@1"),
        (("withdraw", "news5", "--why", "w"), "There is no prompt 'news5'. Did you mean news?"),
        (("withdraw", "news@latest", "--why", "w"), "Say which version of news"),
        (("withdraw", "news@5", "--why", "w"), "is a draft"),
        (("withdraw", "news@2", "--why", " "), "Say it with --why"),
        (("label", "news", "production", "--why", "w"), "Say which version of news"),
        (("label", "news@2", "latest", "--why", "w"), "computed, and cannot be set"),
        (("label", "news@5", "production", "--why", "w"), "is a draft, and may still change. Release it first"),
        (("label", "news", "production", "--remove", "--why", "w"), "news has no label 'production'"),
        (("label", "news@2", "production", "--remove", "--why", "w"), "`precis prompts label news production --remove"),
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
        ("label", "news", "production", "--remove"),
        ("label", "news", "production", "--remove", "--new", "--why", "w"),
        ("label", "news", "production", "--remove", "--because", "x", "--why", "w"),
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
    assert len(json.loads(done(precis("prompts", "history", "--json")))) == 1


def test_verify_says_which_label_was_set_by_hand(precis: Precis, folder: Path) -> None:
    """The history does not know why."""
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    (folder / "labels.json").write_text('{"news": {"candidate": 3, "production": 4}}', encoding="utf-8")
    assert done(precis("prompts", "verify")).count("(the history does not say so: it was set by hand)") == 2
    (folder / "labels.json").write_text("{}", encoding="utf-8")
    gone = "news@production  is not set  (the history has it on news@2: it was removed by hand)"
    assert done(precis("prompts", "verify")).splitlines()[-1] == gone
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    done(precis("prompts", "label", "news", "production", "--remove", "--why", "w"))
    assert "by hand" not in done(precis("prompts", "verify"))


def test_a_release_says_what_it_means(precis: Precis, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the prompt's name means it, and whether those that name nothing get it."""
    text = (folder / "news/v5.md").read_text(encoding="utf-8")
    for number in (6, 7):
        new = text.replace("version: 5", f"version: {number}").replace("You retell", f"You retell {number}")
        (folder / f"news/v{number}.md").write_text(new.replace("parent: 3", "parent: 4"), encoding="utf-8")
    ran = precis("prompts", "release", "news@6")
    assert "news and news@latest now mean news@6.\n" in ran.stdout
    assert "PRECIS_PROMPT is news: requests that name no prompt get it.\n" in ran.stdout
    notes = ran.stderr.splitlines()
    assert notes[0] == "note: news@5 is skipped: not released."
    assert notes[1].startswith("note: Its `change` repeats that of its parent news@4 word for word.")
    assert (ran.returncode, len(notes)) == (0, 2)
    assert "news and news@latest still mean news@6.\n" in done(precis("prompts", "release", "news@5"))
    done(precis("prompts", "label", "news@1", "production", "--why", "w"))
    monkeypatch.setenv("PRECIS_PROMPT", "news@production")
    said = precis("prompts", "release", "news@7").stdout
    assert "news and news@latest now mean news@7.\n" in said
    assert "PRECIS_PROMPT is news@production: requests that name no prompt still get news@1.\n" in said


def test_a_version_that_changes_nothing_is_not_released(precis: Precis, folder: Path) -> None:
    """The message names the one that it is a copy of."""
    text = (folder / "news/v4.md").read_text(encoding="utf-8").replace("version: 4", "version: 5")
    (folder / "news/v5.md").write_text(text, encoding="utf-8")
    before = (folder / "lock.json").read_bytes()
    assert "news@5 sends exactly what news@4 sends, which is released" in failed(precis("prompts", "release", "news@5"))
    assert (folder / "lock.json").read_bytes() == before


def test_a_label_with_a_slip_is_asked_about(precis: Precis, folder: Path) -> None:
    """It is set where it is said to be new, and removed again."""
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    slip = ("prompts", "label", "news@3", "prodution", "--why", "w")
    assert "Did you mean production? If not, say --new." in failed(precis(*slip))
    done(precis(*slip, "--new"))
    said = done(precis("prompts", "label", "news", "prodution", "--remove", "--why", "A slip."))
    assert said.splitlines()[0].endswith("  news@prodution removed, it was news@3")
    assert said.splitlines()[1] == "    why: A slip."
    assert said in done(precis("prompts", "history")) + said.splitlines()[-1] + "\n"
    assert library.load(folder).catalogue.labels == {"news": {"production": 2}}


def test_removing_the_label_that_is_used_where_none_is_named_is_noted(
    precis: Precis, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done, and what follows from it is said."""
    done(precis("prompts", "label", "news@2", "production", "--why", "w"))
    monkeypatch.setenv("PRECIS_PROMPT", "news@production")
    ran = precis("prompts", "label", "news", "production", "--remove", "--why", "w")
    assert ran.returncode == 0
    assert "note: PRECIS_PROMPT is news@production, which now means nothing" in ran.stderr


# --- what does not load ----------------------------------------------------------------------------------------------


READ = [("list",), ("show", "news@1"), ("history",), ("diff", "news@1", "news@2")]


@pytest.mark.parametrize("command", READ)
@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize("broken", [4, 5])
def test_what_loads_is_shown_beside_what_does_not(
    precis: Precis, folder: Path, command: tuple[str, ...], flags: tuple[str, ...], broken: int
) -> None:
    """A draft or a released version: its fault on standard error, and the exit code says that it is not all."""
    whole = done(precis("prompts", *command, *flags))
    (folder / f"news/v{broken}.md").write_text("broken", encoding="utf-8")
    ran = precis("prompts", *command, *flags)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"precis: {folder / 'news' / f'v{broken}.md'}:1: there is no front matter.")
    assert ran.stderr.count("\n") == 1
    if command == ("list",):
        assert f"news@{broken}" not in ran.stdout
        assert ("latest" in ran.stdout.replace('"latest": null', "").replace('"latest": false', "")) == (broken == 5)
        assert "news@1" in ran.stdout
    else:
        assert ran.stdout == whole


def test_verify_says_all_that_is_wrong(precis: Precis, folder: Path) -> None:
    """Not only what it met first; a draft that is not used is a warning."""
    edit(folder, 2)
    (folder / "news/v3.md").unlink()
    (folder / "news/v5.md").write_text("broken", encoding="utf-8")
    (folder / "labels.json").write_text('{"news": {"production": 9}}', encoding="utf-8")
    ran = precis("prompts", "verify")
    assert (ran.returncode, len(ran.stdout.splitlines())) == (1, 2)
    assert [words for line in ran.stderr.splitlines() for words in [line.split(": ")[0]]] == [
        "precis",
        "precis",
        "warning, a draft that is not used",
        "precis",
    ]
    said = ("v2.md was edited", "v3.md is gone", "v5.md:1: there is no front matter", "the label production of news")
    assert all(words in line for words, line in zip(said, ran.stderr.splitlines(), strict=True))


def test_a_draft_that_does_not_load_fails_verify_with_dev_only(precis: Precis, folder: Path) -> None:
    """Without it nothing uses the draft."""
    (folder / "news/v5.md").write_text("broken", encoding="utf-8")
    ran = precis("prompts", "verify")
    assert (ran.returncode, ran.stderr.startswith("warning, a draft that is not used: ")) == (0, True)
    ran = precis("prompts", "verify", "--dev")
    assert (ran.returncode, ran.stderr.startswith("precis: ")) == (1, True)


def test_a_draft_that_does_not_load_stops_no_service_that_does_not_use_it(
    precis: Precis, precis_process: Precis, folder: Path
) -> None:
    """It is logged, without a word of it, and the doctor knows; with --dev it stops the start."""
    (folder / "news/v5.md").write_text("---\nname: news\nchange: SECRET\n---\n## SECRET\n", encoding="utf-8")
    command = ("summarise", SEED, "--json", "--replay", RECORDINGS, "--prompt", "news@1")
    ran = precis_process(*command, PRECIS_LOG_LEVEL="warning")
    assert summary(ran)["prompt"] == "news@1"
    assert ran.stderr.count("draft_does_not_load") == 1
    assert "news/v5.md" in ran.stderr
    assert "SECRET" not in ran.stderr
    refused = precis_process(*command, "--dev")
    assert (refused.returncode, "v5.md:1: the front matter does not fit" in refused.stderr) == (1, True)
    shown = " ".join(precis("doctor").stdout.split())
    assert "A draft does not load, and nothing else needs it:" in shown
    assert "the front matter does not fit" in shown


def test_a_draft_that_does_not_load_is_not_released(precis: Precis, folder: Path) -> None:
    """The message says what is wrong with it; another one is released beside it."""
    text = (folder / "news/v5.md").read_text(encoding="utf-8")
    (folder / "news/v6.md").write_text(text.replace("version: 5", "version: six"), encoding="utf-8")
    assert "v6.md:3: the front matter does not fit" in failed(precis("prompts", "release", "news@6"))
    assert "news@5 is released" in done(precis("prompts", "release", "news@5"))


# --- drafts and edited versions --------------------------------------------------------------------------------------


def test_an_edited_version_fails_what_needs_it_but_with_dev(precis: Precis, folder: Path) -> None:
    """Commands that read show the rest and fail; with --dev it is shown as what it is, and verify still fails."""
    name = edit(folder, 3)
    for command in (("show", "news@3"), ("diff", "news@2", "news@3"), ("label", "news@1", "x", "--why", "w")):
        assert "v3.md was edited after its release" in failed(precis("prompts", *command))
    for name_only in ("verify", "list", "history"):
        ran = precis("prompts", name_only)
        assert (ran.returncode, "news@3" in ran.stdout) == (1, False)
        assert "v3.md was edited after its release: its digest is " in ran.stderr
    refused = precis("summarise", SEED, "--replay", RECORDINGS)
    assert (refused.returncode, "and the lock has 6907aa406e95" in refused.stderr) == (1, True)
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
