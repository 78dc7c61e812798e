// Small drawings of recent rates.
import { mark, svg } from "./dom.js";

// Spark is a line over the newest points, at least `least` wide. It is redrawn in place.
export class Spark {
  #area = svg("path", { class: "spark-area" });
  #line = svg("path", { class: "spark-line" });
  #least;
  #width;
  #height;

  constructor(least, width, height) {
    this.#least = least;
    this.#width = width;
    this.#height = height;
    this.node = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, this.#area, this.#line);
  }

  draw(values) {
    const path = this.#path(values);
    mark(this.#line, "d", path);
    mark(this.#area, "d", path && `${path}L${this.#width} ${this.#height}L${this.#x(values, 0)} ${this.#height}Z`);
  }

  #x(values, i) {
    const step = this.#width / (Math.max(this.#least, values.length) - 1);
    return Math.round((this.#width - (values.length - 1 - i) * step) * 10) / 10;
  }

  // path scales to the highest point, and leaves room for the line's width.
  #path(values) {
    if (values.length < 2) return "";
    const top = Math.max(...values, 1e-9) * 1.12;
    const y = (v) => Math.round((this.#height - 1 - (v / top) * (this.#height - 3)) * 10) / 10;
    return values.map((v, i) => `${i ? "L" : "M"}${this.#x(values, i)} ${y(v)}`).join("");
  }
}
