"""The page of a comparison in a browser, from a file: nothing is fetched, and the keyboard is enough."""

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from service.core.comparison import Comparison, LedgerEntry
from service.rendering.comparison import html

pytestmark = [pytest.mark.chromium, pytest.mark.enable_socket]

Built = tuple[Comparison, Mapping[str, str]]

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1440,1000"),
)
KEYS = dict(
    zip(
        ("Tab", "Enter", "Escape", "End", "Home", "Left", "Up", "Right", "Down"),
        "\ue004\ue007\ue00c\ue010\ue011\ue012\ue013\ue014\ue015",
        strict=True,
    )
)


class Browser:
    """A browser, driven by the W3C WebDriver protocol; scripts of a test are not bound by the policy of the page."""

    def __init__(self, client: httpx.Client, profile: Path) -> None:
        options = {"binary": str(CHROMIUM), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
        self._client = client
        self._session = ""
        self._session = f"/session/{self.post('/session', capabilities={'alwaysMatch': wanted})['sessionId']}"

    def post(self, path: str, **body: Any) -> Any:
        """Send a command; what it answers."""
        answer = self._client.post(self._session + path, json=body)
        assert answer.is_success, answer.text
        return answer.json()["value"]

    def open(self, page: Path, fragment: str = "") -> None:
        """Go to a file, anew."""
        self.post("/url", url="about:blank")
        self.post("/url", url=f"{page.as_uri()}{fragment}")

    def run(self, expression: str) -> Any:
        """What an expression has for a value in the page."""
        return self.post("/execute/sync", script=f"return {expression}", args=[])

    def until(self, expression: str) -> None:
        """Wait until an expression holds in the page, as long as a script of a test may take."""
        look = f"const look = () => ({expression}) ? done() : requestAnimationFrame(look)"
        self.post("/execute/async", script=f"const done = arguments[0]; {look}; look()", args=[])

    def texts(self, selector: str) -> list[str]:
        """The words of all that a selector finds."""
        found: list[str] = self.run(f"[...document.querySelectorAll({selector!r})].map((one) => one.textContent)")
        return found

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        actions = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self.post("/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def click(self, selector: str) -> None:
        """Click what a selector finds first."""
        found = self.post("/element", using="css selector", value=selector)
        self.post(f"/element/{next(iter(found.values()))}/click")

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def log(self, kind: str) -> list[str]:
        """What was logged since the last time: `browser` is the console, `performance` the network."""
        return [entry["message"] for entry in self.post("/se/log", type=kind)]

    def close(self) -> None:
        """End it."""
        self._client.delete(self._session)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str, str], None]) -> Iterator[Browser]:
    """A browser with a profile of its own."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        require("chromium", f"{CHROMIUM} or {DRIVER} is missing: apt-get install chromium chromium-driver")
    command = [str(DRIVER), "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:  # noqa: S603 - the driver itself
        assert driver.stdout is not None
        try:
            ports = (re.search(r"started successfully on port (\d+)", line) for line in driver.stdout)
            port = next(found[1] for found in ports if found)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                opened = Browser(client, tmp_path_factory.mktemp("profile"))
                yield opened
                opened.close()
        finally:
            driver.kill()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Path:
    """The page in a file: a failed document set (s1), one with every label (s2), one that means harm (s3)."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(html.render(*built), encoding="utf-8")
    return file


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    """The browser at the page, with the second document open."""
    browser.open(page)
    browser.click("#p1s2 > summary")
    # what the script adds to a document comes when it was opened, not with the click
    browser.until("document.querySelector('#p1s2 [role=tab]') !== null")
    return browser


ACTIVE = "document.activeElement.id"
LIT = (
    "[...document.querySelectorAll('mark.lit')].map((mark) => mark.textContent.replace(/^([AB] k\\d+)+/, '')).join('')"
)


def shown(browser: Browser) -> list[str]:
    """The names of the documents that can be seen."""
    found: list[str] = browser.run(
        "[...document.querySelectorAll('.doc')].filter((doc) => doc.checkVisibility())"
        ".map((doc) => doc.querySelector('.name').textContent)"
    )
    return found


def test_nothing_is_fetched_and_nothing_is_complained_of(browser: Browser, page: Path) -> None:
    """The file is all that is read, the one script is allowed by its digest, and the console stays empty."""
    browser.log("performance")
    browser.open(page)
    for tab in ("Ledger", "Metrics", "Prompts", "Raw"):
        browser.run(f"[...document.querySelectorAll('#p1s1 [role=tab]')].find((t) => t.textContent == {tab!r}).click()")
    messages = [msgspec.json.decode(message)["message"] for message in browser.log("performance")]
    sent = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    mine = [one["request"]["url"] for one in sent if one["documentURL"] == page.as_uri()]
    assert mine == [page.as_uri()]
    assert browser.log("browser") == []
    assert browser.run("document.scripts.length") == 1
    assert browser.run("document.documentElement.className") == "js"


def test_a_script_that_is_not_ours_does_not_run(browser: Browser, page: Path, tmp_path: Path) -> None:
    """The policy of the page would stop one that was smuggled in, and says so in the console."""
    text = page.read_text(encoding="utf-8")
    file = tmp_path / "smuggled.html"
    file.write_text(text.replace("</main>", '<script>document.title = "taken"</script></main>'), encoding="utf-8")
    browser.open(file)
    assert browser.run("document.title") == "news@2 against news@1: too few documents"
    assert any("Content Security Policy" in line for line in browser.log("browser"))


def test_a_claim_lights_up_its_counterpart_and_its_source(opened: Browser) -> None:
    """By a click; another click lights up another."""
    opened.click("#p1s2a3")
    assert opened.run("document.querySelector('#p1s2a3').className") == "claim should lit"
    assert opened.run("document.querySelector('#p1s2b2').className") == "claim should partner"
    assert opened.run(LIT) == "It will cost 430 million euros to rebuild it."
    assert opened.texts("#said") == ["A k2: ≠ changed, counterpart B k2; source sentence 2"]
    opened.click("#p1s2b5")
    assert opened.run("document.querySelectorAll('.claim.lit, .claim.partner').length") == 1
    assert opened.run(LIT) == "Traders fear for the summer."


def test_a_click_into_the_source_lights_up_the_claims_that_cite_it(opened: Browser) -> None:
    """All of them: the sentence that three claims rest on."""
    opened.click("#p1s2d1n1 mark")
    lit = opened.run("[...document.querySelectorAll('.claim.lit')].map((claim) => claim.id)")
    assert sorted(lit) == ["p1s2a1", "p1s2a2", "p1s2b1"]


def test_arrow_keys_move_between_claims_and_escape_clears(opened: Browser) -> None:
    """Up and down on one side, left and right to the other, Home and End to its ends."""
    opened.run("document.getElementById('p1s2a1').focus()")
    walked = []
    for key in ("Down", "Down", "Right", "Down", "Left", "Home", "Up", "End", "Down"):
        opened.press(key)
        walked.append(opened.run(ACTIVE).removeprefix("p1s2"))
    assert walked == ["a2", "a3", "b2", "b3", "a4", "a1", "a1", "a5", "a5"]
    assert opened.run("document.querySelector('.claim.lit').id") == "p1s2a5"
    opened.press("Escape")
    assert opened.run("document.querySelectorAll('.lit, .lit-too, .partner, .some-lit').length") == 0
    assert opened.run(ACTIVE) == "p1s2a5"


def test_the_keyboard_alone_reaches_everything(browser: Browser, page: Path) -> None:
    """From the top: to a document, open it, to its claims, on to the source, and back to the claim."""
    browser.open(page)

    def tab_to(reached: str) -> None:
        for _ in range(60):
            browser.press("Tab")
            if browser.run(reached):
                return
        pytest.fail(f"the Tab key does not lead to {reached}")

    tab_to("document.activeElement.parentElement.id == 'p1s2'")
    browser.press("Enter")
    assert browser.run("document.getElementById('p1s2').open")
    tab_to("document.activeElement.matches('#p1s2 .claim')")
    browser.press("Down", "Enter")
    assert browser.run(ACTIVE) == "p1s2a2e1"
    assert browser.run(LIT).startswith("The council closed")
    browser.press("Enter")
    assert browser.run(ACTIVE) == "p1s2a2"


def test_tabs_follow_the_arrow_keys_and_show_one_panel_each(opened: Browser) -> None:
    """Prompts and results are copied in from where they stand once in the page."""
    opened.run("document.querySelector('#p1s2 [role=tab]').focus()")
    for at, name in enumerate(opened.texts("#p1s2 [role=tab]")):
        visible = opened.run(
            "[...document.querySelectorAll('#p1s2 > .panel')].filter((one) => one.checkVisibility())"
            ".map((one) => one.dataset.tab)"
        )
        assert visible == [name], at
        opened.press("Right")
    assert opened.run("document.querySelector('#p1s2 [aria-selected=true]').textContent") == "Claims"
    opened.press("Left")
    raw = opened.texts("#p1s2 > .panel.raw pre")
    assert [msgspec.json.decode(text)["headline"] for text in raw] == ["bridge.txt in short"] * 2
    opened.press("Left")
    assert "Quotes" in opened.texts("#p1s2 > .panel.prompt pre")[0]


def test_filters_filter(browser: Browser, page: Path) -> None:
    """One at a time; how many are left is told, and a filter that nothing passes cannot be chosen."""
    browser.open(page)
    every = shown(browser)
    assert len(every) == 3
    told = {}
    for tag in ("regressed", "improved", "different", "unstable", "new_unsupported", "failed"):
        browser.click(f"button[data-tag={tag}]")
        told[tag] = len(shown(browser))
        assert browser.texts("#p1 .shown") == [f"{told[tag]} of 3 documents"]
        assert browser.run("document.querySelectorAll('.filters [aria-pressed=true]').length") == 1
    assert told == {
        "regressed": 1, "improved": 1, "different": 2, "unstable": 1, "new_unsupported": 1, "failed": 1
    }  # fmt: skip
    browser.click('button[data-tag=""]')
    assert shown(browser) == every


def test_a_cell_of_the_strip_leads_to_its_sentence(opened: Browser) -> None:
    """The sentence is framed in the source, and read out."""
    opened.run("document.querySelectorAll('#p1s2 .strip a')[5].click()")
    assert opened.texts(".s.spot") == ["B k5Traders fear for the summer."]
    assert opened.texts("#said")[0].startswith("sentence 6: B only")


def test_a_claim_that_says_what_two_say_lights_up_both(browser: Browser, tmp_path: Path, built: Built) -> None:
    """It stands beside each of them, and either leads to it."""
    comparison, texts = built
    (pair,) = comparison.pairs
    shared = LedgerEntry(label="reworded", a="k1", b="k5", by="evidence", score=0.8)
    sets = [msgspec.structs.replace(one, ledger=(*one.ledger[:-1], shared)) for one in pair.sets if one.set == "s1"]
    file = tmp_path / "shared.html"
    page = html.render(
        msgspec.structs.replace(comparison, pairs=(msgspec.structs.replace(pair, sets=tuple(sets)),)), texts
    )
    file.write_text(page, encoding="utf-8")
    browser.open(file)
    browser.click("#p1s1a1")
    classes = "[...document.querySelectorAll('.lit, .partner')].filter((one) => one.matches('a'))"
    assert browser.run(f"{classes}.map((one) => one.textContent.slice(0, 4) + ' ' + one.className)") == [
        "A k1 claim must lit", "B k1 claim must partner", "A k1 again lit", "B k5 claim should partner"
    ]  # fmt: skip
    assert browser.texts("#said") == ["A k1: = same, counterpart B k1, B k5; source sentence 1"]
    browser.run("document.getElementById('p1s1b5').focus()")
    browser.press("Left")
    assert browser.run(ACTIVE) == "p1s1a1"
    browser.click("#p1s1 .again")
    assert browser.run(ACTIVE) == "p1s1a1"


@pytest.mark.parametrize("target", ["p1s2a3", "p1s2a3e1", "p1s3d1n2"])
def test_a_link_opens_what_it_leads_to(browser: Browser, page: Path, target: str) -> None:
    """The address of a claim or a sentence can be sent to somebody."""
    browser.open(page, f"#{target}")
    assert browser.run(f"document.getElementById({target!r}).checkVisibility()")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 820, 1440])
def test_nothing_is_wider_than_the_screen(opened: Browser, width: int, dark: bool) -> None:
    """A word of 5,000 letters breaks, and tables scroll by themselves."""
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    opened.devtools("Emulation.setEmulatedMedia", features=[feature])
    opened.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    try:
        opened.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        opened.run("document.querySelectorAll('.panel').forEach((one) => { one.hidden = false; })")
        assert opened.run("document.documentElement.scrollWidth <= innerWidth")
    finally:
        opened.devtools("Emulation.clearDeviceMetricsOverride")
        opened.devtools("Emulation.setEmulatedMedia", features=[])


def test_paper_shows_every_document_with_its_claims_and_its_source(browser: Browser, page: Path) -> None:
    """And afterwards what was closed is closed again."""
    browser.open(page)
    browser.devtools("Emulation.setEmulatedMedia", media="print")
    try:
        browser.run("dispatchEvent(new Event('beforeprint'))")
        closed = browser.run(
            "[...document.querySelectorAll('.claim, .source')].filter((a) => !a.checkVisibility()).length"
        )
        hidden = browser.run("document.querySelector('.filters, .tabs').checkVisibility()")
        browser.run("dispatchEvent(new Event('afterprint'))")
    finally:
        browser.devtools("Emulation.setEmulatedMedia", media="")
    assert (closed, hidden) == (0, False)
    assert browser.run("document.querySelectorAll('.doc[open]').length") == 1


def test_pairs_are_chosen_and_shown_one_at_a_time(browser: Browser, tmp_path: Path, built: Built) -> None:
    """The first is the last version against the first."""
    comparison, texts = built
    (pair,) = comparison.pairs
    back = msgspec.structs.replace(pair, a="news@2", b="news@1", sentence="The other way round.")
    file = tmp_path / "pairs.html"
    file.write_text(html.render(msgspec.structs.replace(comparison, pairs=(pair, back)), texts), encoding="utf-8")
    browser.open(file)
    seen = "[...document.querySelectorAll('.pair')].filter((one) => one.checkVisibility()).map((one) => one.id)"
    assert browser.run(seen) == ["p1"]
    browser.click(".pairs a[href='#p2']")
    assert browser.run(seen) == ["p2"]
    assert browser.texts(".pairs [aria-current]")[0].startswith("news@1 against news@2")
    browser.open(file, "#p2s2a1")
    assert browser.run(seen) == ["p2"]


def test_without_script_everything_can_be_read(browser: Browser, page: Path) -> None:
    """Documents unfold, panels stand one below the other, and links lead to what they name."""
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        browser.click("#p1s2 > summary")
        tree = browser.devtools("DOMSnapshot.captureSnapshot", computedStyles=["display"])
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)
    seen = {tree["strings"][at] for at in tree["documents"][0]["layout"]["text"] if at >= 0}
    words = " ".join(seen)
    for expected in ("Ledger", "Ferries run every 20 minutes.", "How news@2 differs from news@1", "number: 430 → 340"):
        assert expected in words
    assert "of 3 documents" not in words
