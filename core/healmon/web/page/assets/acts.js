// What a person says of an alert or a component: it goes the way of the command line's overrides.

import { el, mark, one, say } from "./dom.js";

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

/** What can be done with an item of a kind, as buttons; nothing for those who only look. */
export function offered(item, kind, send) {
  if (!mayAct) return [];
  return verbsOf(item, kind).map(([verb, target, shown = target]) => ({
    verb,
    text: VERBS[verb].text,
    run: () => ask(verb, target, shown, send),
  }));
}

function verbsOf(item, kind) {
  switch (kind.kind) {
    case "actions":
      return [];
    case "holds":
      if (kind.component) return item.until === "forever" ? [] : [["resume", item.name]];
      return [["unsilence", String(item.id), item.match]];
    case "alerts": {
      if (item.resolved) return [];
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

/** Ask for the rest in the dialog, then send. */
function ask(verb, target, shown, send) {
  const { title, about, until, chosen, note, text } = VERBS[verb];
  const dialog = one("#act");
  const form = one("form", dialog);
  say(one("#act-title"), `${title}: ${shown}`);
  say(one("#act-text"), about);
  say(one("#act-do"), text);
  mark(one("#act-for"), "hidden", !until);
  mark(one("#act-note"), "hidden", !note);
  const choices = (until ?? []).map((name) =>
    el("option", { value: name, selected: name === (chosen ?? "") }, name || "as long as it lasts"));
  form.elements.for.replaceChildren(...choices);
  form.elements.note.value = "";
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "do") return;
    const words = {};
    if (note) words.note = form.elements.note.value.trim();
    if (until && form.elements.for.value) words.for = HOURS[form.elements.for.value];
    send(verb, target, words);
  };
  dialog.showModal();
  (note ? form.elements.note : one("#act-do")).focus();
}

const headers = { "Content-Type": "application/json", "X-Healmon-CSRF": csrf };

/** End this login, here and on the server. */
export async function leave() {
  await fetch("/logout", { method: "POST", headers, body: "{}" }).catch(() => null);
  location.assign("/login");
}

/** Send an override; resolves to what the healer answers, in words, and never rejects. */
export async function override(verb, target, words) {
  try {
    const answer = await fetch("/api/v1/overrides", {
      method: "POST",
      headers,
      body: JSON.stringify({ verb, target, arguments: words }),
    });
    const said = await answer.json().catch(() => ({}));
    return { ok: answer.ok && said.ok !== false, text: said.text || said.error || `${verb}: ${answer.status}` };
  } catch {
    return { ok: false, text: `${verb} was not sent: the server does not answer` };
  }
}
