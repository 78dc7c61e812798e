// Commands to one agent, and what became of them.
import { agentPath, idempotencyKey, send } from "./api.js";
import { ask, field, toast } from "./dialog.js";
import { el, mark, say, show, when } from "./dom.js";
import { nothing } from "./empty.js";
import { moment, plural } from "./text.js";

const SILENT = "Agents up to 1.110 send no result for this; the command then ends as unconfirmed.";

const FORMS = {
  reload: { button: "Reload…", title: "Reload NGINX on", confirm: "Reload", text: "NGINX reads its configuration again. Connections go on.", hint: SILENT },
  restart: { button: "Restart…", title: "Restart NGINX on", confirm: "Restart", danger: true, text: "NGINX stops and starts. Open connections are cut.", hint: SILENT },
  update: { button: "Update…", title: "Update the agent on", confirm: "Update", text: "The agent fetches another version of itself and starts anew.", hint: "The new version, once the agent is back, proves that it worked.", form: updateForm },
  config_push: { button: "Push configuration…", title: "Push configuration to", confirm: "Push", danger: true, text: "The agent receives these files.", hint: SILENT, form: pushForm },
};

// commandButtons are off, with the reason, when there is one.
export function commandButtons(agent, refusal) {
  const off = refusal ? { "aria-disabled": "true", title: refusal } : {};
  return el("div", { class: "group" }, Object.entries(FORMS).map(([type, form]) =>
    el("button", { class: "button", ...off, onclick: () => (refusal ? toast(refusal, "bad") : order(agent, type, form)) }, form.button)));
}

async function order(agent, type, { title, confirm, danger, text, hint, form }) {
  const key = idempotencyKey();
  const part = form?.(agent) ?? { fields: null, collect: () => ({}) };
  const expiry = el("select", {}, [[60, "1 minute"], [300, "5 minutes"], [3600, "1 hour"], [86400, "1 day"]].map(([s, name]) => el("option", { value: s, selected: s === 300 }, name)));
  const away = agent.status !== "online";
  await ask({
    title: `${title} ${agent.id}?`, confirm, danger,
    body: [el("p", {}, text), part.fields, el("p", { class: "quiet" }, hint),
      away && el("p", {}, "The agent is offline: it gets the command if it comes back in time."), away && field("Wait for it", expiry)],
    collect: () => ({ type, ...part.collect(), ...(away ? { expires_in_seconds: Number(expiry.value) } : {}) }),
    act: (body) => send("POST", agentPath(agent.id, "/commands"), body, { "Idempotency-Key": key }),
  });
}

function updateForm(agent) {
  const version = el("input", { required: true, maxlength: "128", value: "latest", autofocus: true });
  const url = el("input", { required: true, type: "url", placeholder: "https://updates.example/avika", pattern: "https?://.+" });
  return {
    fields: [field("Version", version, `The agent is ${agent.agent_version || "of an unknown version"} now.`), field("From", url, "An http or https address")],
    collect: () => ({ update: { version: version.value.trim(), url: url.value.trim() } }),
  };
}

function pushForm() {
  const version = el("input", { required: true, maxlength: "128", value: new Date().toISOString().slice(0, 19), autofocus: true });
  const files = el("div", { class: "files" });
  const addFile = (name = "", content = "") => {
    const row = el("fieldset", {}, field("File", el("input", { required: true, name: "name", value: name, placeholder: "conf.d/site.conf" })),
      field("Content", el("textarea", { rows: "6", name: "content", spellcheck: "false" }, content)));
    files.append(row);
  };
  const chosen = el("input", { type: "file", multiple: true, hidden: true, onchange: async () => {
    for (const file of chosen.files) addFile(file.name, await file.text());
  } });
  addFile();
  const rows = () => [...files.children].map((row) => [row.querySelector("[name=name]").value, row.querySelector("[name=content]").value]);
  return {
    fields: [field("Version id", version), files, el("div", { class: "group" },
      el("button", { type: "button", class: "button small", onclick: () => addFile() }, "Another file"),
      el("button", { type: "button", class: "button small", onclick: () => chosen.click() }, "From disk…")), chosen],
    collect: () => ({ config_push: { version_id: version.value.trim(), files: Object.fromEntries(rows()) } }),
  };
}

const STATES = {
  pending: "waits for the agent", sent: "sent, no result yet", succeeded: "succeeded", failed: "failed", expired: "expired", unconfirmed: "unconfirmed",
};
const NAMES = { reload: "Reload", restart: "Restart", update: "Update", config_push: "Push configuration", log_request: "Log request" };

// CommandList shows an agent's commands and follows them.
export class CommandList {
  #commands = new Map();
  #list = el("ol", { class: "commands", "aria-live": "polite" });
  #none = nothing("No command has been given to this agent.");
  node = el("div", {}, this.#none, this.#list);

  set(commands) {
    for (const c of commands) this.#commands.set(c.id, c);
    this.#draw();
  }

  put(command) {
    this.#commands.set(command.id, command);
    this.#draw();
  }

  #draw() {
    const all = [...this.#commands.values()].sort((a, b) => (a.requested_at < b.requested_at ? 1 : -1)).slice(0, 20);
    this.#none.hidden = all.length > 0;
    show(this.#list, all.map(command));
  }
}

function command(c) {
  const node = el("li", { class: `is-${c.state}` });
  const state = el("span", { class: "command-state" }, el("i", { "aria-hidden": "true" }));
  const words = el("span");
  say(words, STATES[c.state] ?? c.state);
  state.append(words);
  mark(node, "data-id", c.id);
  const p = c.parameters;
  const what = [p.version, p.version_id, p.log_type && `${p.log_type}, ${plural(p.tail_lines, "line")}${p.follow ? ", following" : ""}`, p.files && plural(p.files.length, "file"), p.url];
  return show(node, el("b", {}, NAMES[c.type] ?? c.type), state, el("span", { class: "quiet" }, what.filter(Boolean).join(" · ")),
    c.result && el("p", { class: "result" }, c.result),
    el("p", { class: "quiet" }, `asked by ${c.requested_by} `, when(c.requested_at), c.sent_at && ` · sent ${moment(c.sent_at)} by ${c.gateway}`,
      c.finished_at && ` · ended ${moment(c.finished_at)}`, c.state === "pending" && [" · expires ", when(c.expires_at)]));
}
