// The health page: the live state in, rows out.

import { leave, mayAct, offered } from "./acts.js";
import { draw } from "./charts.js";
import { all, el, mark, one, pairs, say } from "./dom.js";
import { listen } from "./keys.js";
import { isKnown, KINDS, worstFirst } from "./kinds.js";
import { List, steadily } from "./lists.js";
import { Live } from "./live.js";
import * as w from "./words.js";

const VIEWS = ["health", "alerts", "history", "status"];
const RANGES = ["1h", "8h", "24h", "7d", "30d"];
const FEW = 12; // actions that are listed
const MANY = 200; // rows

const live = new Live();
const trends = new Map();
const lists = new Map();
let ended = [];
let range = "24h";
let due = 0;
let ticks = 0;

const filter = {
  input: one("#filter"),
  begin() {
    if (view() !== "health") location.hash = "health";
    setTimeout(() => this.input.select());
  },
  end() {
    this.input.value = "";
    this.input.blur();
    redraw();
  },
  shows(text) {
    return this.input.value.toLowerCase().split(/\s+/).every((word) => text.toLowerCase().includes(word));
  },
};

// -- drawing

function redraw() {
  stamp();
  const { state } = live;
  if (!state) return;
  const about = { now: live.now, trends, shows: () => true };
  const filtered = { ...about, shows: (text) => filter.shows(text) };
  const given = shown(state);
  steadily((still) => {
    for (const [name, list] of lists) {
      const items = given[name];
      if (list.panel.closest("[data-view]").hidden) continue;
      list.update(items, list.panel.closest("[data-view='health']") ? filtered : about, still);
    }
    top(state);
    count();
  });
}

/** Draw soon: at once where there is little, once a second where there are hundreds of rows. */
function soon() {
  due ||= setTimeout(() => {
    due = 0;
    redraw();
  }, Math.min(1000, 2 * many()));
}

/** A second has gone by: ages are told anew; of hundreds every five seconds. */
function tick() {
  if (document.hidden) return;
  ticks += 1;
  if (many() < MANY || ticks % 5 === 0) redraw();
  else stamp();
}

const many = () => document.getElementsByClassName("row").length;

/** What each list shows. */
function shown(state) {
  const ranked = (name, items) => worstFirst(KINDS[name], items);
  const [known, calling] = [state.alerts.filter(isKnown), state.alerts.filter((alert) => !isKnown(alert))];
  return {
    ...Object.fromEntries(["workers", "sessions", "databases", "disks"].map((name) => [name, ranked(name, state[name])])),
    alerts: ranked("alerts", state.alerts),
    actions: state.actions.slice(0, FEW),
    calling: ranked("calling", calling),
    known: ranked("known", [...known, ...state.pending]),
    silences: state.silences,
    pauses: state.pauses,
    ended,
  };
}

function top(state) {
  const { verdict, healer, host } = state;
  const { sign, word } = w.level(verdict.level);
  // the tab's title and sign are seen when the page is not: they must not say what is old
  const told = ["live", "asked"].includes(live.link);
  const signed = told && ["ok", "warning", "critical"].includes(verdict.level) ? verdict.level : "unknown";
  document.title = `${told ? `${sign} ${verdict.text}` : "○ not live"} · ${host} · healmon`;
  mark(one("#icon"), "href", `/assets/${signed}.svg`);
  mark(one("#verdict"), "data-level", verdict.level);
  say(one("#verdict"), `${sign} ${verdict.text}`);
  say(one("#spoken"), live.link === "live" ? `${word}: ${verdict.text}` : "");
  say(one("#host"), host);
  say(one("#open-alerts"), state.alerts.filter((alert) => !isKnown(alert)).length || "");
  say(one("#summary"), summary(state, healer));
  pairs(one("#about"), status(state, healer));
}

function summary({ tallies, pauses }, healer) {
  const done = ["verified", "failed"].filter((name) => tallies[name]).map((name) => `${tallies[name]} ${name}`);
  return [
    healer.dry_run && "dry run: nothing is done",
    pauses.length && `${w.several(pauses.length, "pause")} in force`,
    healer.cycle.number && `look ${healer.cycle.number} took ${w.took(healer.cycle.seconds)}, every ${w.lasting(healer.cycle.interval)}`,
    done.length && `healed since start: ${done.join(", ")}`,
  ].filter(Boolean).join(" · ");
}

function status(state, healer) {
  const failing = Object.entries(healer.failing).map(([name, reason]) => `${name}: ${reason}`).join(" · ");
  return [
    ["healer", healer.running ? `runs, pid ${healer.pid}` : `none runs; the last one ${healer.ended || "is not known"}`],
    ["version", healer.version],
    ["mode", healer.dry_run ? `${healer.mode}, dry run` : healer.mode],
    ["since", healer.since && `${w.clock(healer.since, live.now)} (${w.since(healer.since, live.now)})`],
    ["last look", healer.cycle.at && `number ${healer.cycle.number} at ${w.clock(healer.cycle.at, live.now)}, took ${w.took(healer.cycle.seconds)}`],
    ["next look", healer.running && `every ${w.lasting(healer.cycle.interval)}`],
    ["trouble", healer.trouble],
    ["cannot look", failing],
    ["notices", state.channels.map((one) => `${one.name} does not take them: ${one.reason} (${one.waiting} wait)`).join(" · ")],
    ["newest event", `${state.last_id} at ${w.clock(state.at, live.now)}`],
    ["store", state.epoch],
    ["you may", mayAct ? "look and act" : "look"],
  ];
}

/** How true the page is now: live, or as of when. */
function stamp() {
  const { link, state, age } = live;
  const running = state?.healer.running;
  const there = link === "live" || link === "asked";
  const fresh = there && running && !state.healer.hung;
  const level = fresh ? "ok" : there ? "critical" : "unknown";
  mark(one("#stamp"), "data-level", state || link !== "connecting" ? level : "info");
  say(one("#stamp .mark"), fresh ? "●" : "○");
  const seen = state ? `as of ${w.clock(state.at, live.now)}` : "";
  const old = Number.isFinite(age) ? `as of ${w.lasting(age)} ago` : "";
  say(one("#stamp-text"), {
    live: fresh ? `live ${w.clock(live.now / 1000, live.now)}` : seen,
    asked: old, lost: `not connected ${old}`, resting: old, connecting: "connecting", "signed out": `signed out ${old}`,
  }[link]);
  trouble(link, state);
  mark(document.body, "data-stale", !fresh && state !== null);
}

function trouble(link, state) {
  const last = state && !state.healer.running ? state.healer : null;
  let text = "";
  if (link === "signed out") text = "You are signed out. Reload the page to sign in again.";
  else if (link === "asked" && live.tries > 2) text = "Too many pages look on: this one is not live, it asks twice a minute.";
  else if (link === "lost") text = "The web server does not answer. What you see is old; this page tries again by itself.";
  else if (last) text = `No healer runs${last.ended ? `: the last one ${last.ended}, ${w.since(last.ended_at, live.now)} ago` : ""}. Nothing is healed. Start one with: healmon daemon`;
  else if (state?.healer.hung) text = "The healer hangs: no look has finished for too long.";
  else if (state?.healer.trouble) text = `The health store: ${state.healer.trouble}`;
  say(one("#trouble"), text);
  mark(one("#trouble"), "hidden", text === "");
}

function count() {
  const rows = all("[data-view='health'] .row");
  const there = rows.filter((row) => !row.hidden).length;
  say(one("#filtered"), filter.input.value.trim() ? `${there} of ${rows.length} rows` : "");
}

// -- views

/** The view that the address names; any other name is the first one's. */
function view() {
  const name = location.hash.slice(1);
  return name === "about" ? "status" : VIEWS.includes(name) ? name : "health";
}

function show({ moved = true } = {}) {
  const now = view();
  for (const section of all("[data-view]")) mark(section, "hidden", section.dataset.view !== now);
  for (const link of all("nav a")) mark(link, "aria-current", link.getAttribute("href") === `#${now}` ? "page" : null);
  redraw();
  if (now === "history") history();
  if (now === "alerts") past();
  if (moved) {
    scrollTo(0, 0);
    one(`[data-view="${now}"] h1`).focus({ preventScroll: true });
  }
}

async function got(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) live.signedOut();
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function history() {
  const wanted = range;
  try {
    const answer = await got(`/api/v1/history?since=${wanted}`);
    if (wanted !== range) return;
    draw(one("#charts"), answer);
    say(one("#history-note"), answer.series.some((one) => one.points.length) ? "" : "nothing is known of this time yet");
  } catch {
    say(one("#history-note"), "the history cannot be read now");
  }
}

async function past() {
  try {
    const answer = await got("/api/v1/alerts?all=true");
    ended = answer.alerts.filter((alert) => alert.resolved).slice(0, 50).map((alert) => ({ ...alert, over: [] }));
    redraw();
  } catch {
    // the open ones are there; those that are over can wait for the next visit
  }
}

async function trend() {
  try {
    const { series } = await got("/api/v1/history?since=24h&step=1800");
    for (const one of series) if (one.name === "disk_used_ratio") trends.set(one.label, one.points);
    redraw();
  } catch {
    // a disk without its last day is still a disk
  }
}

/** Say what became of an override. */
async function tell(answering) {
  const answer = await answering;
  const node = one("#answer");
  mark(node, "data-level", answer.ok ? "done" : "critical");
  say(node, `${answer.ok ? "✓" : "✗"} ${answer.text}`);
  clearTimeout(node.fading);
  node.fading = setTimeout(() => say(node, ""), 12_000);
}

// -- beginning

for (const panel of all("[data-list]")) {
  lists.set(panel.dataset.list, new List(panel, KINDS[panel.dataset.list], (item, kind) => offered(item, kind, tell)));
}
one("#ranges").append(...RANGES.map((name) => el("button", {
  type: "button", "aria-pressed": String(name === range),
  onclick: (event) => {
    range = name;
    for (const button of all("#ranges button")) mark(button, "aria-pressed", String(button === event.target));
    history();
  },
}, name)));
for (const node of all(".operator")) node.hidden = !mayAct;
one("#skip").addEventListener("click", (event) => {
  event.preventDefault();
  one("main section:not([hidden]) h1").focus();
});
one("#leave").addEventListener("click", leave);
filter.input.addEventListener("input", redraw);
listen({ filter, mayAct });
live.addEventListener("change", soon);
addEventListener("hashchange", () => show());
setInterval(tick, 1000);
setInterval(() => document.hidden || trend(), 300_000);
show({ moved: false });
live.open();
live.seen();
trend();
