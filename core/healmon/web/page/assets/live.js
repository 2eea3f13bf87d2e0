// The state as the server tells it: one event stream, opened again and again while it fails.
//
// A page that nobody sees lets go of its stream after a while, so that many open tabs cost nothing.

const PATIENCE = 30_000; // the longest wait between two tries
const SILENT = 20_000; // without a word for so long, a stream is dead; the server beats more often
const HIDDEN = 30_000; // browsers have six connections for a host, all tabs together

export class Live extends EventTarget {
  constructor() {
    super();
    Object.assign(this, { state: null, link: "connecting", tries: 0, nextAt: 0, heardAt: 0, offset: 0 });
    document.addEventListener("visibilitychange", () => this.seen());
    addEventListener("online", () => this.again());
    addEventListener("pageshow", (event) => event.persisted && this.again());
    addEventListener("pagehide", () => this.close());
    setInterval(() => this.check(), 1000);
  }

  /** Wall milliseconds by the server's clock. */
  get now() {
    return Date.now() + this.offset;
  }

  /** Seconds since the server was last heard of; NaN: never. */
  get age() {
    return this.heardAt ? (performance.now() - this.heardAt) / 1000 : NaN;
  }

  open() {
    this.close();
    this.triedAt = performance.now();
    const source = (this.source = new EventSource("/api/v1/stream"));
    for (const told of ["state", "gone"]) {
      source.addEventListener(told, (event) => this.heard(JSON.parse(event.data)));
    }
    source.addEventListener("beat", (event) => {
      this.offset = Date.parse(JSON.parse(event.data).now) - Date.now();
      this.heard(null);
    });
    source.addEventListener("error", () => this.failed());
  }

  heard(state) {
    if (state) this.state = state;
    Object.assign(this, { link: "live", tries: 0, heardAt: performance.now() });
    this.tell();
  }

  /** The stream broke off, or was refused: ask why, and try again later. */
  async failed() {
    this.close();
    this.tries += 1;
    const wait = Math.min(PATIENCE, 500 * 2 ** Math.min(this.tries, 10)) * (0.75 + Math.random() / 2);
    Object.assign(this, { link: "lost", nextAt: performance.now() + wait });
    this.timer = setTimeout(() => this.open(), wait);
    this.tell();
    try {
      const answer = await fetch("/api/v1/state", { headers: { Accept: "application/json" } });
      if (answer.status === 401) this.signedOut();
      else if (answer.ok && this.link === "lost") this.asked(await answer.json());
    } catch {
      // nobody there: that is what the page says already
    }
  }

  /** There is a server, with no stream for us: too many look on, or it has just begun. */
  asked(state) {
    Object.assign(this, { state, link: "asked", heardAt: performance.now() });
    this.tell();
  }

  signedOut() {
    this.close();
    this.link = "signed out";
    this.tell();
  }

  again() {
    if (this.link !== "signed out") this.open();
  }

  seen() {
    clearTimeout(this.resting);
    if (document.hidden) this.resting = setTimeout(() => this.close("resting"), HIDDEN);
    else if (!this.source && this.link !== "signed out") this.open();
  }

  check() {
    const quiet = performance.now() - Math.max(this.heardAt, this.triedAt ?? 0);
    if (this.source && quiet > SILENT) this.failed();
  }

  close(link) {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    if (link) {
      this.link = link;
      this.tell();
    }
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }
}
