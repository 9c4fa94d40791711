"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const say = (text) => { byId("said").textContent = text; };
  const root = document.documentElement;
  root.classList.add("js");

  // The address of what is looked at, so that it can be sent to somebody.
  const remember = (hash) => history.replaceState(null, "", hash);

  // --- one stop for the Tab key in each group; arrows move within it ---
  function current(group, item) {
    for (const other of group) other.tabIndex = other === item ? 0 : -1;
  }
  const grouped = new Map();
  function rove(group) {
    if (!group.length) return;
    current(group, group[0]);
    for (const item of group) grouped.set(item, group);
  }

  // --- pairs ---
  const pairs = all("section.pair");
  const links = all(".pairs a");
  function showPair(id) {
    for (const pair of pairs) pair.hidden = pair.id !== id;
    for (const link of links) {
      if (link.hash === "#" + id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
  if (pairs.length > 1) showPair(pairs[0].id);
  for (const link of links) link.addEventListener("click", (event) => {
    event.preventDefault();
    showPair(link.hash.slice(1));
    remember(link.hash);
  });

  // --- filters ---
  for (const bar of all(".filters")) {
    bar.hidden = false;
    const docs = all(".doc", bar.parentElement);
    const told = bar.parentElement.querySelector(".shown");
    bar.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const tag = button.dataset.tag;
      for (const other of all("button", bar)) other.setAttribute("aria-pressed", String(other === button));
      for (const doc of docs) doc.hidden = Boolean(tag) && !doc.dataset.tags.split(" ").includes(tag);
      told.textContent = docs.filter((doc) => !doc.hidden).length + " of " + docs.length + " documents";
    });
  }

  // --- tabs, made when a document is first opened ---
  function select(doc, panel, focus) {
    for (const button of all(":scope > .tabs > button", doc)) {
      const on = button.getAttribute("aria-controls") === panel.id;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      if (on && focus) button.focus();
    }
    for (const other of all(":scope > .panel", doc)) other.hidden = other !== panel;
    copy(panel);
  }
  function copy(panel) {
    if (!panel.dataset.copies || panel.dataset.copied) return;
    panel.dataset.copied = "true";
    for (const id of panel.dataset.copies.trim().split(" ")) {
      const from = id && byId(id);
      if (!from) continue;
      const title = document.createElement("h5");
      title.textContent = from.querySelector("summary").textContent;
      panel.append(title, from.querySelector(".body").cloneNode(true));
    }
    for (const link of all(":scope > p > a", panel)) link.parentElement.remove();
  }
  function prepare(doc) {
    if (doc.classList.contains("tabbed")) return;
    const panels = all(":scope > .panel", doc);
    if (!panels.length) return;
    doc.classList.add("tabbed");
    const bar = document.createElement("div");
    bar.className = "tabs";
    bar.setAttribute("role", "tablist");
    bar.setAttribute("aria-label", "Views of " + doc.querySelector(".name").textContent);
    panels.forEach((panel, at) => {
      panel.id = doc.id + "t" + at;
      panel.setAttribute("role", "tabpanel");
      const button = document.createElement("button");
      button.type = "button";
      button.id = panel.id + "b";
      button.textContent = panel.dataset.tab;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", panel.id);
      panel.setAttribute("aria-labelledby", button.id);
      button.addEventListener("click", () => select(doc, panel, false));
      bar.append(button);
    });
    bar.addEventListener("keydown", (event) => {
      const at = [...bar.children].indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: panels.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      select(doc, panels[(to + panels.length) % panels.length], true);
    });
    panels[0].before(bar);
    select(doc, panels[0], false);
    rove(all(".claim", doc));
    rove(all(".at", doc));
    for (const at of all(".at", doc)) at.setAttribute("aria-label", "cited by " + at.textContent);
    for (const strip of all(".strip ol", doc)) rove(all("a", strip));
    for (const box of all(".strip [aria-label].box", doc)) box.title = box.getAttribute("aria-label");
  }
  for (const doc of all("details.doc")) {
    if (doc.open) prepare(doc);
    doc.addEventListener("toggle", () => { if (doc.open) prepare(doc); });
  }

  // --- a claim, its counterpart and its source light up together ---
  const short = (claim) => claim.id.slice(claim.closest(".doc").id.length);
  // A claim may stand in several rows, where it says what two of the other side say: links to it stand for it.
  const again = (claim) => all('.again[href="#' + claim.id + '"]', claim.closest(".doc"));
  const others = (claim) => [claim, ...again(claim)].map((one) => {
    const cell = all(".cell", one.closest(".row")).find((side) => side !== one.parentElement);
    const found = cell && cell.querySelector(".claim, .again");
    return found && found.matches(".again") ? byId(found.hash.slice(1)) : found;
  }).filter(Boolean);
  const marked = (doc, keys) =>
    all("mark", doc).filter((mark) => mark.dataset.c.split(" ").some((key) => keys.includes(key)));
  function clear() {
    const classes = ["lit", "lit-too", "partner", "spot", "some-lit"];
    for (const one of all(classes.map((name) => "." + name).join())) one.classList.remove(...classes);
    for (const one of all(".claim[aria-current]")) one.removeAttribute("aria-current");
  }
  function scrollPane(place) {
    const pane = place && place.closest(".source-pane");
    if (!pane) return;
    const offset = place.getBoundingClientRect().top - pane.getBoundingClientRect().top;
    if (offset < 40 || offset > pane.clientHeight - 80) pane.scrollTop += offset - pane.clientHeight / 3;
  }
  function light(claims, follow) {
    const doc = claims[0].closest(".doc");
    clear();
    const partners = [...new Set(claims.flatMap(others))].filter((one) => !claims.includes(one));
    for (const claim of claims) {
      claim.setAttribute("aria-current", "true");
      for (const one of [claim, ...again(claim)]) one.classList.add("lit");
    }
    for (const partner of partners) for (const one of [partner, ...again(partner)]) one.classList.add("partner");
    for (const mark of marked(doc, partners.map(short))) mark.classList.add("lit-too");
    const own = marked(doc, claims.map(short));
    for (const mark of own) { mark.classList.remove("lit-too"); mark.classList.add("lit"); }
    if (own.length) { doc.classList.add("some-lit"); if (follow) scrollPane(own[0]); }
    const sentences = [...new Set(own.map((mark) => mark.closest(".s")).filter(Boolean).map((s) => s.id.split("n").pop()))];
    const claim = claims[0];
    const label = claim.closest(".row").querySelector(".chip").textContent.trim();
    const named = partners.map((partner) => partner.querySelector(".id").textContent).join(", ");
    const counterpart = named ? ", counterpart " + named : ", no counterpart";
    say(claim.querySelector(".id").textContent + ": " + label + counterpart +
      (sentences.length ? "; source sentence " + sentences.join(", ") : ""));
  }
  function spot(link) {
    const sentence = byId(link.hash.slice(1));
    if (!sentence) return;
    clear();
    sentence.classList.add("spot");
    scrollPane(sentence);
    say(link.getAttribute("aria-label") + ". " + sentence.textContent.slice(0, 300));
  }

  // --- a link into what is closed, in another tab or in another pair opens it ---
  function reveal(id) {
    const target = id && byId(id);
    if (!target) return null;
    const pair = target.closest(".pair");
    if (pair && pair.hidden) showPair(pair.id);
    const doc = target.closest(".doc");
    if (doc) { doc.hidden = false; }
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (doc && doc.tagName === "DETAILS") {
      prepare(doc);
      const panel = target.closest(".panel");
      if (panel && panel.hidden) select(doc, panel, false);
    }
    return target;
  }
  function go(id) {
    const target = reveal(id);
    if (!target) return;
    if (target.matches(".claim, .at")) target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
    if (target.matches(".at")) scrollPane(target);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.closest(".pairs")) return;
    if (link && link.matches(".strip a")) { event.preventDefault(); spot(link); return; }
    if (link && link.matches(".claim")) {
      event.preventDefault();
      light([link], true);
      remember("#" + link.id);
      // Enter goes on to the source; a click stays where it is.
      if (event.detail === 0) { const place = byId(link.hash.slice(1)); if (place && place.matches(".at")) go(place.id); }
      return;
    }
    if (link) {
      if (byId(link.hash.slice(1))) { event.preventDefault(); go(link.hash.slice(1)); remember(link.hash); }
      return;
    }
    const mark = event.target.closest("mark");
    if (mark && String(getSelection()) === "") {
      const doc = mark.closest(".doc");
      const claims = mark.dataset.c.split(" ").map((key) => byId(doc.id + key)).filter(Boolean);
      if (claims.length) { light(claims, false); claims[0].scrollIntoView({ block: "nearest" }); }
    }
  });
  document.addEventListener("focusin", (event) => {
    const item = event.target;
    if (!item.matches) return;
    if (grouped.has(item)) current(grouped.get(item), item);
    if (item.matches(".claim")) light([item], true);
    if (item.matches(".at")) { const claim = byId(item.hash.slice(1)); if (claim) light([claim], false); }
  });
  document.addEventListener("keydown", (event) => {
    const item = document.activeElement;
    const doc = item && item.closest && item.closest(".doc");
    if (!doc || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") { clear(); say("cleared"); return; }
    const group = grouped.get(item);
    if (!group) return;
    let to;
    if (item.matches(".claim")) {
      const side = group.filter((one) => one.parentElement.className === item.parentElement.className);
      const at = side.indexOf(item);
      to = { ArrowDown: side[at + 1], ArrowUp: side[at - 1], Home: side[0], End: side[side.length - 1] }[event.key];
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") to = across(item, event.key === "ArrowRight" ? "of-b" : "of-a");
    } else {
      const at = group.indexOf(item);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      to = step ? group[at + step] : { Home: group[0], End: group[group.length - 1] }[event.key];
    }
    if (!to) {
      if (event.key.startsWith("Arrow")) event.preventDefault();
      return;
    }
    event.preventDefault();
    to.focus({ preventScroll: true });
    to.scrollIntoView({ block: "nearest" });
  });
  // The claim on the other side: the counterpart, or else the nearest one below or above.
  function across(claim, side) {
    if (claim.parentElement.classList.contains(side)) return null;
    const rows = all(".row", claim.closest(".rows"));
    const from = rows.indexOf(claim.closest(".row"));
    const beside = others(claim)[0];
    if (beside) return beside;
    const near = rows.map((row, at) => [Math.abs(at - from), at, row.querySelector("." + side + " > .claim")]);
    return near.filter(([, , found]) => found).sort((one, two) => one[0] - two[0] || two[1] - one[1]).map(([, , found]) => found)[0];
  }

  // --- paper has no folds ---
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details.doc:not([open])").filter((doc) => !doc.closest("[hidden]"));
    for (const doc of folded) doc.open = true;
  });
  addEventListener("afterprint", () => { for (const doc of folded) doc.open = false; });

  addEventListener("hashchange", () => go(location.hash.slice(1)));
  if (location.hash) go(decodeURIComponent(location.hash.slice(1)));
})();
