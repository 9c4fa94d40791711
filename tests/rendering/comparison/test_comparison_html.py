"""The page of a comparison, taken apart: self-contained, escaped, and true to the sources."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from service.core.comparison import Cited, Comparison, EntryLabel, LedgerEntry, PairVerdict, Strip, Tag
from service.core.text import visible
from service.core.types import Conflict, ConflictSide, SummaryResult
from service.rendering import pages
from service.rendering.comparison import html, markdown, panes, phrases, room, terminal

Built = tuple[Comparison, Mapping[str, str]]

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """A page taken apart: tags must nest, and what a reader sees is gathered by the element it stands in."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.attributes: set[str] = set()
        self.tags: list[str] = []
        self.policy = ""
        self.text = ""
        self.sources: list[str] = []
        self.by_class: dict[str, list[str]] = {}
        self.inline: dict[str, str] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, links, policies and what is opened."""
        named = {name: value or "" for name, value in attrs}
        assert len(named) == len(attrs), f"an attribute stands twice in <{tag}>"
        self.tags.append(tag)
        self.attributes |= set(named)
        self.ids += [named["id"]] if "id" in named else []
        for name in ("href", "src", "action", "srcset"):
            if name in named:
                (self.links if named[name].startswith("#") else self.outside).append(named[name])
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"]
        self.sources += [""] if named.get("class") == "source" else []
        for name in named.get("class", "").split():
            self.by_class.setdefault(name, []).append("")
        if tag not in VOID:
            self.open.append((tag, named))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """Gather the text of sources, without the labels that the page adds, and of everything by its class."""
        inside = {tag for tag, _ in self.open}
        classes = {name for _, named in self.open for name in named.get("class", "").split()}
        if "script" in inside or "style" in inside:
            self.inline[self.open[-1][0]] = data
            return
        self.text += data
        if "source" in classes and "sup" not in inside:
            self.sources[-1] += data
        for name in classes:
            self.by_class[name][-1] += data


def taken_apart(built: Built) -> Page:
    """Render, and take apart."""
    return Page(html.render(*built))


def without_texts(built: Built) -> Built:
    """The same where the texts are gone."""
    return built[0], {}


@pytest.mark.parametrize("change", [lambda built: built, without_texts])
def test_the_page_is_whole_and_self_contained(built: Built, change: Callable[[Built], Built]) -> None:
    """Tags nest, ids are unique, every link leads to a place in the page, and nothing stands outside."""
    page = taken_apart(change(built))
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert page.outside == []
    assert not set(page.tags) & {"link", "img", "iframe", "object", "form", "base", "i", "b", "audio", "video"}


def test_the_policy_allows_the_one_script_and_the_one_style_and_nothing_else(built: Built) -> None:
    """By their SHA-256; there are no handlers and no styles in attributes."""
    page = taken_apart(built)
    assert page.tags.count("script") == page.tags.count("style") == 1
    sources = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for tag, text in page.inline.items()
    }
    assert page.policy == (
        f"default-src 'none'; script-src {sources['script']}; style-src {sources['style']}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]


def test_script_and_style_are_the_same_text_after_any_line_ends() -> None:
    """A digest is of what a browser sees, which makes every line end a line feed."""
    for name in ("script.js", "style.css"):
        text = (pages.TEMPLATES / "comparison" / name).read_bytes().decode()
        assert "\r" not in text
        assert "</" not in text


def test_the_sources_stand_in_the_page_as_they_are_but_for_what_hides(built: Built) -> None:
    """Markup, braces, a word of 5,000 letters and all."""
    comparison, texts = built
    digests = {one.id: one.digests[0] for one in comparison.sets}
    wanted = [texts[digests[shown.set]] for shown in comparison.pairs[0].sets]
    assert taken_apart(built).sources == [visible(text) for text in wanted]


def test_no_hidden_character_and_no_nul_is_carried(built: Built) -> None:
    """Whoever copies from the page takes no hidden words along; in JSON they stand spelled out."""
    page = html.render(*built)
    assert visible(page) == page
    assert r"\u202e" in page


def test_nothing_of_a_source_or_a_model_becomes_markup(built: Built) -> None:
    """Names, claims, quotes and prompts are shown as they are written."""
    page = taken_apart(built)
    assert "</script><b>evil.txt" in page.by_class["name"]
    assert any("A&B said </script>." in claim for claim in page.by_class["claim"])
    assert "{{ 7 * 7 }}" in page.text
    assert page.inline["script"] == html._part("script.js")


def test_a_result_in_the_page_is_the_result(built: Built) -> None:
    """Its JSON can be copied out and read again, hidden characters and markup included."""
    comparison, texts = built
    page = html.render(comparison, texts)
    blocks = re.findall(r'<pre tabindex="0">(.*?)</pre>', page, re.DOTALL)
    read = [msgspec.json.decode(_unescaped(block), type=SummaryResult) for block in blocks]
    results = {trial.id: trial.result for trial in comparison.trials}
    wanted = [results[name] for one in comparison.pairs[0].sets for name in (one.a, one.b) if name]
    assert read == wanted


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_every_label_verdict_and_filter_is_said_in_words(built: Built) -> None:
    """By no colour alone."""
    page = taken_apart(built)
    chips = {" ".join(text.split()) for text in page.by_class["chip"]}
    assert {f"{phrases.SIGNS[label]} {label}" for label in get_args(EntryLabel)} <= chips
    assert set(page.by_class["verdict"]) == {phrases.VERDICTS[verdict] for verdict in get_args(PairVerdict)}
    for tag in get_args(Tag):
        assert phrases.TAGS[tag] in page.by_class["filters"][0]


def test_verdicts_are_called_by_their_words() -> None:
    """The same in every form."""
    assert list(phrases.VERDICTS.values()) == [
        "better", "worse", "no detectable change", "too few documents", "not comparable"
    ]  # fmt: skip


def test_documents_come_in_the_order_of_the_comparison(built: Built) -> None:
    """Worst regression first; the failed one before it."""
    names = taken_apart(built).by_class["name"]
    assert names == ["ferry.txt", "bridge.txt", "</script><b>evil.txt"]


def test_both_marks_stand_where_both_versions_cite(built: Built) -> None:
    """And each one's own where only it does."""
    page = taken_apart(built)
    labelled = re.compile(r"^([AB] k\d+)+")
    marks = {name: [labelled.sub("", text) for text in page.by_class[f"by-{name}"]] for name in ("a", "b", "both")}
    assert "Ferries run every 20 minutes until May 2027." in marks["a"]
    assert "Traders fear for the summer." in marks["b"]
    assert "The council closed the old bridge on Tuesday." in marks["both"]
    assert "Engineer Ana Ruiz said " in marks["b"]
    assert "the piers are sound" in marks["both"]


def test_masked_parts_are_shown_as_not_read(built: Built) -> None:
    """With the reason."""
    page = html.render(*built)
    assert '<span class="masked" data-why="not read: page furniture">Advertisement: buy boats now.</span>' in page


def test_every_sentence_of_the_strip_says_who_cites_it_and_leads_to_its_place(built: Built) -> None:
    """By a letter and in words."""
    page = html.render(*built)
    cells = re.findall(r'<a class="box (\w+)" href="#p1s2d1n(\d+)" aria-label="([^"]+)">(\S+)</a>', page)
    assert [(kind, int(number), letter) for kind, number, _, letter in cells] == [
        ("both", 1, "AB"), ("both", 2, "AB"), ("both", 3, "AB"), ("both", 4, "AB"),
        ("a", 5, "A"), ("b", 6, "B"), ("neither", 7, "·"), ("masked", 8, "×"),
    ]  # fmt: skip
    assert cells[4][2] == "sentence 5: A only"


def test_a_strip_without_places_has_no_links(built: Built) -> None:
    """A wrong place would be worse than none."""
    comparison, texts = built
    (pair,) = comparison.pairs
    shorter = tuple(
        replace(one, strips=tuple(Strip(document=of.document, sentences=of.sentences) for of in one.strips))
        for one in pair.sets
    )
    page = html.render(replace(comparison, pairs=(replace(pair, sets=shorter),)), texts)
    assert 'role="img" aria-label="sentence 5: A only"' in page
    assert 'href="#p1s2d1n5"' not in page


def test_a_long_strip_joins_neighbours_that_are_alike(built: Built) -> None:
    """It stays a strip, and counts every sentence."""
    comparison, _ = built
    (pair,) = comparison.pairs
    uncited: tuple[Cited, ...] = ("neither",)
    sentences: tuple[Cited, ...] = (*uncited * 300, "b")
    strips = tuple(
        replace(one, strips=tuple(Strip(document=of.document, sentences=sentences) for of in one.strips))
        for one in pair.sets
    )
    page = html.render(replace(comparison, pairs=(replace(pair, sets=strips),)), {})
    assert page.count('aria-label="sentences 1 to 300: neither">· 300</span>') == 2
    assert page.count('aria-label="sentence 301: B only"') == 2
    assert panes.MOST_CELLS < 301


def test_a_claim_may_stand_in_several_rows(built: Built) -> None:
    """Its ids and marks are in the page once; the other rows lead to it."""
    comparison, texts = built
    (pair,) = comparison.pairs
    shared = LedgerEntry(label="reworded", a="k1", b="k5", by="evidence", score=0.8)
    sets = tuple(replace(one, ledger=(*one.ledger[:-1], shared)) if one.set == "s1" else one for one in pair.sets)
    page = taken_apart((replace(comparison, pairs=(replace(pair, sets=sets),)), texts))
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert page.by_class["again"] == ["A k1 The council closed the old bridge on Tuesday."]


def test_without_its_text_a_document_shows_its_quotes_and_says_so(built: Built) -> None:
    """They stand with the claims, and no link is dead."""
    page = taken_apart(without_texts(built))
    assert page.sources == []
    assert page.text.count(phrases.NO_TEXT) == 3
    assert any("It will cost 430 million euros to rebuild it." in cell for cell in page.by_class["ledger-pane"])


def test_quotes_that_do_not_stand_in_the_text_are_not_marked(built: Built) -> None:
    """Whatever the caller calls the text, offsets are believed only where the quote is there."""
    comparison, texts = built
    wrong = {digest: "x" * len(text) for digest, text in texts.items()}
    page = taken_apart((comparison, wrong))
    assert page.sources == list(map(str, wrong.values()))[2:] + list(map(str, wrong.values()))[:2]
    assert "at" not in page.by_class


def test_a_failed_trial_says_why_and_shows_what_the_other_version_has(built: Built) -> None:
    """In place of a comparison."""
    page = taken_apart(built)
    assert "news@2: The endpoint was silent (endpoint_timeout). For 30 s." in page.by_class["warn"]
    assert any("All 40 people on board were saved." in claim for claim in page.by_class["claim"])
    assert "not compared: one of the two versions has no result" in page.text


def test_what_makes_two_versions_incomparable_is_told(apart: Comparison) -> None:
    """With the difference named, above the gate."""
    page = html.render(apart, {})
    assert page.index("Not comparable, because") < page.index("Model that answered: one") < page.index('id="gate"')


def test_the_primary_metric_is_marked_and_context_stands_apart(built: Built) -> None:
    """Which way is better is said for each score, and for context that it is none."""
    page = html.render(*built)
    scores, _, context = page.partition("Context, not scores")
    assert '<tr class="is-primary">\n        <th scope="row">cited points' in scores
    assert scores.count("↑ higher is better") == 4
    assert scores.count("↓ lower is better") == 1
    assert "tokens in" not in scores
    assert "tokens in" in context
    assert "No document set has a value in both: must recall." in scores


def test_withdrawn_and_unreleased_versions_are_marked(built: Built) -> None:
    """Before anything is made of their results."""
    comparison, _ = built
    first, second = comparison.versions
    assert second.prompt is not None
    marked = (
        replace(first, withdrawn="it </b> lost numbers"),
        replace(second, prompt=replace(second.prompt, dirty=True)),
    )
    page = taken_apart((replace(comparison, versions=marked), {}))
    assert {"withdrawn: it </b> lost numbers", "draft, not released"} <= set(page.by_class["warn"])


def test_words_and_numbers_of_both_stand_side_by_side(built: Built) -> None:
    """What only one has is struck or underlined, and told."""
    page = html.render(*built)
    assert "Rebuilding it costs <del>430</del> million euros." in page
    assert "Rebuilding it costs <ins>340</ins> million euros." in page
    assert '<th scope="row" dir="auto">20 minutes</th><td>number</td>' in page


def test_an_empty_comparison_is_a_page(built: Built) -> None:
    """No pairs, no sets, no trials, no rules."""
    comparison, _ = built
    empty = replace(
        comparison, pairs=(), sets=(), trials=(), prompt_diffs=(), gate=replace(comparison.gate, reasons=())
    )
    nothing = taken_apart((empty, {}))
    assert "h1" not in nothing.tags
    assert nothing.links == []
    (pair,) = comparison.pairs
    bare = replace(empty, pairs=(replace(pair, sets=(), metrics=(), notes=()),))
    page = taken_apart((bare, {}))
    assert "No metric was measured." in page.text
    assert "The prompts are not at hand." in page.text


def test_ids_that_stand_for_nothing_leave_their_place_empty(built: Built) -> None:
    """A report of a comparison that was put together elsewhere does not break."""
    comparison, texts = built
    page = taken_apart((replace(comparison, sets=(), trials=()), texts))
    assert page.sources == []
    assert page.by_class["name"] == ["s3", "s1", "s2"]


def test_rendering_twice_gives_the_same_page(built: Built) -> None:
    """To the letter."""
    assert html.render(*built) == html.render(*built)


# --- room ------------------------------------------------------------------------------------------------------------


def test_of_many_documents_the_first_are_shown_whole_and_the_page_says_what_is_not(
    many: Callable[[int], Built],
) -> None:
    """Then the ledger with its quotes, then a line each."""
    comparison, texts = many(room.MOST_WHOLE + 3)
    page = taken_apart((comparison, texts))
    assert len(page.sources) == room.MOST_WHOLE
    assert len(page.by_class["ledger"]) == room.MOST_WHOLE + 3
    assert "3 document sets are shown by their ledger and quotes alone." in page.text


def test_the_plan_is_bounded_however_many_there_are(many: Callable[[int], Built]) -> None:
    """Whole, ledger, line: in the order of the comparison."""
    comparison, texts = many(room.MOST_LEDGERS + 2)
    planned = room.plan(comparison, texts)
    assert planned.sets == {
        "whole": room.MOST_WHOLE, "ledger": room.MOST_LEDGERS - room.MOST_WHOLE, "line": 2
    }  # fmt: skip
    assert len(planned.sources) == room.MOST_WHOLE


def test_texts_that_are_too_long_for_the_page_are_left_out_and_it_says_so(built: Built) -> None:
    """The next one that fits is shown."""
    comparison, texts = built
    longer = {digest: text + "é" * (room.MOST_TEXT // 2) * ("ferry" in text) for digest, text in texts.items()}
    page = taken_apart((comparison, longer))
    assert len(page.sources) == 2
    assert phrases.NO_ROOM in page.text


def test_results_beyond_their_room_are_left_out_and_the_page_says_so(many: Callable[[int], Built]) -> None:
    """They are in the comparison as JSON."""
    comparison, texts = many(60)
    page = html.render(comparison, texts)
    blocks = re.findall(r'<pre tabindex="0">(.*?)</pre>', page, re.DOTALL)
    assert 0 < sum(map(len, blocks)) < 1.2 * room.MOST_BYTES
    assert "Left out, as this page has no more room." in page


def test_what_a_reworded_claim_leaves_out_is_shown(built: Built) -> None:
    """To say less is no change, and a reader sees it all the same: in the page, in Markdown and at a terminal."""
    comparison, texts = built
    (pair,) = comparison.pairs
    less = tuple(
        replace(
            one,
            ledger=tuple(
                replace(entry, label="reworded", changes=(), only_a=("four", "The Sopranos"))
                if entry.a and entry.b
                else entry
                for entry in one.ledger
            ),
        )
        for one in pair.sets
    )
    made = replace(comparison, pairs=(replace(pair, sets=less),))
    for shown in (html.render(made, texts), markdown.render(made), terminal.text(made)):
        assert "only A: four, The Sopranos" in " ".join(shown.split())


def test_the_conflicts_of_both_versions_are_shown(built: Built) -> None:
    """With the quotes of both sides; what only one version looked for, the other has none of."""
    comparison, texts = built
    (pair,) = comparison.pairs
    shown = next(one for one in pair.sets if one.b)
    (trial,) = [trial for trial in comparison.trials if trial.id == shown.b]
    assert trial.result is not None
    places = [place for point in trial.result.key_points for place in point.evidence][:2]
    sides = tuple(ConflictSide(key_points=(), evidence=(place,)) for place in places)
    conflict = Conflict(id="c1", scope="within", kind="number", sides=sides, note="Forty here, and none there.")
    result = replace(trial.result, conflicts=(conflict,))
    made = replace(
        comparison,
        trials=tuple(replace(one, result=result) if one.id == trial.id else one for one in comparison.trials),
    )
    page = html.render(made, texts)
    assert "Forty here, and none there." in page
    assert "Conflicts that each version found in the sources" in page
    assert "Conflicts that each version found in the sources" not in html.render(comparison, texts)
