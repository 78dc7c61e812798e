// One agent in the list.
import { el, mark, say, show } from "./dom.js";
import { expiring } from "./fleet.js";
import { address } from "./router.js";
import { Spark } from "./spark.js";
import { days, moment, rate, since } from "./text.js";

const POINTS = 12;
const LABELS = 4;

// makeRow returns a row that can show any agent.
export function makeRow() {
  const cell = (style, ...children) => el("span", { class: style, role: "gridcell" }, ...children);
  const status = el("span", { class: "status" });
  const id = el("span", { class: "id" });
  const host = el("span", { class: "host" });
  const badges = el("span", { class: "badges" });
  const nginx = cell("c-nginx mono");
  const agent = cell("c-agent mono");
  const labels = cell("c-labels");
  const gateway = cell("c-gateway mono");
  const age = cell("c-since");
  const number = el("span", { class: "number" });
  const spark = new Spark(POINTS, 72, 22);
  const node = el("a", { class: "row", role: "row", tabindex: "-1" },
    cell("c-status", status), cell("c-name", el("span", { class: "name" }, id, badges), host), nginx, agent, labels, gateway, age,
    cell("c-rate", spark.node, number));
  let last = null;
  let badgesKey = "";

  function facts(a) {
    mark(node, "href", address("agents", a.id));
    mark(node, "data-status", a.approval === "approved" ? a.status : a.approval);
    say(status, a.approval === "approved" ? a.status : a.approval);
    say(id, a.id);
    mark(id, "title", a.id);
    say(host, [a.hostname, a.address].filter(Boolean).join(" · "));
    say(nginx, a.nginx_version || "–");
    say(agent, a.agent_version || "–");
    say(gateway, a.gateway || "–");
    mark(age, "title", moment(a.since));
    showLabels(labels, a.labels);
    const key = `${a.drift} ${a.certificate_expires}`;
    if (key !== badgesKey) show(badges, badgesOf(a));
    badgesKey = key;
  }

  return {
    node,
    update(a) {
      if (last && last.id === a.id && last.status !== a.status) flash(node);
      if (last !== a) facts(a);
      last = a;
      say(age, since(a.since));
      say(number, a.status === "online" ? rate(a.rate) : "–");
      spark.draw(a.status === "online" ? a.rates : []);
    },
  };
}

// flash shows that the status has just changed.
function flash(node) {
  node.classList.remove("flash");
  void node.offsetWidth; // so that the animation begins again
  node.classList.add("flash");
}

export function badgesOf(a) {
  return [
    a.drift === "drifted" && el("span", { class: "badge is-drifted", title: "The configuration differs from its baseline" }, "drift"),
    a.certificate_expires && expiring(a) && el("span", { class: "badge is-expiring", title: `A certificate expires ${moment(a.certificate_expires)}` }, certificate(a)),
  ];
}

function certificate(a) {
  const left = days(a.certificate_expires);
  return left < 0 ? "cert expired" : `cert ${left} d`;
}

function showLabels(node, labels) {
  const all = Object.entries(labels).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  const key = all.slice(0, LABELS).join("\n") + all.length;
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  show(node, all.slice(0, LABELS).map(([name, value]) => label(name, value)), all.length > LABELS && el("span", { class: "more" }, `+${all.length - LABELS}`));
}

// label is a label as people read it.
export const label = (name, value) => el("span", { class: "label", title: `${name}=${value}` }, el("i", {}, name), el("b", {}, value));
