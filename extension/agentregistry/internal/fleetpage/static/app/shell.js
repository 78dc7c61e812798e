// What is around every view: navigation, the state of connection and database, theme, shortcuts.
import { credentials, get } from "./api.js";
import { ask, field } from "./dialog.js";
import { el, mark, say, show } from "./dom.js";
import { address } from "./router.js";
import { moment, since } from "./text.js";

const VIEWS = [["agents", "Agents"], ["drift", "Drift"], ["gateways", "Gateways"], ["activity", "Activity"]];
const THEMES = { auto: "light", light: "dark", dark: "auto" };
const THEME_KEY = "avika-theme";

export class Shell {
  #fleet;
  #live;
  #links = VIEWS.map(([view, name]) => el("a", { href: address(view), data: { view } }, name));
  #pill = el("button", { class: "pill", onclick: () => this.#live.retry() }, el("i", { "aria-hidden": "true" }), el("span"));
  #theme = el("button", { class: "icon", onclick: () => this.turnTheme() });
  #key = el("button", { class: "icon", title: "Access token", "aria-label": "Access token", hidden: true, onclick: () => this.unlock() }, "⚿");
  #database = el("div", { class: "banner is-database", role: "status", hidden: true });
  #connection = el("div", { class: "banner is-connection", role: "status", hidden: true });
  #main = el("main", { id: "main", tabindex: "-1" });
  #asking = false;

  constructor(fleet, live) {
    this.#fleet = fleet;
    this.#live = live;
    document.body.append(
      el("a", { class: "skip", href: "#main", onclick: (e) => (e.preventDefault(), this.#main.focus()) }, "Skip to content"),
      el("header", { class: "bar" },
        el("a", { class: "brand", href: address("agents") }, brand(), "Avika"),
        el("nav", { "aria-label": "Views" }, this.#links),
        el("div", { class: "tools" }, this.#pill, this.#key, this.#theme,
          el("button", { class: "icon", title: "Keyboard shortcuts (?)", "aria-label": "Keyboard shortcuts", onclick: () => help() }, "?"))),
      this.#database, this.#connection, this.#main);
    fleet.on("status", () => this.#draw());
    live.on("phase", () => this.#draw());
    setInterval(() => this.#draw(), 1000);
    this.#showTheme();
    this.#draw();
  }

  // open shows a view.
  open({ node, title }, view) {
    document.title = `${title} · Avika`;
    for (const link of this.#links) mark(link, "aria-current", link.dataset.view === view ? "page" : null);
    show(this.#main, node);
  }

  turnTheme() {
    const root = document.documentElement;
    const next = THEMES[root.dataset.theme ?? "auto"];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    localStorage.setItem(THEME_KEY, next);
    this.#showTheme();
    dispatchEvent(new Event("resize")); // drawings take their colours from the theme
  }

  #showTheme() {
    const theme = document.documentElement.dataset.theme ?? "auto";
    say(this.#theme, { auto: "◐", light: "☀", dark: "☾" }[theme]);
    mark(this.#theme, "title", `Theme: ${theme === "auto" ? "as the system" : theme} (t)`);
    mark(this.#theme, "aria-label", `Theme: ${theme}`);
  }

  // unlock asks for credentials and tries them.
  async unlock() {
    if (this.#asking) return;
    this.#asking = true;
    const token = el("input", { type: "password", autocomplete: "current-password", autofocus: true, required: !credentials.get() });
    const done = await ask({
      title: "Who are you?", confirm: "Go on",
      body: [el("p", {}, "This gateway wants to know who asks. Enter the token that its administrator gave you."),
        field("Token", token, "Sent as “Authorization: Bearer …”. With a space in it, as it is (“Basic …”). Kept until this tab is closed.")],
      collect: () => token.value.trim(),
      act: async (value) => {
        const before = credentials.get();
        credentials.set(value);
        await get("status").catch((err) => {
          credentials.set(before);
          throw err.status === 401 ? new Error("The gateway does not know this token.") : err;
        });
      },
    });
    this.#asking = false;
    if (done !== null) this.#live.retry();
  }

  #draw() {
    const { phase, retryAt } = this.#live;
    const wait = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const words = { connecting: "connecting", live: "live", waiting: `again in ${wait} s`, locked: "locked", resting: "resting" }[phase];
    say(this.#pill.lastChild, words);
    mark(this.#pill, "data-phase", phase);
    mark(this.#pill, "title", phase === "live" ? "Changes appear as they happen" : "Connect now");
    this.#key.hidden = phase !== "locked" && !credentials.get();
    this.#drawConnection(phase, wait);
    this.#drawDatabase();
    if (phase === "locked" && !this.#locked) this.unlock();
    this.#locked = phase === "locked";
  }

  // locked says that credentials were asked for already, lost that the connection broke and is not back.
  #locked = false;
  #lost = false;

  #drawConnection(phase, wait) {
    this.#lost = phase === "waiting" || (this.#lost && phase === "connecting");
    this.#connection.hidden = !this.#lost && phase !== "locked";
    if (phase === "locked") return show(this.#connection, "This gateway asks who you are. ", el("button", { class: "button small", onclick: () => this.unlock() }, "Enter token…"));
    if (this.#connection.hidden) return null;
    const text = `The gateway does not answer. What you see is from before; ${wait ? `trying again in ${wait} s` : "trying again"}.`;
    if (this.#connection.dataset.text !== text) show(this.#connection, text, " ", el("button", { class: "button small", onclick: () => this.#live.retry() }, "Try now"));
    this.#connection.dataset.text = text;
    return null;
  }

  #drawDatabase() {
    const d = this.#fleet.status?.database;
    const away = Boolean(d) && d.state !== "connected";
    this.#database.hidden = !away;
    if (!away) return;
    const name = d.backend === "postgresql" ? "PostgreSQL" : "The registry's storage";
    const text = `${name} is ${d.state === "connecting" ? "not reached yet" : "away"}, since ${moment(d.since)} (${since(d.since)}). Agents stay connected and their data flows. ` +
      "Agents of other gateways are shown as they were; commands and decisions have to wait.";
    show(this.#database, el("b", {}, text), d.error && el("span", { class: "detail" }, d.error));
  }
}

function brand() {
  return el("span", { class: "mark", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
}

const KEYS = [
  ["/", "search"], ["↑ ↓ or j k", "move in the list"], ["Enter", "open"], ["Esc", "back, or clear the search"], ["g then a d g h", "agents, drift, gateways, activity"],
  ["l", "follow the log of an agent"], ["[ ]", "the agent before, after"], ["t", "theme"], ["?", "this help"],
];

export function help() {
  return ask({ title: "Keyboard", confirm: "Close", cancel: "", body: el("dl", { class: "keys" }, KEYS.map(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])) });
}
