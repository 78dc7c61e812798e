// A bar that shows how much of something there is.
import { el, mark } from "./dom.js";

// Gauge is full at `most`. `state` (good, poor, bad) gives it its colour.
export class Gauge {
  #bar = el("i");
  #most;

  constructor(name, most) {
    this.#most = most;
    this.node = el("span", { class: "gauge", role: "meter", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": most }, this.#bar);
  }

  set(value, state = "good", words = String(value)) {
    const part = Math.max(0, Math.min(1, value / this.#most));
    this.#bar.style.width = `${part * 100}%`;
    mark(this.node, "aria-valuenow", Math.round(Math.max(0, value)));
    mark(this.node, "aria-valuetext", words);
    mark(this.node, "data-state", state);
    return this.node;
  }
}
