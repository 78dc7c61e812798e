// The view of one agent.
import { agentPath, get } from "./api.js";
import { commandButtons, CommandList } from "./commands.js";
import { configuration, certificates, instances } from "./config.js";
import { decisionButtons } from "./decisions.js";
import { el, later, mark, say, show } from "./dom.js";
import { facts } from "./facts.js";
import { HistoryList } from "./history.js";
import { LogTail } from "./logtail.js";
import { badgesOf } from "./row.js";
import { address, replace, route } from "./router.js";
import { Spark } from "./spark.js";
import { ago, moment, rate, since } from "./text.js";

export function agentView({ fleet, signal }) {
  const { argument: id, params } = route();
  const head = headOf(id);
  const actions = el("div", { class: "actions" });
  const why = el("p", { class: "why", hidden: true });
  const commands = new CommandList();
  const history = new HistoryList(agentPath(id, "/history"));
  const tail = new LogTail(id, fleet, (kind) => signal.aborted || replace(address("agents", id, { tail: kind })));
  const parts = { facts: card("Facts"), instances: card("NGINX instances"), config: card("Configuration"), certificates: card("Certificates") };
  const body = el("div", { class: "agent-body" },
    el("div", { class: "column" }, card("Log", tail.node).node, card("Commands", commands.node).node, parts.config.node, parts.instances.node),
    el("div", { class: "column" }, parts.facts.node, parts.certificates.node, card("History", history.node).node));
  const gone = el("div", { class: "blank" });
  const node = el("div", { class: "view agent" }, head.node, actions, why, body, gone);
  let agent = null;

  function update() {
    head.update(agent, fleet.agents.get(id));
    const control = fleet.status?.control ?? { enabled: false, reason: "" };
    const waiting = agent.approval !== "approved" && `The agent is ${agent.approval}: approve it first.`;
    show(actions, commandButtons(agent, control.enabled ? waiting : control.reason), decisionButtons(agent, control.reason));
    why.hidden = control.enabled || !control.reason;
    say(why, control.reason);
    show(parts.facts.body, facts(agent));
    show(parts.instances.body, instances(agent));
    show(parts.config.body, configuration(agent));
    show(parts.certificates.body, certificates(agent));
    tail.update(agent);
  }

  async function load() {
    try {
      agent = await get(agentPath(id), signal);
    } catch (err) {
      if (err.name === "AbortError" || err.status === 401) return;
      if (err.status !== 404 && agent) return;
      body.hidden = actions.hidden = true;
      why.hidden = true;
      head.update(null);
      show(gone, el("div", { class: "empty" }, el("h2", {}, err.status === 404 ? "There is no such agent" : "The agent cannot be shown"),
        el("p", { class: "quiet" }, err.message), el("a", { class: "button", href: address("agents") }, "All agents")),
        err.status === 404 && card("History", history.node).node);
      return;
    }
    body.hidden = actions.hidden = false;
    show(gone);
    commands.set(agent.commands);
    update();
  }

  const reload = later(200, load);
  let known = fleet.agents.get(id);
  fleet.on("agents", () => {
    const entry = fleet.agents.get(id);
    if (entry === known && fleet.loaded) return;
    known = entry;
    reload();
    history.refresh();
  }, signal);
  fleet.on("activity", () => agent && head.update(agent, fleet.agents.get(id)), signal);
  fleet.on("status", () => (agent ? update() : reload()), signal);
  fleet.on("command", (command) => {
    if (command.agent_id !== id) return;
    commands.put(command);
    history.refresh();
  }, signal);
  const clock = setInterval(() => agent && head.update(agent, fleet.agents.get(id)), 1000);
  signal.addEventListener("abort", () => {
    clearInterval(clock);
    reload.cancel();
    tail.stop();
    history.close();
  });
  load();
  history.load();
  if (params.get("tail")) tail.open(params.get("tail"));
  return { node, title: id, up: address("agents"), tail: () => tail.toggle(), leave: () => tail.stop(), step: (by) => neighbour(fleet, id, by) };
}

// neighbour is the address of the agent before or after this one by id.
function neighbour(fleet, id, by) {
  const ids = [...fleet.agents.keys()].sort();
  const next = ids[ids.indexOf(id) + by];
  return next === undefined ? null : address("agents", next);
}

function card(title, ...children) {
  const body = el("div", { class: "card-body" }, ...children);
  return { node: el("section", { class: "card" }, el("h2", {}, title), body), body };
}

function headOf(id) {
  const status = el("span", { class: "status" });
  const badges = el("span", { class: "badges" });
  const line = el("p", { class: "sub" });
  const number = el("b", { class: "huge" });
  const spark = new Spark(12, 220, 44);
  const node = el("header", { class: "agent-head" },
    el("div", { class: "who" }, el("a", { class: "back", href: address("agents") }, "← Agents"), el("h1", {}, id), el("p", { class: "state" }, status, badges), line),
    el("div", { class: "figure" }, spark.node, el("div", {}, number, el("span", { class: "unit" }, "requests/s"))));
  return {
    node,
    // update takes the agent, and its entry in the list, which knows the newest rate.
    update(agent, entry) {
      if (!agent) return say(line, "");
      const a = entry ?? agent;
      const state = a.approval === "approved" ? a.status : a.approval;
      mark(node, "data-status", state);
      say(status, `${state} since ${moment(a.since)} (${since(a.since)})`);
      show(badges, badgesOf(a));
      say(line, [agent.hostname, a.status === "online" ? `on ${a.gateway}` : a.gateway && `last on ${a.gateway}`, `last seen ${ago(a.last_seen)}`].filter(Boolean).join(" · "));
      say(number, a.status === "online" ? rate(a.rate) : "–");
      spark.draw(a.status === "online" ? a.rates : []);
    },
  };
}

