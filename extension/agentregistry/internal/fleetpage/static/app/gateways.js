// The view of all gateways: who lives, and with what load.
import { el, say, show } from "./dom.js";
import { nothing } from "./empty.js";
import { Gauge } from "./gauge.js";
import { address } from "./router.js";
import { bytes, count, moment, plural, rate, since } from "./text.js";

export function gatewaysView({ fleet, signal }) {
  const cards = el("div", { class: "gateways" });
  const lead = el("p", { class: "lead" });
  let meters = [];

  function draw() {
    const all = [...fleet.gateways].sort((a, b) => (a.state === b.state ? a.id.localeCompare(b.id) : a.state === "live" ? -1 : 1));
    const live = all.filter((g) => g.state === "live").length;
    const most = Math.max(1, ...all.map((g) => g.agents));
    say(lead, all.length ? `${plural(live, "gateway")} live. Each renews its lease all the time; when one is killed, its lease runs out and its agents show as offline.` : "");
    meters = all.map((g) => gateway(g, most));
    show(cards, all.length ? meters.map((m) => m.node) : nothing("No gateway has a lease yet: the database has not been reached."));
  }

  fleet.on("gateways", draw, signal);
  fleet.on("status", draw, signal);
  const clock = setInterval(() => meters.forEach((m) => m.tick()), 250);
  signal.addEventListener("abort", () => clearInterval(clock));
  draw();
  return { node: el("div", { class: "view narrow" }, el("h1", {}, "Gateways"), lead, cards), title: "Gateways" };
}

function gateway(g, most) {
  const left = el("b");
  const full = Math.max(10, g.lease_seconds);
  const lease = new Gauge("Lease", full);
  const tick = () => {
    const seconds = g.state === "live" ? Math.max(0, g.lease_seconds - (performance.now() - g.at) / 1000) : 0;
    const words = g.state === "live" ? `${seconds.toFixed(0)} s` : "ran out";
    lease.set(seconds, seconds > full / 3 ? "good" : "poor", words);
    say(left, words);
  };
  tick();
  const share = new Gauge("Agents", most).set(g.agents);
  const node = el("section", { class: `card gateway is-${g.state}` },
    el("h2", {}, el("i", { "aria-hidden": "true" }), g.id, g.self && el("span", { class: "badge" }, "answers you"), el("span", { class: "sub" }, g.state)),
    el("div", { class: "gauges" },
      el("div", {}, el("span", {}, "Lease"), left, lease.node),
      el("div", {}, el("span", {}, "Agents"), el("b", {}, el("a", { href: address("agents", "", { q: `gateway:${/\s/.test(g.id) ? `"${g.id}"` : g.id}` }) }, count(g.agents))), share)),
    el("dl", { class: "facts" }, [
      ["Messages", `${rate(g.messages_per_second)} /s`], ["Memory", bytes(g.memory_bytes)], ["Goroutines", count(g.goroutines)],
      ["Version", g.version], ["Address", g.address], ["Started", `${moment(g.started_at)} (${since(g.started_at)})`], ["Run", `no. ${g.incarnation}`],
    ].map(([name, value]) => [el("dt", {}, name), el("dd", { class: "mono" }, value)])));
  return { node, tick };
}
