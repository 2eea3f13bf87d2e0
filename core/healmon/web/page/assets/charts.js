// History as drawings: a line or bars for each series, the same as words, and as a table.

import { all, el, say, svg } from "./dom.js";
import * as w from "./words.js";

const HEIGHT = 150, LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 22;

/** How each unit is said, and the least that an axis spans. */
const UNITS = {
  ratio: { say: (value) => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)}%`, least: 0.1 },
  count: { say: (value) => String(Math.round(value * 100) / 100), least: 2 },
  seconds: { say: (value) => (value < 10 ? `${value.toFixed(1)} s` : w.lasting(value)), least: 1 },
};
const unitOf = (series) => UNITS[series.unit] ?? UNITS.count;

/** Titles, in the order that they are drawn in; what is not named here comes last, by its name. */
const TITLES = {
  disk_used_ratio: "Disk use",
  restarts: "Restarts",
  stuck_sessions: "Stuck sessions",
  heal_seconds: "Time to heal",
  open_alerts: "Open alerts",
};
/** Series whose label says how bad they are have its colour. */
const TONES = { verified: 4, failed: 5, CRITICAL: 5, WARNING: 1, INFO: 3 };
const ink = (line, at) => `line-${TONES[line.label] ?? at % 6}`;
const BARS = new Set(["restarts", "heal_seconds"]);

/** Draw an answer of /api/v1/history into a node, one figure for each name. */
export function draw(into, history) {
  const names = [...new Set([...Object.keys(TITLES), ...history.series.map((one) => one.name)])];
  into.replaceChildren(...names.map((name) => {
    const lines = history.series.filter((one) => one.name === name);
    return lines.length ? figure(name, lines, history) : null;
  }).filter(Boolean));
  for (const drawn of all("figure", into)) drawn.paint();
}

function figure(name, lines, history) {
  const title = TITLES[name] ?? w.named(name);
  const words = lines.map((line) => inWords(line, name)).join("; ");
  const drawing = svg("svg", { role: "img", "aria-label": `${title}: ${words}`, height: HEIGHT });
  const readout = el("output", {}, "");
  const table = el("details", { ontoggle: () => fill(table, lines) }, el("summary", {}, "as a table"));
  const node = el("figure", { tabindex: "0", "aria-label": `${title}. Left and right read single points.` },
    el("figcaption", {}, el("h2", {}, title), el("p", {}, words), readout),
    drawing, legend(lines), table);
  const view = { node, drawing, readout, lines, history, at: -1, bars: BARS.has(name) };
  node.paint = () => paint(view);
  new ResizeObserver(() => paint(view)).observe(node);
  drawing.addEventListener("pointermove", (event) => point(view, nearest(view, event)));
  drawing.addEventListener("pointerleave", () => point(view, -1));
  node.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.target !== node) return;
    event.preventDefault();
    const last = times(view).length - 1;
    point(view, Math.min(last, Math.max(0, view.at < 0 ? last : view.at + step)));
  });
  return node;
}

/** A series in one sentence. */
function inWords(line, name) {
  const { say: unit } = unitOf(line);
  const label = line.label ? `${line.label} ` : "";
  if (!line.points.length) return `${label}nothing`;
  const most = Math.max(...line.points.map((point) => point[2]));
  if (name === "restarts") return `${label}${line.points.reduce((sum, point) => sum + point[3], 0)}`;
  return `${label}now ${unit(line.points.at(-1)[3])}, at most ${unit(most)}`;
}

function legend(lines) {
  if (lines.length < 2) return null;
  return el("ul", { class: "legend" }, ...lines.map((line, at) => el("li", { class: ink(line, at) }, line.label || "all")));
}

function fill(table, lines) {
  if (!table.open || table.children.length > 1) return;
  const head = el("tr", {}, el("th", { scope: "col" }, "from"), ...lines.map((line) => el("th", { scope: "col" }, line.label || "all")));
  const moments = [...new Set(lines.flatMap((line) => line.points.map((point) => point[0])))].sort((a, b) => b - a);
  const known = lines.map((line) => new Map(line.points.map((point) => [point[0], unitOf(line).say(point[3])])));
  const rows = moments.slice(0, 300).map((at) => el("tr", {},
    el("th", { scope: "row" }, `${w.day(at * 1000)} ${w.minute(at * 1000)}`),
    ...known.map((values) => el("td", {}, values.get(at) ?? "–"))));
  table.append(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "points" },
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows))));
}

const times = ({ lines }) => [...new Set(lines.flatMap((line) => line.points.map((point) => point[0])))].sort((a, b) => a - b);

function scales({ node, lines, history, bars }) {
  const width = Math.max(240, Math.floor(node.clientWidth));
  const unit = unitOf(lines[0]);
  const points = lines.flatMap((line) => line.points);
  const low = bars || lines[0].unit === "count" ? 0 : Math.max(0, Math.min(...points.map((p) => p[1])) - 0.02);
  const most = Math.max(low + unit.least, ...points.map((p) => p[2]));
  const high = lines[0].unit === "count" ? 2 * Math.ceil(most / 2) : most; // so that half of it is whole
  const x = (t) => LEFT + ((t - history.from) / (history.to - history.from || 1)) * (width - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  return { width, unit, low, high, x, y };
}

function paint(view) {
  const { drawing, lines, history, bars } = view;
  const scale = scales(view);
  if (view.drawn === scale.width) return;
  view.drawn = scale.width;
  drawing.setAttribute("width", scale.width);
  drawing.setAttribute("viewBox", `0 0 ${scale.width} ${HEIGHT}`);
  const step = Math.max(1, scale.x(history.from + history.step) - scale.x(history.from));
  drawing.replaceChildren(
    ...levels(scale), ...moments(scale, history),
    ...lines.flatMap((line, at) => (bars ? columns(line, at, lines.length, scale, step) : curve(line, at, scale, history.step))),
    svg("line", { class: "cross", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" }),
  );
}

function levels({ width, unit, low, high, y }) {
  return [low, (low + high) / 2, high].flatMap((value) => [
    svg("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, unit.say(value)),
  ]);
}

function moments({ width, x }, { from, to }) {
  const span = to - from;
  const wanted = span / Math.max(2, Math.floor(width / 110));
  const step = [300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800].find((one) => one >= wanted) ?? 2592000;
  const zone = new Date(from * 1000).getTimezoneOffset() * 60;
  const first = Math.ceil((from - zone) / step) * step + zone;
  const ticks = [];
  for (let t = first; t <= to && ticks.length < 20; t += step) ticks.push(t);
  return ticks.map((t) => svg("text", { x: x(t), y: HEIGHT - 6, "text-anchor": x(t) > width - 30 ? "end" : "middle" },
    step >= 86400 ? w.day(t * 1000) : w.minute(t * 1000)));
}

/** A line with the band between least and most; a gap in the points is one in the line. */
function curve(line, at, { x, y }, step) {
  const parts = [];
  for (const point of line.points) {
    const last = parts.at(-1)?.at(-1);
    if (last && point[0] - last[0] < step * 2.5) parts.at(-1).push(point);
    else parts.push([point]);
  }
  const stepped = line.unit === "count"; // a number of things holds until it is another
  const path = (points, of) => points.map((p, n) => {
    const [left, top] = [x(p[0]).toFixed(1), y(p[of]).toFixed(1)];
    return n && stepped ? `${left} ${y(points[n - 1][of]).toFixed(1)}V${top}` : `${left} ${top}`;
  }).join("L");
  return parts.flatMap((points) => [
    stepped ? null : svg("path", { class: `band ${ink(line, at)}`, d: `M${path(points, 2)}L${path(points.toReversed(), 1)}Z` }),
    points.length > 1
      ? svg("path", { class: `curve ${ink(line, at)}`, d: `M${path(points, 3)}` })
      : svg("circle", { class: `dot ${ink(line, at)}`, cx: x(points[0][0]), cy: y(points[0][3]), r: 2 }),
  ].filter(Boolean));
}

/** Bars beside each other; a thin one up to the most where that is more than the last. */
function columns(line, at, count, { x, y }, step) {
  const wide = Math.max(1.5, Math.min(14, (step * 0.8) / count));
  return line.points.filter((p) => p[2] > 0).flatMap((p) => {
    const left = x(p[0]) + at * wide;
    const bar = (top, width, kind) => svg("rect", { class: `${kind} ${ink(line, at)}`, x: left + (wide - width) / 2, y: y(top), width, height: Math.max(1, y(0) - y(top)) });
    return [p[2] > p[3] && bar(p[2], Math.max(1, wide / 3), "most"), bar(p[3], wide, "column-bar")].filter(Boolean);
  });
}

function nearest(view, event) {
  const { x } = scales(view);
  const at = event.clientX - view.drawing.getBoundingClientRect().left;
  const away = times(view).map((t) => Math.abs(x(t) - at));
  return away.indexOf(Math.min(...away));
}

/** Say what was at a point of time; -1: nothing. */
function point(view, at) {
  view.at = at;
  const t = times(view)[at];
  const cross = view.drawing.querySelector(".cross");
  cross.setAttribute("visibility", t === undefined ? "hidden" : "visible");
  if (t === undefined) return say(view.readout, "");
  const { x } = scales(view);
  cross.setAttribute("x1", x(t));
  cross.setAttribute("x2", x(t));
  const values = view.lines.map((line) => {
    const found = line.points.find((p) => p[0] === t);
    return found && `${line.label ? `${line.label} ` : ""}${unitOf(line).say(found[3])}`;
  });
  return say(view.readout, `${w.day(t * 1000)} ${w.minute(t * 1000)}: ${values.filter(Boolean).join(", ") || "nothing"}`);
}
