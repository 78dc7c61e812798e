// The connection to the gateway's events.
import { Emitter } from "./emitter.js";
import { get, listen } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
const PAGE = 5000;
// HIDDEN is after how long a page that nobody sees lets go of its connection: browsers allow few to one server.
const HIDDEN = 60_000;

// Live keeps a fleet up to date and emits "phase" when the connection changes. Phases: connecting, live, waiting (until
// retryAt), locked (credentials are asked for), resting (nobody looks).
export class Live extends Emitter {
  phase = "connecting";
  retryAt = 0;
  problem = null;
  #fleet;
  #wait = FIRST_WAIT;
  #stop = new AbortController();
  #go = null;
  #loads = 0;

  constructor(fleet) {
    super();
    this.#fleet = fleet;
    let timer = null;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => this.#rest(), HIDDEN);
      else if (this.phase === "resting") this.retry();
    });
    addEventListener("online", () => this.retry());
    // A page that is left and may be come back to must not hold connections.
    addEventListener("pagehide", () => this.#rest());
    addEventListener("pageshow", (e) => e.persisted && this.retry());
  }

  async run() {
    for (;;) {
      this.#set("connecting");
      try {
        this.#stop = new AbortController();
        await listen("events", this.#stop.signal, (name, data) => this.#event(name, data));
        this.problem = null;
      } catch (err) {
        this.problem = err;
      }
      await this.#pause();
    }
  }

  // retry connects at once.
  retry() {
    this.#wait = FIRST_WAIT;
    this.#go?.();
  }

  #rest() {
    if (this.phase === "locked") return;
    this.phase = "resting";
    this.#stop.abort();
  }

  async #pause() {
    if (this.problem?.status === 401) this.#set("locked");
    else if (this.phase === "resting") this.emit("phase");
    else this.#waitUntil(Date.now() + this.#wait * (0.75 + Math.random() / 2));
    const timed = this.phase === "waiting" ? setTimeout(() => this.#go(), this.retryAt - Date.now()) : null;
    await new Promise((resolve) => (this.#go = resolve));
    clearTimeout(timed);
    this.#go = null;
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  #waitUntil(at) {
    this.retryAt = at;
    this.#set("waiting");
  }

  #set(phase) {
    this.phase = phase;
    this.emit("phase");
  }

  #event(name, data) {
    switch (name) {
      case "hello":
        this.#fleet.hello(data);
        this.#load();
        break;
      case "reset":
        this.#load();
        break;
      case "agents":
        this.#fleet.put(data.agents);
        break;
      case "removed":
        this.#fleet.remove(data.ids);
        break;
      case "activity":
        this.#fleet.activity(data.agents);
        break;
      case "gateways":
        this.#fleet.setGateways(data);
        break;
      case "database":
        this.#fleet.database(data);
        break;
      case "command":
        this.#fleet.emit("command", data);
        break;
    }
  }

  // load fetches the whole fleet. A load that fails ends the stream, which then begins anew; a newer load replaces it.
  async #load() {
    const stop = this.#stop;
    const load = ++this.#loads;
    const fetched = async (path) => {
      const body = await get(path, stop.signal);
      if (load !== this.#loads) throw new Error("a newer load has begun");
      return body;
    };
    try {
      this.#fleet.begin();
      for (let offset = 0, total = 1; offset < total; offset += PAGE) {
        const page = await fetched(`agents?view=compact&sort=id&limit=${PAGE}&offset=${offset}`);
        total = page.total;
        this.#fleet.page(page);
      }
      this.#fleet.setGateways(await fetched("gateways"));
      this.#fleet.end();
      this.#wait = FIRST_WAIT;
      this.#set("live");
    } catch {
      if (load === this.#loads) stop.abort();
    }
  }
}
