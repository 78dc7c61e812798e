// Approving, revoking and forgetting agents.
import { agentPath, send } from "./api.js";
import { ask, field, toast } from "./dialog.js";
import { el } from "./dom.js";
import { address, go } from "./router.js";
import { plural } from "./text.js";

// decisionButtons are off, with the reason, where control is off.
export function decisionButtons(agent, refusal) {
  const off = refusal ? { "aria-disabled": "true", title: refusal } : {};
  const button = (name, style, act) => el("button", { class: `button ${style}`, ...off, onclick: () => (refusal ? toast(refusal, "bad") : act(agent)) }, name);
  return el("div", { class: "group" },
    agent.approval !== "approved" && button("Approve…", "primary", approve),
    agent.approval !== "revoked" && button("Revoke…", "danger", revoke),
    button("Delete…", "danger quiet-button", remove));
}

function decide(agent, decision, title, text, confirm, danger) {
  const reason = el("input", { maxlength: "1024", autocomplete: "off", autofocus: true });
  return ask({
    title, confirm, danger, body: [el("p", {}, text), field("Reason", reason, "Optional. It is kept in the agent's history.")],
    collect: () => ({ reason: reason.value.trim() }), act: (body) => send("POST", agentPath(agent.id, decision), body),
  });
}

async function approve(agent) {
  if (await decide(agent, "/approve", `Approve ${agent.id}?`, "The agent may send from now on.", "Approve")) toast(`${agent.id} is approved`);
}

async function revoke(agent) {
  const text = "Its stream is closed at once, wherever it is connected, and refused from now on. You can approve it again.";
  if (await decide(agent, "/revoke", `Revoke ${agent.id}?`, text, "Revoke", true)) toast(`${agent.id} is revoked`);
}

async function remove(agent) {
  const done = await ask({
    title: `Delete ${agent.id}?`, confirm: "Delete", danger: true,
    body: el("p", {}, "Its stream is closed and what is known of it is forgotten, but for its history. An agent that dials again is enrolled anew; to keep it out, revoke it."),
    act: () => send("DELETE", agentPath(agent.id)),
  });
  if (done) {
    toast(`${agent.id} is deleted`);
    go(address("agents"));
  }
}

// approveAll approves several agents, one after the other, and says how far it came.
export async function approveAll(agents) {
  const progress = el("progress", { max: String(agents.length), value: "0", hidden: true });
  const done = await ask({
    title: `Approve ${plural(agents.length, "agent")}?`, confirm: "Approve all", body: [el("p", {}, "They may send from now on."), progress],
    act: async () => {
      progress.hidden = false;
      for (const agent of agents) {
        await send("POST", agentPath(agent.id, "/approve"), {});
        progress.value++;
      }
    },
  });
  if (done) toast(`${plural(agents.length, "agent")} approved`);
}
