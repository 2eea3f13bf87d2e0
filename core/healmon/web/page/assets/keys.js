// Keys, as in the terminal. Single letters can be switched off, for those who speak to their computer.

import { all, el, one } from "./dom.js";
import { focus, move } from "./lists.js";

const OFF = "healmon single keys off";
const TYPED = "input:not([type=checkbox]), select, textarea";
const LETTERS = { a: ["acknowledge", "unacknowledge"], s: ["silence", "unsilence"], m: ["pause", "resume"] };

const HELP = [
  ["j k ↑ ↓", "the row below, above"],
  ["Home End", "the first row, the last one"],
  ["Enter", "more of a row, and what can be done"],
  ["1 … 5", "workers, sessions, disks, locks, alerts"],
  ["6 7", "history, status"],
  ["/", "filter; Escape ends it"],
  ["a s m", "acknowledge, silence, pause what has the focus"],
  ["?", "these keys"],
];

export function listen({ filter, mayAct }) {
  one("#key-list").append(...HELP.filter(([key]) => mayAct || key !== "a s m")
    .flatMap(([key, what]) => [el("dt", {}, ...key.split(" ").map((name) => el("kbd", {}, name))), el("dd", {}, what)]));
  const on = one("#keys-on");
  on.checked = localStorage.getItem(OFF) === null;
  on.addEventListener("change", () => (on.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
  one("#help").addEventListener("click", () => one("#keys").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (event.target === filter.input) return filtering(event, filter);
    // a dialog that has just been closed keeps the focus until the next frame
    if (event.target.closest(TYPED)?.checkVisibility()) return;
    if (pressed(event.key, event.target, filter, on.checked)) event.preventDefault();
  });
}

function filtering(event, filter) {
  if (event.key === "Escape") filter.end();
  else if (event.key !== "ArrowDown" && event.key !== "Enter") return;
  event.preventDefault();
  if (event.key !== "Escape") move(1, null);
}

/** Do what a key says; true when it said something. */
function pressed(key, target, filter, letters) {
  const inRows = target.closest?.(".row") !== null;
  if (key === "ArrowDown" || key === "ArrowUp") return inRows && (move(key === "ArrowDown" ? 1 : -1), true);
  if (key === "Home" || key === "End") return inRows && (move(key === "Home" ? -1e9 : 1e9), true);
  if (key === "Escape") return one("#answer").replaceChildren(), filter.input.value !== "" && (filter.end(), true);
  if (!letters) return false;
  if (key === "j" || key === "k") return move(key === "j" ? 1 : -1), true;
  if (key === "/") return filter.begin(), true;
  if (key === "?") return one("#keys").showModal(), true;
  if (key === "6" || key === "7") return (location.hash = key === "6" ? "history" : "status"), true;
  if (/^[1-5]$/.test(key)) return panel(key), true;
  const row = target.closest?.(".row")?.row;
  return (LETTERS[key] ?? []).some((verb) => row?.act(verb));
}

function panel(digit) {
  if (!one('[data-view="health"]').hidden) return enter(digit);
  location.hash = "health";
  // the view is shown when the address has changed: a task later
  return setTimeout(() => enter(digit), 50);
}

function enter(digit) {
  const found = one(`[data-digit="${digit}"]`);
  const line = all(".line", found).find((row) => row.offsetParent !== null);
  if (line) focus(line);
  found.scrollIntoView({ block: "nearest" });
}
