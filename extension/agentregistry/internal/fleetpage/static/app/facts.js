// What an agent says of itself, and what the gateway knows of it.
import { el } from "./dom.js";
import { label } from "./row.js";
import { address } from "./router.js";
import { ago, moment } from "./text.js";

const AUTHENTICATION = { none: "not authenticated", psk: "pre-shared key", mtls: "client certificate (mTLS)", extension: "authentication extension" };

export function facts(a) {
  const rows = [
    ["Id", mono(a.id)],
    ["Host", a.hostname],
    ["Runs in", a.is_pod ? `pod${a.pod_ip ? `, ${a.pod_ip}` : ""}` : "host"],
    ["Address", mono(a.session?.address || a.address)],
    ["Management", mono([a.mgmt_address, ...a.mgmt_address_candidates.filter((c) => c !== a.mgmt_address)].filter(Boolean).join(", "))],
    ["NGINX", mono(a.nginx_version)],
    ["Agent", mono(a.agent_version)],
    ["Build", mono([a.build_date, a.git_branch, a.git_commit].filter(Boolean).join(" · "))],
    ["Labels", labels(a)],
    ["Gateway", a.gateway && el("a", { href: address("gateways") }, a.gateway)],
    ["Session", a.session && `no. ${a.session.number}, opened ${moment(a.session.opened_at)}`],
    ["Last seen", a.last_seen && `${moment(a.last_seen)} (${ago(a.last_seen)})`],
    ["Agent started", a.agent_started_at && moment(a.agent_started_at)],
    ["First seen", moment(a.first_seen)],
    ["Authenticated", AUTHENTICATION[a.authentication] ?? a.authentication],
    ["Approval", approval(a)],
  ];
  return el("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

const mono = (text) => text && el("span", { class: "mono" }, text);

function labels(a) {
  const all = Object.entries(a.labels).sort((x, y) => (x[0] < y[0] ? -1 : 1));
  if (!all.length) return null;
  return [all.map(([name, value]) => label(name, value)), a.labels_truncated && el("span", { class: "quiet" }, "(the agent sent more, or longer, than is kept)")];
}

function approval(a) {
  const d = a.decision;
  return d ? `${a.approval} by ${d.by}, ${moment(d.at)}${d.reason ? `: ${d.reason}` : ""}` : a.approval;
}
