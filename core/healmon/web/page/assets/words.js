// Times, sizes and levels as healmon says them everywhere.

/** Sign, word and rank of a level: never a colour alone, the worst first. */
export const LEVELS = {
  critical: { sign: "✗", word: "critical", rank: 0 },
  warning: { sign: "▲", word: "warning", rank: 1 },
  unknown: { sign: "?", word: "unknown", rank: 2 },
  failed: { sign: "✗", word: "failed", rank: 1 },
  acting: { sign: "▸", word: "healing", rank: 3 },
  known: { sign: "◐", word: "known", rank: 4 },
  silenced: { sign: "◌", word: "silenced", rank: 5 },
  paused: { sign: "◫", word: "paused", rank: 6 },
  ok: { sign: "●", word: "ok", rank: 7 },
  done: { sign: "✓", word: "done", rank: 8 },
  off: { sign: "○", word: "off", rank: 9 },
  info: { sign: "·", word: "note", rank: 10 },
};
export const level = (name) => LEVELS[name] ?? LEVELS.unknown;

/** Wall milliseconds of an RFC 3339 text, of Unix seconds, or NaN. */
export const moment = (at) => (typeof at === "number" ? at * 1000 : Date.parse(at ?? ""));

/** 42s, 12m30s, 3h12m, 2d04h: two units at most. */
export function lasting(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const s = Math.max(0, Math.round(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)}m${two(s % 60)}s` : `${s / 60}m`;
  if (s < 86400) return `${Math.floor(s / 3600)}h${two(Math.floor((s % 3600) / 60))}m`;
  return `${Math.floor(s / 86400)}d${two(Math.floor((s % 86400) / 3600))}h`;
}

/** How long something took: 0.8 s. */
export const took = (seconds) => (Number.isFinite(seconds) ? `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s` : "");

export function size(bytes) {
  if (!Number.isFinite(bytes)) return "";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let at = 0;
  for (; bytes >= 1000 && at < units.length - 1; at += 1) bytes /= 1000;
  return `${at ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

export const percent = (ratio) => (Number.isFinite(ratio) ? `${(ratio * 100).toFixed(1)}%` : "");

const clockOf = (options) => new Intl.DateTimeFormat("en-GB", options);
const HOUR = clockOf({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTE = clockOf({ hour: "2-digit", minute: "2-digit" });
const DAY = clockOf({ day: "numeric", month: "short" });

/** Time of day; another day is said. */
export function clock(at, now) {
  const ms = moment(at);
  if (Number.isNaN(ms)) return "";
  const near = new Date(ms).toDateString() === new Date(now).toDateString();
  return near ? HOUR.format(ms) : `${DAY.format(ms)} ${MINUTE.format(ms)}`;
}
export const minute = (ms) => MINUTE.format(ms);
export const day = (ms) => DAY.format(ms);
export const since = (at, now) => lasting((now - moment(at)) / 1000);
export const till = (at, now) => (Number.isNaN(moment(at)) ? "" : `till ${clock(at, now)}`);
export const several = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
export const named = (text) => String(text ?? "").replaceAll("_", " ");
