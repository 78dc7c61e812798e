// An agent's log, live.
import { agentPath, listen } from "./api.js";
import { el, frame, say } from "./dom.js";
import { clockTime, count, rate } from "./text.js";

// KEPT bounds the lines in the page.
const KEPT = 2000;
const ENDS = {
  complete: "That was all.", agent_gone: "The agent has disconnected.", gateway_gone: "The gateway that holds the agent is gone.", shutdown: "The gateway is shutting down.",
};

export class LogTail {
  #id;
  #fleet;
  #opened;
  #stop = null;
  #waiting = [];
  #kind = option("Log", [["access", "access"], ["error", "error"]]);
  #last = option("Last lines", [["20", "20 lines"], ["100", "100 lines"], ["1000", "1000 lines"]]);
  #toggle = el("button", { class: "button primary", "aria-keyshortcuts": "l", onclick: () => this.toggle() }, "Follow log");
  #filter = el("input", { type: "search", placeholder: "Show lines with…", "aria-label": "Show only lines with this text", oninput: () => this.#sift() });
  #raw = el("input", { type: "checkbox", onchange: () => this.#lines.classList.toggle("raw", this.#raw.checked) });
  #lines = el("ol", { class: "lines", tabindex: "0", role: "log", "aria-label": "Log lines", hidden: true });
  #state = el("p", { class: "quiet tail-state", role: "status" });
  #flush = frame(() => this.#append());

  constructor(id, fleet, opened) {
    Object.assign(this, { node: null });
    this.#id = id;
    this.#fleet = fleet;
    this.#opened = opened;
    this.node = el("div", { class: "tail" },
      el("div", { class: "tail-bar" }, this.#toggle, this.#kind, this.#last, this.#filter, el("label", { class: "check" }, this.#raw, "Raw"),
        el("button", { class: "button small", onclick: () => this.#clear() }, "Clear")),
      this.#state, this.#lines);
  }

  update(agent) {
    const control = this.#fleet.status?.control;
    const refusal = control && !control.enabled ? control.reason : agent.status !== "online" && !this.#stop ? "The agent is offline: there is no log to read." : "";
    this.#toggle.toggleAttribute("aria-disabled", Boolean(refusal));
    this.#toggle.title = refusal;
    this.refusal = refusal;
    if (!this.#stop && !this.#lines.children.length) say(this.#state, refusal || "Lines come from the agent itself, over the gateway that holds it. Nothing is stored twice.");
  }

  toggle() {
    if (this.#stop) this.stop();
    else if (this.refusal) say(this.#state, this.refusal);
    else this.open(this.#kind.value);
  }

  async open(kind) {
    this.stop();
    this.#kind.value = kind === "error" ? "error" : "access";
    const stop = (this.#stop = new AbortController());
    this.#opened(this.#kind.value);
    this.#clear();
    this.#lines.hidden = false;
    say(this.#toggle, "Stop");
    say(this.#state, "asking the agent…");
    try {
      const path = agentPath(this.#id, `/logs?type=${this.#kind.value}&lines=${this.#last.value}`);
      await listen(path, stop.signal, (name, data) => this.#event(name, data));
      if (this.#stop === stop) this.#end(ENDS.gateway_gone);
    } catch (err) {
      if (this.#stop === stop) this.#end(err.name === "AbortError" ? "The connection broke." : err.message);
    }
  }

  stop() {
    if (!this.#stop) return;
    this.#stop.abort();
    this.#end("Stopped.");
    this.#opened("");
  }

  #end(text) {
    this.#stop = null;
    say(this.#toggle, "Follow log");
    say(this.#state, text);
  }

  #event(name, data) {
    if (name === "open") say(this.#state, `live from ${data.gateway}`);
    else if (name === "end") {
      this.#end(ENDS[data.reason] ?? data.reason);
    } else if (name === "dropped" || name === "line") {
      this.#waiting.push(name === "line" ? data : { dropped: data.count });
      if (this.#waiting.length > KEPT) this.#waiting.splice(0, this.#waiting.length - KEPT);
      this.#flush();
    }
  }

  // append stays at the end only if the reader is there.
  #append() {
    const box = this.#lines;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    const nodes = this.#waiting.map(lineNode);
    this.#waiting = [];
    nodes.forEach((node) => this.#siftOne(node));
    box.append(...nodes);
    while (box.children.length > KEPT) box.firstChild.remove();
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  #sift() {
    for (const node of this.#lines.children) this.#siftOne(node);
  }

  #siftOne(node) {
    node.hidden = !node.textContent.toLowerCase().includes(this.#filter.value.toLowerCase());
  }

  #clear() {
    this.#lines.replaceChildren();
  }
}

function option(name, values) {
  return el("select", { "aria-label": name }, values.map(([value, text]) => el("option", { value }, text)));
}

// lineNode shows a JSON line by its fields, and any other line as it is. The raw line is one click away.
function lineNode(line) {
  if (line.dropped) return el("li", { class: "dropped" }, `${count(line.dropped)} lines were left out, because this page read too slowly.`);
  const fields = parsed(line.content);
  const node = el("li", { class: level(line, fields) }, el("time", {}, clockTime(line.at)), fields && el("span", { class: "nice" }, fields),
    el("span", { class: fields ? "whole" : "whole only" }, line.content));
  return node;
}

function parsed(content) {
  if (!content.startsWith("{")) return null;
  try {
    const f = JSON.parse(content);
    if (typeof f !== "object" || f === null || !("status" in f)) return null;
    return [part("st", f.status), part("method", f.method), part("path", f.path), part("rt", f.rt === undefined ? "" : `${rate(Number(f.rt) * 1000)} ms`), part("client", f.client)];
  } catch {
    return null;
  }
}

const part = (style, value) => el("span", { class: style }, value ?? "");

function level(line, fields) {
  const status = fields ? Number(fields[0].textContent) : 0;
  if (status >= 500 || /\[(error|crit|alert|emerg)\]/.test(line.content)) return "bad";
  return status >= 400 || line.content.includes("[warn]") ? "poor" : "";
}
