// What a person says of an alert or a component: it goes the way of the command line's overrides.

import { all, el, mark, one, pairs, say } from "./dom.js";

const HOURS = { "15m": 900, "1h": 3600, "2h": 7200, "4h": 14400, "8h": 28800, "24h": 86400, "7d": 604800 };
const { role, csrf } = document.documentElement.dataset;

export const mayAct = role === "operator";

/** What each verb asks for before it is sent, and what is said meanwhile. */
const VERBS = {
  acknowledge: { text: "Acknowledge", title: "Acknowledge alert", about: "You know. Healing goes on, nobody is told again.", until: ["", "1h", "4h", "8h", "24h"], note: true },
  unacknowledge: { text: "Take back", title: "No longer acknowledged", about: "It calls for somebody again." },
  silence: { text: "Silence", title: "Silence", about: "Nobody is told of it. Healing goes on.", until: ["15m", "1h", "2h", "8h", "24h"], chosen: "2h", note: true },
  unsilence: { text: "End silence", title: "End the silence", about: "What it muted is told again." },
  pause: { text: "Pause", title: "Pause", about: "Nothing is touched. Looking goes on.", until: ["15m", "1h", "4h", "8h", "24h"], chosen: "1h", note: true },
  resume: { text: "Resume", title: "Resume", about: "healmon acts here again." },
};

/** What is planned first, read, and then done; the healer looks again before it acts. */
const PLANNED = { restart: "Restart", release: "Release", clear: "Clear", unlock: "Unlock", clean: "Clean" };

/** What can be done with an item of a kind, as buttons; nothing for those who only look. */
export function offered(item, kind, tell) {
  if (!mayAct) return [];
  const said = verbsOf(item, kind).map(([verb, target, shown = target]) => ({
    verb,
    text: VERBS[verb].text,
    run: () => ask(verb, target, shown, tell),
  }));
  const planned = plansOf(item, kind).map((verb) => ({
    verb,
    text: `${PLANNED[verb]}…`,
    run: () => plan(verb, item.component, tell),
  }));
  return [...planned, ...said];
}

function plansOf(item, kind) {
  if (item.paused_until === "forever" || item.plan?.acting) return [];
  switch (kind.kind) {
    case "workers":
      return item.state === "quarantined" ? ["release", "restart"] : ["restart"];
    case "sessions":
      return item.tasks.length ? ["clear"] : [];
    case "databases":
      return item.locked_since ? ["unlock"] : [];
    case "disks":
      return ["clean"];
    default:
      return [];
  }
}

function verbsOf(item, kind) {
  switch (kind.kind) {
    case "actions":
      return [];
    case "holds":
      if (kind.component) return item.until === "forever" ? [] : [["resume", item.name]];
      return [["unsilence", String(item.id), item.match]];
    case "alerts": {
      if (item.resolved || item.state === "pending") return [];
      const known = item.acknowledged_at ? "unacknowledge" : "acknowledge";
      const id = String(item.id);
      const shown = `${id}, ${item.component}`;
      return [[known, id, shown], ["silence", `id=${id}`, shown], ["pause", item.component]];
    }
    default:
      if (item.paused_until === "forever") return [];
      return [[item.paused_until ? "resume" : "pause", item.component]];
  }
}

/** Ask for the rest in the dialog, then send; `tell` is given what the healer answers. */
function ask(verb, target, shown, tell) {
  const { title, about, until, chosen, note, text } = VERBS[verb];
  const form = one("#act form");
  say(one("#act-title"), `${title}: ${shown}`);
  say(one("#act-text"), about);
  say(one("#act-do"), text);
  mark(one("#act-for"), "hidden", !until || null);
  mark(one("#act-note"), "hidden", !note || null);
  const choices = (until ?? []).map((name) =>
    el("option", { value: name, selected: name === (chosen ?? "") }, name || "as long as it lasts"));
  form.elements.for.replaceChildren(...choices);
  form.elements.note.value = "";
  opened(one("#act"), () => {
    const words = {};
    if (note) words.note = form.elements.note.value.trim();
    if (until && form.elements.for.value) words.for = HOURS[form.elements.for.value];
    tell(override(verb, target, words));
  });
  (note ? form.elements.note : one("#act-do")).focus();
}

/** Have the healer's plan read first; what destroys wants the name typed. */
async function plan(verb, target, tell) {
  const answer = await override("offer", target, { verb });
  if (!answer.plan) return tell(answer);
  const { id, why, steps, proof, on_failure: otherwise, tier } = answer.plan;
  const form = one("#plan form");
  say(one("#plan-title"), `${PLANNED[verb]}: ${target}`);
  say(one("#plan-text"), why);
  one("#plan-steps").replaceChildren(...steps.map((step) =>
    el("li", {}, el("span", {}, step.text), step.command ? el("code", {}, step.command) : null)));
  pairs(one("#plan-proof"), [["proof", proof], ["otherwise", otherwise]]);
  mark(one("#plan-typed"), "hidden", tier < 2 || null);
  say(one("#plan-name"), target);
  say(one("#plan-do"), PLANNED[verb]);
  Object.assign(form.elements.typed, { value: "", required: tier === 2 });
  form.elements.typed.oninput = () =>
    form.elements.typed.setCustomValidity(tier < 2 || form.elements.typed.value === target ? "" : `type ${target}`);
  form.elements.typed.oninput();
  opened(one("#plan"), () => tell(override("apply", id, {})));
  return (tier === 2 ? form.elements.typed : one("#plan .cancel")).focus();
}

for (const button of all("dialog .cancel")) button.addEventListener("click", () => button.closest("dialog").close());

/** Show a dialog; do something when it is closed by its button that does. */
function opened(dialog, doing) {
  dialog.returnValue = "";
  dialog.onclose = () => dialog.returnValue === "do" && doing();
  dialog.showModal();
}

let known = csrf;

/** Send something that changes something; once more where another tab has logged in meanwhile. */
async function post(path, body) {
  const send = () => fetch(path, { method: "POST", body, headers: { "Content-Type": "application/json", "X-Healmon-CSRF": known } });
  const answer = await send();
  if (answer.status !== 403) return answer;
  const me = await fetch("/api/v1/me").then((told) => told.json()).catch(() => ({}));
  if (!me.csrf || me.csrf === known) return answer;
  known = me.csrf;
  return send(); // the first was refused before anybody heard of it
}

/** End this login, here and on the server. */
export async function leave() {
  await post("/logout", "{}").catch(() => null);
  location.assign("/login");
}

/** Send an override; resolves to what the healer answers, in words, and never rejects. */
export async function override(verb, target, words) {
  try {
    const body = JSON.stringify({ verb, target, arguments: words });
    const answer = await post("/api/v1/overrides", body);
    const said = await answer.json().catch(() => ({}));
    const text = said.text || said.error || (answer.ok ? "done" : `${verb}: ${answer.status}`);
    return { ok: answer.ok && said.ok !== false, text, plan: said.plan ?? null };
  } catch {
    return { ok: false, text: `${verb} was not sent: the server does not answer`, plan: null };
  }
}
