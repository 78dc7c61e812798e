// The fleet at one glance: how many are online, the request rate of the last minutes, and a map with a cell for each agent.
import { el, frame, mark, say } from "./dom.js";
import { select } from "./query.js";
import { address, go } from "./router.js";
import { Spark } from "./spark.js";
import { count, few, plural, rate } from "./text.js";

const LEAST = 12;

export class Overview {
  #fleet;
  #online = el("b", { class: "huge" });
  #of = el("span", { class: "unit" });
  #rate = el("b", { class: "huge" });
  #gateways = el("a", { class: "note", href: address("gateways") });
  #pulse = new Spark(LEAST, 600, 64);
  #map;

  constructor(fleet) {
    this.#fleet = fleet;
    this.#map = new FleetMap(fleet);
    this.node = el("section", { class: "overview", "aria-label": "The fleet at a glance" },
      el("div", { class: "figure" }, this.#online, this.#of, this.#gateways),
      el("div", { class: "figure wide" }, el("div", {}, this.#rate, el("span", { class: "unit" }, "requests/s")), this.#pulse.node),
      this.#map.node);
  }

  start(signal) {
    const draw = frame(() => this.#draw());
    for (const name of ["agents", "activity", "gateways"]) this.#fleet.on(name, draw, signal);
    draw();
  }

  close() {
    this.#map.close();
  }

  #draw() {
    const c = this.#fleet.counts();
    say(this.#online, few(c.online));
    say(this.#of, `of ${plural(c.total, "agent")} online`);
    say(this.#rate, rate(this.#fleet.rate()));
    const live = this.#fleet.gateways.filter((g) => g.state === "live").length;
    say(this.#gateways, `on ${plural(live, "gateway")}`);
    this.#pulse.draw(this.#fleet.pulse);
    this.#map.draw(c);
  }
}

// FleetMap is a picture with a cell for each agent, in the order of their ids, so that neighbours by name are neighbours here.
class FleetMap {
  #fleet;
  #canvas = el("canvas", { role: "img" });
  #tip = el("div", { class: "tip", hidden: true });
  #agents = [];
  #version = -1;
  #grid = { size: 1, columns: 1 };
  #sizes = new ResizeObserver(() => this.draw(this.#fleet.counts()));

  constructor(fleet) {
    this.#fleet = fleet;
    this.node = el("div", { class: "map" }, this.#canvas, this.#tip);
    this.#canvas.addEventListener("pointermove", (e) => this.#hover(e));
    this.#canvas.addEventListener("pointerleave", () => (this.#tip.hidden = true));
    this.#canvas.addEventListener("click", (e) => this.#at(e) && go(address("agents", this.#at(e).id)));
    this.#sizes.observe(this.node);
  }

  close() {
    this.#sizes.disconnect();
  }

  draw(counts) {
    const { clientWidth: width, clientHeight: height } = this.node;
    if (!width || !height) return;
    if (this.#version !== this.#fleet.version) this.#agents = select(this.#fleet.agents.values(), "", "id");
    this.#version = this.#fleet.version;
    mark(this.#canvas, "aria-label", `Map of the fleet: ${count(counts.online)} online, ${count(counts.offline)} offline`);
    this.#grid = cells(this.#agents.length, width, height);
    this.#paint(width, height);
  }

  #paint(width, height) {
    const ratio = devicePixelRatio || 1;
    Object.assign(this.#canvas, { width: width * ratio, height: height * ratio });
    const pen = this.#canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.node);
    const colour = (name) => style.getPropertyValue(`--map-${name}`);
    const colours = { online: colour("online"), offline: colour("offline"), pending: colour("pending"), revoked: colour("revoked") };
    const most = this.#agents.reduce((top, a) => Math.max(top, a.rate ?? 0), 1);
    const { size, columns } = this.#grid;
    const inner = size > 3 ? size - Math.max(1, Math.round(size / 6)) : size;
    this.#agents.forEach((a, i) => {
      const state = a.approval === "approved" ? a.status : a.approval;
      pen.globalAlpha = state === "online" ? 0.35 + 0.65 * Math.sqrt((a.rate ?? 0) / most) : 1;
      pen.fillStyle = colours[state];
      pen.fillRect((i % columns) * size, Math.floor(i / columns) * size, inner, inner);
    });
  }

  #at(e) {
    const { size, columns } = this.#grid;
    const column = Math.floor(e.offsetX / size);
    return column < columns ? this.#agents[Math.floor(e.offsetY / size) * columns + column] : undefined;
  }

  #hover(e) {
    const agent = this.#at(e);
    this.#tip.hidden = !agent;
    this.#canvas.classList.toggle("pointing", Boolean(agent));
    if (!agent) return;
    say(this.#tip, `${agent.id} · ${agent.status}${agent.status === "online" ? ` · ${rate(agent.rate)}/s` : ""}`);
    this.#tip.classList.toggle("left", e.offsetX > this.node.clientWidth / 2);
    this.#tip.style.setProperty("--x", `${e.offsetX}px`);
    this.#tip.style.setProperty("--y", `${e.offsetY}px`);
  }
}

// cells finds the largest cells with which n fit.
function cells(n, width, height) {
  for (let size = 28; size > 1; size--) {
    const columns = Math.floor(width / size);
    if (columns * Math.floor(height / size) >= n) return { size, columns };
  }
  return { size: 1, columns: Math.floor(width) };
}
