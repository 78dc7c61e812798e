// The page's copy of the fleet, kept by events.
import { Emitter } from "./emitter.js";
import { days, setNow } from "./text.js";

// The pulse has at most POINTS points. With less than LEAST, the agents' own recent rates tell more.
const POINTS = 60;
const LEAST = 12;
// SOON is how many days before its expiry a certificate deserves attention.
export const SOON = 21;

// Fleet emits "agents" (some came, went or changed), "activity" (rates and last seen), "gateways", "command", "status".
export class Fleet extends Emitter {
  agents = new Map();
  gateways = [];
  status = null;
  loaded = false;
  // total is how many there are by the server's count, while they load.
  total = 0;
  // pulse is the whole fleet's recent request rate, oldest first.
  pulse = [];
  // version grows whenever agents change.
  version = 0;
  #fresh = null;
  #loading = null;
  #counts = null;

  hello(status) {
    this.status = status;
    setNow(status.now);
    this.emit("status");
  }

  database(database) {
    if (this.status) this.status.database = database;
    this.emit("status");
  }

  // begin starts a load. What events tell meanwhile is newer than what is loaded.
  begin() {
    this.#fresh = new Set();
    this.#loading = new Map();
  }

  // page takes a part of the list, in its compact form.
  page({ columns, rows, total }) {
    this.total = total;
    for (const row of rows) {
      const agent = Object.fromEntries(columns.map((name, i) => [name, row[i]]));
      if (this.#fresh.has(agent.id)) continue;
      this.#loading.set(agent.id, agent);
      if (!this.loaded) this.agents.set(agent.id, agent);
    }
    this.#changed();
  }

  // end makes what was loaded the fleet.
  end() {
    for (const id of this.#fresh) if (this.agents.has(id)) this.#loading.set(id, this.agents.get(id));
    this.agents = this.#loading;
    this.#fresh = this.#loading = null;
    this.loaded = true;
    if (this.pulse.length < LEAST) this.pulse = sums(this.agents.values());
    this.#changed();
    this.emit("activity");
  }

  put(agents) {
    for (const agent of agents) {
      this.agents.set(agent.id, agent);
      this.#fresh?.add(agent.id);
    }
    this.#changed();
  }

  remove(ids) {
    for (const id of ids) {
      this.agents.delete(id);
      this.#fresh?.add(id);
    }
    this.#changed();
  }

  // activity takes rows of [id, last seen in unix seconds, rate].
  activity(rows) {
    for (const [id, seen, rate] of rows) {
      const agent = this.agents.get(id);
      if (!agent) continue;
      agent.last_seen = new Date(seen * 1000).toISOString();
      agent.rate = rate;
      if (rate !== null) agent.rates = [...agent.rates.slice(-11), rate];
    }
    this.pulse = [...this.pulse, this.rate()].slice(-POINTS);
    this.emit("activity");
  }

  setGateways({ gateways }) {
    this.gateways = gateways.map((g) => ({ ...g, at: performance.now() }));
    this.emit("gateways");
  }

  #changed() {
    this.version++;
    this.#counts = null;
    this.emit("agents");
  }

  rate() {
    let sum = 0;
    for (const agent of this.agents.values()) sum += agent.rate ?? 0;
    return sum;
  }

  counts() {
    this.#counts ??= tally(this.agents.values());
    return this.#counts;
  }
}

function tally(agents) {
  const c = { total: 0, online: 0, offline: 0, pending: 0, revoked: 0, drifted: 0, expiring: 0 };
  for (const agent of agents) {
    c.total++;
    c[agent.status]++;
    if (agent.approval !== "approved") c[agent.approval]++;
    if (agent.drift === "drifted") c.drifted++;
    if (expiring(agent)) c.expiring++;
  }
  return c;
}

export const expiring = (agent) => agent.certificate_expires !== null && days(agent.certificate_expires) < SOON;

// sums adds the agents' recent rates up, the newest points of all together.
function sums(agents) {
  const total = [];
  for (const { rates, status } of agents) {
    if (status !== "online") continue;
    for (let i = 0; i < rates.length; i++) {
      const age = rates.length - 1 - i;
      total[age] = (total[age] ?? 0) + rates[i];
    }
  }
  return total.reverse();
}
