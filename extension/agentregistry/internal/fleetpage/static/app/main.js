// The fleet page. It starts here.
import { agentView } from "./agent.js";
import { agentsView } from "./agents.js";
import { driftView } from "./drift.js";
import { Fleet } from "./fleet.js";
import { gatewaysView } from "./gateways.js";
import { activityView } from "./history.js";
import { Live } from "./live.js";
import { address, go, route } from "./router.js";
import { help, Shell } from "./shell.js";
import { tick } from "./text.js";

const fleet = new Fleet();
const live = new Live(fleet);
const shell = new Shell(fleet, live);
let view = null;
let leave = new AbortController();

const VIEWS = { agents: agentsView, drift: driftView, gateways: gatewaysView, activity: activityView };

function open() {
  leave.abort();
  leave = new AbortController();
  const { view: name, argument } = route();
  const make = name === "agents" && argument ? agentView : (VIEWS[name] ?? agentsView);
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  view = make({ fleet, signal: leave.signal });
  shell.open(view, name in VIEWS ? name : "agents");
  scrollTo(0, 0);
}

let chord = false;

addEventListener("keydown", (e) => {
  const typing = e.target.matches("input, textarea, select") || document.querySelector("dialog[open]");
  if (e.ctrlKey || e.metaKey || e.altKey || typing) return;
  const to = chord && { a: "agents", d: "drift", g: "gateways", h: "activity" }[e.key];
  chord = !chord && e.key === "g";
  if (to) go(address(to));
  else if (!shortcut(e.key)) return;
  e.preventDefault();
});

function shortcut(key) {
  switch (key) {
    case "/":
      if (view.search) view.search();
      else go(address("agents"));
      return true;
    case "?":
      help();
      return true;
    case "t":
      shell.turnTheme();
      return true;
    case "l":
      view.tail?.();
      return Boolean(view.tail);
    case "Escape":
      if (view.up) go(view.up);
      return Boolean(view.up);
    case "[":
    case "]": {
      const to = view.step?.(key === "[" ? -1 : 1);
      if (to) go(to);
      return Boolean(to);
    }
  }
  return false;
}

addEventListener("hashchange", open);
setInterval(tick, 5000);
addEventListener("pagehide", () => view.leave?.());
open();
live.run();
