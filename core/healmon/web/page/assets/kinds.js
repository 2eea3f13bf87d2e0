// What the rows of each panel say. All words come from healmon; here they are put into columns.

import { el, mark, say, svg } from "./dom.js";
import * as w from "./words.js";

const fact = (head, of, more = {}) => ({ head, of, class: "num", spoken: head, ...more });
const why = (of) => ({ head: "why", of, class: "why" });
const NAME = { head: "", of: (item) => item.name, class: "name" };

/** The level of a component: what healmon is doing about it now is calmer than what nobody mends. */
function levelOf(part) {
  if (part.plan && ["critical", "warning"].includes(part.level)) return "acting";
  const rests = ["down", "stopped"].includes(part.wanted) || ["idle", "protected"].includes(part.state);
  if (part.level === "ok" && rests) return "off";
  return part.level;
}

const DOING = {
  restart_worker: ["restart", "restarting"],
  clear_stuck_session: ["clear", "clearing"],
  clear_database_lock: ["unlock", "unlocking"],
  clean_disk: ["clean", "cleaning"],
};

/** What is said of a component where its state stands: the plan in flight, else its state. */
function stateOf(part, { now }) {
  if (!part.plan) return part.state;
  const [will, does] = DOING[part.plan.action] ?? Array(2).fill(w.named(part.plan.action));
  const wait = (w.moment(part.plan.due) - now) / 1000;
  return part.plan.acting || wait < 0.5 ? `${does}…` : `${will} in ${w.lasting(wait)}`;
}
const STATE = { head: "state", of: stateOf, class: "state" };

const whyOf = (part, { now }) => {
  const paused = part.paused_until === "forever" ? "never touched" : `paused ${w.till(part.paused_until, now)}`;
  return [part.paused_until && paused, part.text !== part.state && part.text].filter(Boolean).join(" · ");
};

const common = (part, { now }) => [
  ["state", `${part.state} since ${w.clock(part.since, now)}`],
  ["why", whyOf(part, { now })],
  ["next", part.plan && `${w.named(part.plan.action)}: ${part.plan.why}`],
  ["last look", w.clock(part.seen_at, now)],
];

const part = {
  key: (item) => item.component,
  component: (item) => item.component,
  level: levelOf,
  count: (items) => `${items.length || ""}`,
};

const workers = {
  ...part, kind: "workers", title: "Workers", none: "no workers are configured",
  count: (items) => {
    const wanted = items.filter((item) => item.wanted !== "down" && item.wanted !== "stopped");
    return items.length ? `${wanted.filter((item) => item.pid && item.status === "healthy").length}/${wanted.length} up` : "";
  },
  cells: [
    NAME, STATE, fact("pid", (item) => item.pid ?? "–"),
    fact("up", (item, { now }) => (item.pid ? w.since(item.up_since, now) : "–")),
    fact("restarts", (item) => (item.failures ? `${item.failures}/${item.max_failures}` : item.restarts_total || item.restarts)),
    why(whyOf),
  ],
  more: (item, about) => [
    ...common(item, about),
    ["cause", item.cause],
    ["next try", w.clock(item.next_at, about.now)],
    ["processor", item.cpu === null ? "" : `${item.cpu.toFixed(1)}%`],
    ["memory", w.size(item.rss_bytes ?? NaN)],
    ["when down", item.critical ? "critical" : "warning"],
  ],
};

const sessions = {
  ...part, kind: "sessions", title: "Sessions", none: "no tmux sessions",
  count: (items) => {
    const wrong = items.filter((item) => ["critical", "warning"].includes(item.level)).length;
    return items.length ? (wrong ? `${wrong} of ${items.length} need a look` : `${items.length}`) : "";
  },
  cells: [
    NAME, STATE, fact("quiet", (item, { now }) => w.since(item.quiet_since, now) || "–"),
    fact("task", (item) => item.tasks.join(" ") || "–"), why((item, about) => whyOf(item, about) || item.last_line),
  ],
  more: (item, about) => [
    ...common(item, about),
    ["agent", item.agent],
    ["command", item.command],
    ["asks", item.question],
    ["choices", item.choices.join(" · ")],
    ["shows", item.last_line],
    ["hands off", item.hands_off || item.held],
    ["attached", item.attached ? w.several(item.attached, "client") : ""],
  ],
};

const databases = {
  ...part, kind: "databases", title: "Locks", none: "no databases are watched",
  count: (items) => (items.length ? `${items.filter((item) => !item.locked_since).length} of ${items.length} free` : ""),
  cells: [
    NAME, STATE, fact("held by", (item) => item.holder || "–"),
    fact("for", (item, { now }) => w.since(item.locked_since, now) || "–"), why(whyOf),
  ],
  more: (item, about) => [
    ...common(item, about),
    ["holder", item.holder && `${item.holder}, pid ${item.holder_pid ?? "unknown"}`],
    ["hands off", item.why_not],
    ["file", item.path],
    ["journal", [item.mode, w.size(item.wal_bytes ?? NaN)].filter(Boolean).join(", ")],
    ["size", w.size(item.size_bytes ?? NaN)],
  ],
};

const disks = {
  ...part, kind: "disks", title: "Disks", none: "no disks are watched",
  cells: [
    NAME, { head: "used", class: "gauge", make: gauge, draw: drawGauge, spoken: "used" },
    { head: "24 h", class: "trend", make: () => svg("svg", { "aria-hidden": "true", viewBox: "0 0 96 16", preserveAspectRatio: "none" }), draw: drawTrend },
    fact("free", (item) => w.size(item.free_bytes ?? NaN) || "–"),
    fact("full in", (item) => (item.full_in_s === null ? "–" : item.full_in_s < 60 ? "now" : w.lasting(item.full_in_s))),
    why(whyOf),
  ],
  more: (item, about) => [
    ...common(item, about),
    ["used", [item.used_bytes, item.size_bytes].map((bytes) => w.size(bytes ?? NaN)).filter(Boolean).join(" of ")],
    ["inodes", w.percent(item.inode_ratio ?? NaN)],
    ["full in", item.full_in_s === null ? "it does not fill up" : `about ${w.lasting(item.full_in_s)}`],
    ["path", item.path],
    ["cleaned", item.cleaned],
  ],
};

function gauge() {
  return el("span", {}, el("span", { class: "bar", "aria-hidden": "true" }, el("span")), el("span"));
}

function drawGauge(node, item) {
  const [bar, text] = node.children;
  bar.firstChild.style.width = `${Math.min(100, (item.used_ratio ?? 0) * 100)}%`;
  say(text, w.percent(item.used_ratio ?? NaN) || "?");
}

/** The last day of a disk as a line; its lowest and highest are at least five points apart. */
function drawTrend(node, item, { trends }) {
  const points = trends.get(item.name) ?? trends.get(item.component) ?? [];
  if (node.points === points) return;
  node.points = points;
  const values = points.map((point) => point[3]);
  const low = Math.min(...values), high = Math.max(low + 0.05, ...values);
  const [from, to] = [points[0]?.[0], points.at(-1)?.[0]];
  const path = points.map(([t, , , last], at) =>
    `${at ? "L" : "M"}${(((t - from) / (to - from || 1)) * 96).toFixed(1)} ${(15 - ((last - low) / (high - low)) * 14).toFixed(1)}`);
  node.replaceChildren(...(points.length > 1 ? [svg("path", { d: path.join(""), "vector-effect": "non-scaling-stroke" })] : []));
}

const SEVERITY = { CRITICAL: "critical", WARNING: "warning", INFO: "info" };

/** Whether somebody has said that an alert is known, or that it is not to be told. */
export const isKnown = (alert) => Boolean(alert.acknowledged_at || alert.over.length);

const alertLevel = (alert) => {
  if (alert.resolved) return "done";
  if (alert.acknowledged_at) return "known";
  if (alert.state === "pending") return "info";
  return alert.over.length ? "silenced" : SEVERITY[alert.severity] ?? "unknown";
};

const knownBy = (alert, { now }) => {
  if (alert.resolved) return `over since ${w.clock(alert.resolved_at, now)}: ${alert.resolution}`;
  if (alert.state === "pending") return "found once, not confirmed yet";
  if (!alert.acknowledged_at) return "";
  const end = alert.acknowledged_until ? ` ${w.till(alert.acknowledged_until, now)}` : "";
  return `known by ${alert.acknowledged_by}${end}${alert.note ? `: ${alert.note}` : ""}`;
};

const alerts = {
  kind: "alerts", title: "Alerts", none: "no open alerts",
  key: (item) => String(item.id),
  component: (item) => item.component,
  level: alertLevel,
  count: (items) => {
    const [known, pending] = [items.filter(isKnown).length, items.filter((item) => item.state === "pending").length];
    const open = items.length - pending;
    return [open && `${open} open`, known && `${known} known`, pending && `${pending} not confirmed`].filter(Boolean).join(" · ");
  },
  cells: [
    { head: "since", of: (item, { now }) => w.clock(item.first_seen, now), class: "time" },
    { head: "component", of: (item) => item.component, class: "name" },
    { head: "what happened", of: (item) => item.message, class: "why" },
    { head: "", of: (item, about) => [knownBy(item, about), ...item.over].filter(Boolean).join(" · "), class: "said" },
  ],
  more: (item, about) => [
    ["alert", `${item.id} · ${item.severity} · ${item.state}`],
    ["what", item.message],
    ["seen", `${w.several(item.count, "time")}, last at ${w.clock(item.last_seen, about.now)}`],
    ["known", knownBy(item, about)],
    ["muted", item.over.join(" · ")],
    ["key", item.key],
  ],
};

const actions = {
  kind: "actions", title: "Done lately", none: "nothing had to be healed",
  key: (item) => `${item.at} ${item.component} ${item.action}`,
  level: (item) => (item.outcome === "verified" ? "done" : "failed"),
  count: (items) => {
    const failed = items.filter((item) => item.outcome === "failed").length;
    return items.length ? `${items.length - failed} proved${failed ? ` · ${failed} failed` : ""}` : "";
  },
  cells: [
    { head: "at", of: (item, { now }) => w.clock(item.at, now), class: "time" },
    { head: "component", of: (item) => item.component, class: "name" },
    { head: "did", of: (item) => w.named(item.action), class: "did" },
    fact("took", (item) => w.took(item.seconds)),
    { head: "", of: (item) => item.proved_by, class: "why" },
  ],
  more: (item, { now }) => [
    ["did", `${w.named(item.action)} at ${w.clock(item.at, now)}`],
    [item.outcome === "verified" ? "proved by" : "failed", item.proved_by],
    ["took", w.took(item.seconds)],
  ],
};

const silences = {
  kind: "holds", title: "Silences", none: "no silences",
  key: (item) => `silence ${item.id}`, level: () => "silenced", count: (items) => `${items.length || ""}`,
  cells: [{ head: "", of: (item) => item.text, class: "why" }],
  more: (item, { now }) => [["match", item.match], ["by", item.by], ["note", item.note], ["muted", w.several(item.muted, "alert")], ["until", w.clock(item.until, now)]],
};

const pauses = {
  kind: "holds", title: "Pauses", none: "nothing is paused",
  key: (item) => `pause ${item.name}`, level: () => "paused", count: (items) => `${items.length || ""}`,
  component: (item) => item.name,
  cells: [{ head: "", of: (item) => item.text, class: "why" }],
  more: (item, { now }) => [["covers", item.name], ["by", item.by], ["note", item.note],
    ["until", item.until === "forever" ? "somebody ends it" : w.clock(item.until, now)],
    ["would have done", Object.entries(item.would).map(([what, times]) => `${what}${times > 1 ? `, ${w.several(times, "time")}` : ""}`).join(" · ")]],
};

export const KINDS = {
  workers, sessions, databases, disks, alerts, actions, silences, pauses,
  calling: { ...alerts, title: "Open", none: "nothing calls for a person" },
  known: { ...alerts, title: "Known", none: "nothing is acknowledged or muted", count: (items) => `${items.length || ""}` },
  ended: { ...alerts, title: "Over", none: "no alert has ended yet", count: (items) => `${items.length || ""}` },
};

/** Worst first, then by name: the order of a panel at rest. */
export function worstFirst(kind, items) {
  const ranked = items.map((item) => [w.level(kind.level(item)).rank, item]);
  return ranked.sort(([a, one], [b, other]) => a - b || String(one.name).localeCompare(String(other.name))).map(([, item]) => item);
}
