// What happened, newest first.
import { get } from "./api.js";
import { el, later, say, show, when } from "./dom.js";
import { nothing } from "./empty.js";
import { address } from "./router.js";

const WORDS = {
  enrolled: "enrolled", connected: "connected", disconnected: "disconnected", gateway_lost: "its gateway was lost", facts: "facts changed",
  config: "configuration changed", approved: "approved", revoked: "revoked", removed: "removed", command: "command",
};
const PAGE = 50;

// HistoryList pages through the history at a path of the REST interface. With `agents`, each event names its agent.
export class HistoryList {
  #path;
  #agents;
  #list = el("ol", { class: "history" });
  #more = el("button", { class: "button small", hidden: true, onclick: () => this.#page() }, "Earlier");
  #note = nothing("");
  #next = null;
  #newest = 0;
  #stop = new AbortController();
  refresh = later(1000, () => this.#fresh());

  constructor(path, agents = false) {
    this.#path = path;
    this.#agents = agents;
    this.node = el("div", {}, this.#note, this.#list, this.#more);
  }

  async load() {
    show(this.#list);
    this.#newest = 0;
    this.#next = null;
    await this.#page();
  }

  close() {
    this.refresh.cancel();
    this.#stop.abort();
  }

  async #page() {
    const body = await this.#get(this.#next ? `&before=${this.#next}` : "");
    if (!body) return;
    this.#list.append(...body.events.map((e) => this.#event(e)));
    this.#newest = Math.max(this.#newest, ...body.events.map((e) => e.id));
    this.#next = body.next_before;
    this.#more.hidden = this.#next === null;
    this.#note.hidden = this.#list.children.length > 0;
    say(this.#note, "Nothing has happened yet.");
  }

  // fresh puts what is new on top.
  async #fresh() {
    const body = await this.#get("");
    const news = (body?.events ?? []).filter((e) => e.id > this.#newest);
    if (!news.length) return;
    this.#newest = news[0].id;
    this.#note.hidden = true;
    this.#list.prepend(...news.map((e) => this.#event(e)));
  }

  async #get(more) {
    try {
      return await get(`${this.#path}?limit=${PAGE}${more}`, this.#stop.signal);
    } catch (err) {
      if (err.name === "AbortError") return null;
      this.#note.hidden = false;
      say(this.#note, err.message);
      return null;
    }
  }

  #event(e) {
    const by = [e.by && `by ${e.by}`, e.gateway && `on ${e.gateway}`].filter(Boolean).join(", ");
    return el("li", { class: `is-${e.kind}` },
      when(e.at),
      el("div", {}, this.#agents && [el("a", { href: address("agents", e.agent_id) }, e.agent_id), " "],
        el("b", {}, WORDS[e.kind] ?? e.kind), by && ` ${by}`, e.detail && el("span", { class: "detail" }, e.detail)));
  }
}

// activityView is the history of the whole fleet.
export function activityView({ fleet, signal }) {
  const list = new HistoryList("history", true);
  fleet.on("agents", () => fleet.loaded && list.refresh(), signal);
  fleet.on("command", () => list.refresh(), signal);
  signal.addEventListener("abort", () => list.close());
  list.load();
  return { node: el("div", { class: "view narrow" }, el("h1", {}, "Activity"), el("p", { class: "lead" }, "What agents did and what people asked of them, newest first."), list.node), title: "Activity" };
}
