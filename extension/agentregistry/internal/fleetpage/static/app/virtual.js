// A list of any length of which only what is in sight has nodes.
import { el, frame, mark } from "./dom.js";

const SPARE = 6;

// VirtualList shows items in rows of one height, and is one stop for the keyboard: arrows move, Enter opens.
// `make` returns { node, update(item) }; rows are used again for other items.
export class VirtualList {
  #make;
  #open;
  #items = [];
  #rows = [];
  #active = -1;
  #canvas = el("div", { class: "rows", role: "rowgroup" });
  #draw = frame(() => this.#render());

  constructor({ make, open, label, head }) {
    this.#make = make;
    this.#open = open;
    this.node = el("div", {
      class: "list", role: "grid", tabindex: "0", "aria-label": label,
      onscroll: this.#draw, onkeydown: (e) => this.#key(e), onfocus: () => this.#focus(),
    }, head, this.#canvas);
    this.#canvas.addEventListener("pointerdown", (e) => this.#touch(e));
    this.#sizes = new ResizeObserver(this.#draw);
    this.#sizes.observe(this.node);
  }

  #sizes;

  // set shows other items. The active one stays active if it is still there.
  set(items) {
    const active = this.#items[this.#active]?.id;
    this.#items = items;
    this.#active = active === undefined ? -1 : items.findIndex((item) => item.id === active);
    mark(this.node, "aria-rowcount", items.length + 1);
    this.#draw();
  }

  redraw() {
    this.#draw();
  }

  focus() {
    this.node.focus();
  }

  close() {
    this.#sizes.disconnect();
  }

  #height() {
    return parseFloat(getComputedStyle(this.node).getPropertyValue("--row-height")) || 44;
  }

  // inSight is how much of the list shows rows, below its sticky head: never more than the window, whatever the styles say.
  #inSight() {
    return Math.min(this.node.clientHeight, innerHeight) - this.#canvas.offsetTop;
  }

  #render() {
    const height = this.#height();
    const first = Math.max(0, Math.floor(this.node.scrollTop / height) - SPARE);
    const last = Math.min(this.#items.length, Math.ceil((this.node.scrollTop + this.#inSight()) / height) + SPARE);
    this.#canvas.style.height = `${this.#items.length * height}px`;
    while (this.#rows.length < last - first) this.#grow();
    const size = this.#rows.length;
    const used = new Set();
    for (let i = first; i < last; i++) {
      used.add(i % size);
      this.#place(this.#rows[i % size], i, height);
    }
    this.#rows.forEach((row, i) => (row.node.hidden = !used.has(i)));
    const active = this.#active >= first && this.#active < last;
    mark(this.node, "aria-activedescendant", active ? `row-${this.#active % size}` : null);
  }

  #grow() {
    const row = this.#make();
    row.node.id = `row-${this.#rows.length}`;
    this.#rows.push(row);
    this.#canvas.append(row.node);
  }

  #place(row, index, height) {
    row.node.style.transform = `translateY(${index * height}px)`;
    mark(row.node, "aria-rowindex", index + 2);
    row.node.classList.toggle("active", index === this.#active);
    row.index = index;
    row.update(this.#items[index]);
  }

  #focus() {
    if (this.#active < 0 && this.#items.length) this.#move(Math.ceil(this.node.scrollTop / this.#height()));
  }

  #touch(e) {
    const row = this.#rows.find((r) => r.node.contains(e.target));
    if (!row) return;
    this.#active = row.index;
    this.#draw();
  }

  #key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target !== this.node) return;
    const page = Math.max(1, Math.floor(this.#inSight() / this.#height()) - 1);
    const to = {
      ArrowDown: this.#active + 1, j: this.#active + 1, ArrowUp: this.#active - 1, k: this.#active - 1,
      PageDown: this.#active + page, PageUp: this.#active - page, Home: 0, End: this.#items.length - 1,
    }[e.key];
    if (to !== undefined) this.#move(to);
    else if (e.key === "Enter" && this.#items[this.#active]) this.#open(this.#items[this.#active]);
    else return;
    e.preventDefault();
  }

  #move(to) {
    this.#active = Math.max(0, Math.min(this.#items.length - 1, to));
    const height = this.#height();
    const top = this.#active * height;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top + height > this.node.scrollTop + this.#inSight()) this.node.scrollTop = top + height - this.#inSight();
    this.#draw();
  }
}
