// An agent's NGINX: instances, configuration files with their drift, certificates.
import { el } from "./dom.js";
import { nothing } from "./empty.js";
import { SOON } from "./fleet.js";
import { Gauge } from "./gauge.js";
import { address } from "./router.js";
import { bytes, days, moment, plural, shortHash } from "./text.js";

const DRIFT = {
  none: "no baseline applies", unknown: "not comparable: the agent, or its baseline, has no hashes yet",
  in_sync: "as its baseline", drifted: "differs from its baseline",
};
const CHANGES = { modified: "differs", missing: "is missing", added: "is not in the baseline" };

export function instances(a) {
  if (!a.instances.length) return nothing("The agent has reported no NGINX process.");
  return table(["PID", "Version", "Status", "Configuration"], a.instances.map((i) => [mono(i.pid), mono(i.version), i.status, mono(i.conf_path)]));
}

export function configuration(a) {
  const c = a.config;
  return [
    el("p", { class: `drift-line is-${a.drift}` }, el("i", { "aria-hidden": "true" }), el("b", {}, DRIFT[a.drift] ?? a.drift),
      a.baseline && [" ", el("a", { href: address("drift", "", { baseline: a.baseline }) }, a.baseline)]),
    a.differences?.length > 0 && el("ul", { class: "differences" }, a.differences.map(difference)),
    a.config_hash && el("p", { class: "quiet" }, "Hash ", el("span", { class: "mono", title: a.config_hash }, shortHash(a.config_hash)),
      c?.computed_at && `, computed ${moment(c.computed_at)}`),
    !c || !c.files.length ? nothing("The agent has sent no configuration hashes.") : files(c.files, new Set((a.differences ?? []).map((d) => d.path))),
  ];
}

export function difference(d) {
  return el("li", { class: `is-${d.change}` }, el("span", { class: "mono" }, d.path), el("em", {}, CHANGES[d.change] ?? d.change),
    d.expected && hash("expected", d.expected), d.actual && hash("has", d.actual));
}

const hash = (name, value) => el("span", { class: "quiet" }, `${name} `, el("span", { class: "mono", title: value }, shortHash(value)));

function files(all, drifted) {
  const rows = all.map((f) => [
    f.kind, el("span", { class: drifted.has(f.path) ? "mono is-drifted" : "mono" }, f.path), el("span", { class: "mono", title: f.hash }, shortHash(f.hash)),
    f.size ? bytes(f.size) : "", f.modified_at ? moment(f.modified_at) : "",
  ]);
  return el("details", { open: all.length <= 12 }, el("summary", {}, plural(all.length, "file")), table(["Kind", "Path", "Hash", "Size", "Modified"], rows));
}

export function certificates(a) {
  const all = a.config?.certificates ?? [];
  if (!all.length) return nothing("The agent has reported no certificates.");
  const sorted = [...all].sort((x, y) => (x.expires_at ?? "9") < (y.expires_at ?? "9") ? -1 : 1);
  return el("ul", { class: "certificates" }, sorted.map(certificate));
}

// certificate shows the days that are left, out of the ninety that most certificates have.
function certificate(c) {
  const left = c.expires_at ? days(c.expires_at) : null;
  const state = left === null ? "unknown" : left < 0 ? "expired" : left < SOON ? "expiring" : "good";
  const words = { unknown: "no expiry known", expired: `expired ${moment(c.expires_at)}` }[state] ?? `${plural(left, "day")} left`;
  return el("li", { class: `is-${state}` },
    el("b", {}, c.domain || c.path), el("span", { class: "left" }, words),
    new Gauge("Validity", 90).set(left ?? 0, state === "good" ? "good" : "poor", words),
    el("span", { class: "quiet" }, [c.expires_at && `until ${moment(c.expires_at)}`, c.issuer, c.path].filter(Boolean).join(" · ")));
}

const mono = (text) => el("span", { class: "mono" }, text);

function table(names, rows) {
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, names.map((n) => el("th", { scope: "col" }, n)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((value) => el("td", {}, value)))))));
}
