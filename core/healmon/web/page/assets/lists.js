// Lists whose rows stay where they are while somebody points at one or has one in focus.
//
// The worst comes first, but never under a hand: as long as a row is held, rows change in place, new
// ones come last, and those that are gone stay as a shadow. What grows above is scrolled away.

import { all, calm, el, mark, one, pairs, say } from "./dom.js";
import { level } from "./words.js";

const IDLE = 30_000; // a hand that has not moved for so long holds nothing
let active = -IDLE;
for (const kind of ["pointermove", "pointerdown", "keydown", "focusin"]) {
  addEventListener(kind, () => (active = performance.now()), { passive: true, capture: true });
}

/** The row that somebody points at or has in focus; null when all may move. */
export function held() {
  if (performance.now() - active > IDLE) return null;
  return document.activeElement?.closest(".row") ?? one(".row:hover");
}

/** Change the page without moving the row that is held. */
export function steadily(change) {
  const anchor = held();
  const before = anchor?.getBoundingClientRect().top;
  change(anchor !== null);
  if (anchor?.isConnected) {
    const moved = anchor.getBoundingClientRect().top - before;
    if (Math.abs(moved) >= 1) scrollBy({ top: moved, behavior: "instant" });
  }
}

/** One panel: a heading with the columns' names, and a row for each item of a kind. */
export class List {
  /**
   * @param panel the section to fill: data-list names it, data-digit is its key.
   * @param kind see kinds.js: what its rows say.
   * @param offer (item, kind) => buttons for what can be done with it.
   */
  constructor(panel, kind, offer) {
    Object.assign(this, { panel, kind, offer, rows: new Map() });
    const title = `title-${panel.dataset.list}`;
    const digit = panel.dataset.digit;
    this.count = el("span", { class: "count" });
    this.list = el("ul", { "aria-labelledby": title, role: "list" });
    this.none = el("p", { class: "none" }, kind.none);
    panel.setAttribute("aria-labelledby", title);
    panel.append(
      el("h2", { id: title },
        digit && el("kbd", { "aria-hidden": "true" }, digit), el("span", {}, kind.title), this.count),
      el("div", { class: "heads", "aria-hidden": "true" }, el("span"),
        ...kind.cells.map((cell) => el("span", { class: cell.class }, cell.head))),
      this.list, this.none,
    );
    panel.classList.add(kind.kind);
  }

  /** Draw the items; `still` keeps each row in its place. */
  update(items, about, still) {
    const drawn = items.map((item) => [this.kind.key(item), item]);
    const there = new Set(drawn.map(([key]) => key));
    for (const [key, item] of drawn) {
      if (!this.rows.has(key)) this.rows.set(key, new Row(key, this.kind));
      this.rows.get(key).draw(item, about, this.offer);
    }
    for (const [key, row] of this.rows) {
      mark(row.node, "data-gone", still && !there.has(key));
      if (!still && !there.has(key)) this.drop(key, row);
    }
    const wanted = drawn.map(([key]) => this.rows.get(key).node);
    if (still) {
      const now = [...this.list.children];
      arrange(this.list, [...now, ...wanted.filter((node) => !now.includes(node))]);
    } else {
      arrange(this.list, wanted);
    }
    say(this.count, this.kind.count(items, about));
    mark(this.panel, "data-empty", items.length === 0);
    rove(this.list);
  }

  drop(key, row) {
    row.node.remove();
    this.rows.delete(key);
  }
}

/** Put nodes into an order without touching the one that has the focus, which would lose it. */
function arrange(list, wanted) {
  let next = null;
  for (const node of wanted.toReversed()) {
    const placed = node.parentNode === list && node.nextElementSibling === next;
    if (!placed && !node.contains(document.activeElement)) list.insertBefore(node, next);
    next = node;
  }
}

/** One row of each list can be tabbed to; the arrows go on from there. */
function rove(list) {
  const lines = all(".line", list);
  const current = lines.find((line) => line.tabIndex === 0 && !line.parentNode.hidden);
  const chosen = current ?? lines.find((line) => !line.parentNode.hidden);
  for (const line of lines) line.tabIndex = line === chosen ? 0 : -1;
}

/** Every row that is seen, from top to bottom, and the focus moved by so many of them. */
export function move(step, from = document.activeElement) {
  const lines = all(".line").filter((line) => line.offsetParent !== null);
  if (!lines.length) return;
  const at = lines.indexOf(from?.closest(".row")?.querySelector(".line"));
  const next = at < 0 ? (step > 0 ? 0 : lines.length - 1) : Math.min(Math.max(at + step, 0), lines.length - 1);
  focus(lines[next]);
}

export function focus(line) {
  for (const other of all(".line", line.closest("ul"))) other.tabIndex = other === line ? 0 : -1;
  line.focus();
}

class Row {
  constructor(key, kind) {
    this.kind = kind;
    this.sign = el("span", { class: "mark", "aria-hidden": "true" });
    this.word = el("span", { class: "sr" });
    this.cells = kind.cells.map((cell) => {
      const value = cell.make ? cell.make() : el("span");
      return [cell, value, el("span", { class: cell.class },
        cell.spoken && el("span", { class: "sr" }, ` ${cell.spoken} `), value)];
    });
    this.line = el("button", { type: "button", class: "line", "aria-expanded": "false", onclick: () => this.toggle() },
      el("span", { class: "signs" }, this.sign, this.word), ...this.cells.map(([, , node]) => node));
    this.facts = el("dl");
    this.acts = el("div", { class: "acts" });
    this.more = el("div", { class: "more", hidden: true }, this.facts, this.acts);
    this.node = el("li", { class: "row", "data-key": key }, this.line, this.more);
    this.node.row = this;
  }

  draw(item, about, offer) {
    Object.assign(this, { item, about, offer });
    const name = this.kind.level(item);
    const { sign, word } = level(name);
    const before = this.node.dataset.level;
    mark(this.node, "data-level", name);
    say(this.sign, sign);
    say(this.word, `${word}: `);
    for (const [cell, node] of this.cells) {
      if (cell.draw) cell.draw(node, item, about);
      else say(node, cell.of(item, about));
    }
    mark(this.node, "hidden", !about.shows(this.node.textContent) || null);
    if (!this.more.hidden) this.drawMore();
    if (before && before !== name && !calm()) {
      this.line.animate([{ backgroundColor: "var(--flash)" }, {}], { duration: 1600, easing: "ease-out" });
    }
  }

  drawMore() {
    pairs(this.facts, this.kind.more(this.item, this.about));
    const offered = this.offer(this.item, this.kind);
    const names = offered.map(({ text }) => text).join("\n");
    if (this.acts.dataset.names === names) return;
    this.acts.dataset.names = names;
    this.acts.replaceChildren(...offered.map((act) =>
      el("button", { type: "button", "data-verb": act.verb, onclick: () => this.act(act.verb) }, act.text)));
  }

  /** Do what is offered under a verb, with the item as it is now. */
  act(verb) {
    const found = this.offer(this.item, this.kind).find((act) => act.verb === verb);
    found?.run();
    return found !== undefined;
  }

  toggle() {
    this.more.hidden = !this.more.hidden;
    this.line.setAttribute("aria-expanded", String(!this.more.hidden));
    if (!this.more.hidden) this.drawMore();
  }
}
