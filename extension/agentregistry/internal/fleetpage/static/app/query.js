// What people write into the search field.
import { expiring } from "./fleet.js";

// fields are the names that may stand before a colon.
const fields = {
  status: (a, v) => a.status === v,
  approval: (a, v) => a.approval === v,
  drift: (a, v) => a.drift === v,
  gateway: (a, v) => a.gateway === v,
  nginx: (a, v) => a.nginx_version === v,
  agent: (a, v) => a.agent_version === v,
  cert: (a, v) => v === "expiring" && expiring(a),
};

// words splits at spaces; quotes keep words together, as in env="eu west".
export function words(text) {
  return (text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []).map((w) => w.replaceAll('"', ""));
}

// quoted is the inverse for one word.
const quoted = (word) => (/\s/.test(word) ? `"${word}"` : word);

// parse turns text into a test. Words: key=value, key!=value (labels), field:value, anything else is looked for everywhere.
// All must hold.
function parse(text) {
  const tests = words(text).map(test);
  return (agent) => tests.every((t) => t(agent));
}

function test(word) {
  const label = /^([^=:]+?)(!?)=(.*)$/.exec(word);
  if (label) {
    const [, key, not, value] = label;
    return (a) => (a.labels[key] === value) !== (not === "!");
  }
  const [name, ...rest] = word.split(":");
  if (rest.length && fields[name]) return (a) => fields[name](a, rest.join(":"));
  const needle = word.toLowerCase();
  return (a) => haystack(a).includes(needle);
}

const texts = new WeakMap();

function haystack(a) {
  let text = texts.get(a);
  if (text === undefined) {
    const labels = Object.entries(a.labels).map(([key, value]) => `${key}=${value}`);
    text = [a.id, a.hostname, a.address, a.nginx_version, a.agent_version, a.gateway, ...labels].join("\n").toLowerCase();
    texts.set(a, text);
  }
  return text;
}

// toggle adds a word to the text, or takes it away when it is there. Words of the same field give way.
export function toggle(text, word) {
  const all = words(text);
  const field = /^([a-z]+):/.exec(word)?.[1];
  const others = all.filter((w) => w !== word && !(field && w.startsWith(`${field}:`)));
  if (!all.includes(word)) others.push(word);
  return others.map(quoted).join(" ");
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const text = (name) => (a, b) => compare(a[name], b[name]);
const natural = new Intl.Collator("en", { numeric: true });

// SORTS are the orders, by the name in the page's address.
export const SORTS = {
  id: (a, b) => compare(a.id, b.id),
  status: text("status"),
  nginx_version: (a, b) => natural.compare(a.nginx_version, b.nginx_version),
  agent_version: (a, b) => natural.compare(a.agent_version, b.agent_version),
  gateway: text("gateway"),
  since: text("since"),
  rate: (a, b) => (a.rate ?? -1) - (b.rate ?? -1),
};

// select returns the agents that pass, in order. `sort` has a leading minus for descending; equals are ordered by id.
export function select(agents, text, sort) {
  const passes = parse(text);
  const found = [];
  for (const agent of agents) if (passes(agent)) found.push(agent);
  const sign = sort.startsWith("-") ? -1 : 1;
  const order = SORTS[sort.replace(/^-/, "")] ?? SORTS.id;
  return found.sort((a, b) => sign * order(a, b) || compare(a.id, b.id));
}

// facets counts label values: [[key, [[value, n], …]], …], the most common first.
export function facets(agents) {
  const keys = new Map();
  for (const { labels } of agents) {
    for (const [key, value] of Object.entries(labels)) {
      const values = keys.get(key) ?? keys.set(key, new Map()).get(key);
      values.set(value, (values.get(value) ?? 0) + 1);
    }
  }
  const byCount = (a, b) => b[1] - a[1] || compare(a[0], b[0]);
  return [...keys].sort((a, b) => compare(a[0], b[0])).map(([key, values]) => [key, [...values].sort(byCount)]);
}
