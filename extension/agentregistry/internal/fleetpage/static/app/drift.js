// The view of drift: baselines, and the agents that differ from theirs.
import { get, send } from "./api.js";
import { difference } from "./config.js";
import { ask, field, toast } from "./dialog.js";
import { el, later, say, show } from "./dom.js";
import { nothing } from "./empty.js";
import { address, go, route } from "./router.js";
import { label } from "./row.js";
import { moment, plural } from "./text.js";

const PAGE = 100;

export function driftView({ fleet, signal }) {
  const only = route().params.get("baseline") ?? "";
  const baselines = el("div", { class: "baselines" });
  const drifted = el("ol", { class: "drifted" });
  const note = nothing("");
  const more = el("button", { class: "button small", hidden: true, onclick: () => page(drifted.children.length) }, "More");
  const create = el("button", { class: "button primary", onclick: () => newBaseline(fleet, changed) }, "New baseline…");
  const node = el("div", { class: "view narrow" },
    el("header", { class: "title" }, el("h1", {}, "Drift"), create),
    el("p", { class: "lead" }, "A baseline says which configuration agents should have: that of a chosen agent, or one that was recorded."),
    baselines, el("h2", { class: "section" }, only ? `Agents that differ from ${only}` : "Agents that differ"),
    only && el("a", { class: "button small", href: address("drift") }, "All baselines"), note, drifted, more);

  async function load() {
    const refusal = fleet.status?.control.reason ?? "";
    create.toggleAttribute("aria-disabled", Boolean(refusal));
    create.title = refusal;
    try {
      const { baselines: all } = await get("baselines", signal);
      show(baselines, all.length ? all.map((b) => baseline(b, only, refusal, changed)) : nothing("There is no baseline yet."));
      await page(0);
    } catch (err) {
      if (err.name !== "AbortError") say(note, err.message);
    }
  }

  async function page(offset) {
    const query = `drift?limit=${PAGE}&offset=${offset}${only ? `&baseline=${encodeURIComponent(only)}` : ""}`;
    const body = await get(query, signal);
    if (offset === 0) show(drifted);
    drifted.append(...body.agents.map(agent));
    more.hidden = drifted.children.length >= body.total;
    say(note, body.total ? plural(body.total, "agent") : "Every agent that has a baseline is as it should be.");
  }

  const again = later(1000, load);
  // Gateways learn of a baseline a moment after it is written.
  function changed() {
    load();
    again();
  }
  fleet.on("agents", () => fleet.loaded && again(), signal);
  fleet.on("status", again, signal);
  signal.addEventListener("abort", () => again.cancel());
  load();
  return { node, title: "Drift" };
}

function agent(a) {
  return el("li", { "data-status": a.status }, el("p", {}, el("a", { href: address("agents", a.id) }, a.id), el("span", { class: "quiet" }, `${a.status} · baseline ${a.baseline}`)),
    el("ul", { class: "differences" }, a.files.map(difference)));
}

function baseline(b, only, refusal, changed) {
  const labels = Object.entries(b.labels);
  const whom = b.agent ? [el("a", { href: address("agents", b.agent) }, b.agent)] : labels.length ? labels.map(([k, v]) => label(k, v)) : "all agents";
  const what = b.reference ? ["what ", el("a", { href: address("agents", b.reference) }, b.reference), " has"] : "recorded hashes";
  const forget = () => (refusal ? toast(refusal, "bad") : ask({
    title: `Delete the baseline ${b.name}?`, confirm: "Delete", danger: true, body: el("p", {}, "Its agents are no longer compared with it. Nothing changes at the agents."),
    act: () => send("DELETE", `baselines/${encodeURIComponent(b.name)}`),
  }).then(changed));
  return el("section", { class: b.drifted ? "card is-drifted" : "card", "aria-current": b.name === only ? "true" : null },
    el("h2", {}, el("a", { href: address("drift", "", { baseline: b.name }) }, b.name), el("span", { class: "sub" }, b.drifted ? `${plural(b.drifted, "agent")} of ${b.agents} differ` : `${plural(b.agents, "agent")}, all as they should be`)),
    el("dl", { class: "facts" }, el("dt", {}, "For"), el("dd", {}, whom), el("dt", {}, "Is"), el("dd", {}, what), el("dt", {}, "By"), el("dd", {}, `${b.created_by}, ${moment(b.created_at)}`)),
    el("button", { class: "button small quiet-button", "aria-disabled": refusal ? "true" : null, title: refusal, onclick: forget }, "Delete…"));
}

async function newBaseline(fleet, changed) {
  const refusal = fleet.status?.control.reason;
  if (refusal) return toast(refusal, "bad");
  const ids = el("datalist", { id: "agent-ids" }, [...fleet.agents.keys()].sort().slice(0, 500).map((id) => el("option", { value: id })));
  const name = el("input", { required: true, maxlength: "128", autofocus: true, placeholder: "edge" });
  const labels = el("input", { placeholder: "env=prod role=edge", autocomplete: "off" });
  const source = el("input", { required: true, list: "agent-ids", autocomplete: "off" });
  const how = el("select", {}, el("option", { value: "record" }, "as it is now (recorded)"), el("option", { value: "reference" }, "as it is at any time (followed)"));
  const made = await ask({
    title: "New baseline", confirm: "Create",
    body: [field("Name", name), field("For agents with these labels", labels, "label=value, separated by spaces. Empty: all agents. The baseline with the most labels counts."),
      field("Should have what this agent has", source), field("Namely", how), ids],
    collect: () => ({ name: name.value.trim(), body: { labels: pairs(labels.value), [how.value]: source.value.trim() } }),
    act: ({ name: to, body }) => send("PUT", `baselines/${encodeURIComponent(to)}`, body),
  });
  if (!made) return null;
  changed();
  return go(address("drift"));
}

function pairs(text) {
  const all = text.split(/\s+/).filter(Boolean).map((word) => word.split(/=(.*)/s));
  return Object.fromEntries(all.map(([key, value]) => [key, value ?? ""]));
}
