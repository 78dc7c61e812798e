// Building the page. Text always becomes text nodes: nothing an agent sends is ever parsed as HTML.
import { ago, moment, plain } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

// el makes an element: el("a", { class: "x", href: "#/", onclick: f }, "text", child).
// A property that is null, undefined or false is left out; `on…` are listeners; `data` are data attributes.
export function el(name, props, ...children) {
  return fill(document.createElement(name), props, children);
}

// svg is el for drawings.
export function svg(name, props, ...children) {
  return fill(document.createElementNS(SVG, name), props, children);
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : plain(String(value)));
  }
  add(node, children);
  return node;
}

// add appends children: nodes, texts, lists of them; nothing for null and false.
function add(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : plain(String(child)));
  }
  return node;
}

// when says how long ago a moment was, and keeps saying so.
export const when = (at) => el("time", { datetime: at, title: moment(at), "data-ago": true }, ago(at));

// show replaces what is in a node.
export function show(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

// say sets a node's text, if it is another one: unchanged nodes cost the browser nothing.
export function say(node, text) {
  const safe = plain(String(text ?? ""));
  if (node.textContent !== safe) node.textContent = safe;
}

// mark sets or removes an attribute, if that changes something.
export function mark(node, name, value) {
  const wanted = value === null || value === undefined || value === false ? null : plain(String(value));
  if (node.getAttribute(name) === wanted) return;
  if (wanted === null) node.removeAttribute(name);
  else node.setAttribute(name, wanted);
}

// frame returns a function that runs f at most once per frame, however often it is called.
export function frame(f) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      f();
    });
  };
}

// later returns a function that runs f once, ms after the first of several calls.
export function later(ms, f) {
  let timer = null;
  const call = () => {
    timer ??= setTimeout(() => {
      timer = null;
      f();
    }, ms);
  };
  call.cancel = () => {
    clearTimeout(timer);
    timer = null;
  };
  return call;
}
