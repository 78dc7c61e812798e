// The view of all agents.
import { el, frame, later, mark, say, show } from "./dom.js";
import { SOON } from "./fleet.js";
import { facets, select, SORTS, toggle, words } from "./query.js";
import { makeRow } from "./row.js";
import { address, go, replace, route } from "./router.js";
import { count, few, plural } from "./text.js";
import { VirtualList } from "./virtual.js";
import { Overview } from "./overview.js";
import { emptyFleet, noMatch } from "./empty.js";
import { approveAll } from "./decisions.js";

const CHIPS = [
  ["", "All", "total"], ["status:online", "Online", "online"], ["status:offline", "Offline", "offline"],
  ["approval:pending", "Waiting for approval", "pending"], ["approval:revoked", "Revoked", "revoked"],
  ["drift:drifted", "Drifted", "drifted"], ["cert:expiring", `Certificate < ${SOON} days`, "expiring"],
];

const COLUMNS = [
  ["status", "Status", "c-status"], ["id", "Agent", "c-name"], ["nginx_version", "NGINX", "c-nginx"], ["agent_version", "Agent version", "c-agent"],
  [null, "Labels", "c-labels"], ["gateway", "Gateway", "c-gateway"], ["since", "Since", "c-since"], ["rate", "Requests/s", "c-rate"],
];

export function agentsView({ fleet, signal }) {
  const { params } = route();
  const state = { text: params.get("q") ?? "", sort: params.get("sort") ?? "id" };
  if (!(state.sort.replace(/^-/, "") in SORTS)) state.sort = "id";

  const search = el("input", {
    type: "search", id: "search", placeholder: "Search, or label=value", "aria-label": "Search agents", "aria-keyshortcuts": "/",
    autocomplete: "off", spellcheck: "false", value: state.text, enterkeyhint: "search",
  });
  const found = el("output", { class: "found", for: "search", "aria-live": "polite" });
  const chips = CHIPS.map(([word, name, counter]) => chip(word, name, counter, setWord));
  const approve = el("button", { class: "button small", hidden: true, onclick: () => approveAll(shown.filter((a) => a.approval === "pending")) }, "Approve all shown…");
  const labels = labelPicker(fleet, () => state.text, setText, signal);
  const headers = COLUMNS.map((column) => header(column, setSort));
  const list = new VirtualList({
    make: makeRow, open: (agent) => go(address("agents", agent.id)), label: "Agents",
    head: el("div", { class: "row head", role: "row" }, headers.map((h) => h.node)),
  });
  const blank = el("div", { class: "blank" });
  const overview = new Overview(fleet);
  const node = el("div", { class: "view agents" },
    overview.node,
    el("div", { class: "toolbar" },
      el("div", { class: "searchbox" }, search, el("kbd", { "aria-hidden": "true" }, "/")), labels.node,
      el("div", { class: "chips", role: "group", "aria-label": "Filters" }, chips.map((c) => c.node)), approve, found),
    list.node, blank);
  let shown = [];

  function refilter() {
    shown = select(fleet.agents.values(), state.text, state.sort);
    list.set(shown);
    const none = fleet.loaded && shown.length === 0;
    list.node.hidden = none;
    if (none) show(blank, fleet.agents.size ? noMatch(() => setText("")) : emptyFleet(fleet));
    else show(blank);
    say(found, summary());
    const counts = fleet.counts();
    chips.forEach((c) => c.update(counts, words(state.text)));
    approve.hidden = !(fleet.status?.control.enabled && words(state.text).includes("approval:pending") && shown.length > 1);
  }

  function summary() {
    if (!fleet.loaded) return fleet.total ? `loading ${count(fleet.agents.size)} of ${count(fleet.total)}` : "loading";
    return shown.length === fleet.agents.size ? plural(shown.length, "agent") : `${count(shown.length)} of ${count(fleet.agents.size)}`;
  }

  function remember() {
    replace(address("agents", "", { q: state.text, sort: state.sort === "id" ? "" : state.sort }));
    headers.forEach((h) => h.update(state.sort));
    refilter();
  }

  function setText(text) {
    state.text = text;
    if (search.value !== text) search.value = text;
    remember();
  }

  function setWord(word) {
    setText(word ? toggle(state.text, word) : "");
  }

  function setSort(sort) {
    state.sort = sort;
    remember();
  }

  const soon = later(120, refilter);
  search.addEventListener("input", () => setText(search.value));
  search.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" || e.key === "Enter") list.focus();
    else if (e.key === "Escape" && search.value) setText("");
    else return;
    e.preventDefault();
  });
  fleet.on("agents", frame(() => (fleet.loaded ? soon() : refilter())), signal);
  fleet.on("activity", () => (/rate/.test(state.sort) ? soon() : list.redraw()), signal);
  fleet.on("status", soon, signal);
  const clock = setInterval(() => list.redraw(), 5000);
  signal.addEventListener("abort", () => {
    clearInterval(clock);
    soon.cancel();
    list.close();
    overview.close();
  });
  remember();
  overview.start(signal);
  return { node, title: "Agents", search: () => search.select(), focus: () => list.focus() };
}

function chip(word, name, counter, choose) {
  const number = el("b");
  const node = el("button", { class: `chip is-${counter}`, onclick: () => choose(word) }, el("i", { "aria-hidden": "true" }), name, number);
  return {
    node,
    update(counts, chosen) {
      const pressed = word ? chosen.includes(word) : chosen.length === 0;
      say(number, few(counts[counter]));
      mark(node, "aria-pressed", pressed);
      node.hidden = counts[counter] === 0 && !pressed && counter !== "total";
    },
  };
}

function header([key, name, style], choose) {
  if (!key) return { node: el("div", { role: "columnheader", class: style }, name), update() {} };
  const button = el("button", { onclick: () => choose(next) }, name, el("i", { "aria-hidden": "true" }));
  const node = el("div", { role: "columnheader", class: style }, button);
  let next = key;
  return {
    node,
    update(sort) {
      const descending = sort === `-${key}`;
      const sorted = sort === key ? "ascending" : descending ? "descending" : null;
      mark(node, "aria-sort", sorted);
      // The busiest and the latest are what people look for first.
      const downFirst = key === "rate" || key === "since";
      next = sorted ? (descending ? key : `-${key}`) : downFirst ? `-${key}` : key;
    },
  };
}

// labelPicker offers the labels that there are, with how many agents have them.
function labelPicker(fleet, text, choose, signal) {
  const body = el("div", { class: "picker-body" });
  const node = el("details", { class: "picker" }, el("summary", { class: "button" }, "Labels"), body);
  const most = 40;
  function fill() {
    const chosen = words(text());
    const all = facets(fleet.agents.values());
    show(body, all.length ? null : el("p", { class: "quiet" }, "No agent has labels."), all.map(([key, values]) =>
      el("section", {}, el("h3", {}, key), values.slice(0, most).map(([value, n]) => option(`${key}=${value}`, value, n, chosen)),
        values.length > most && el("p", { class: "quiet" }, `and ${count(values.length - most)} more: write ${key}=value`))));
  }
  function option(word, value, n, chosen) {
    return el("button", {
      class: "facet", "aria-pressed": chosen.includes(word),
      onclick: () => {
        choose(toggle(text(), word));
        fill();
      },
    }, el("span", {}, value || "(empty)"), el("b", {}, few(n)));
  }
  node.addEventListener("toggle", () => node.open && fill());
  node.addEventListener("keydown", (e) => {
    if (e.key !== "Escape" || !node.open) return;
    node.open = false;
    node.firstChild.focus();
    e.stopPropagation();
  });
  document.addEventListener("pointerdown", (e) => {
    if (!node.contains(e.target)) node.open = false;
  }, { signal });
  return { node };
}

