// Questions to the user, and short messages.
import { el } from "./dom.js";

// ask opens a dialog and resolves with what `collect` returns when it is confirmed, or with null. `act` may do the work while the
// dialog is open: an error it throws is shown there, and the dialog stays.
export function ask({ title, body, confirm, cancel = "Cancel", danger = false, collect = () => true, act = async () => {} }) {
  return new Promise((resolve) => {
    let result = null;
    const problem = el("p", { class: "problem", role: "alert", hidden: true });
    const yes = el("button", { class: danger ? "button danger" : "button primary", type: "submit" }, confirm);
    const no = cancel && el("button", { class: "button", type: "button", onclick: () => dialog.close() }, cancel);
    const form = el("form", { onsubmit: submit }, el("h2", { id: "dialog-title" }, title), body, problem, el("footer", {}, no, yes));
    const dialog = el("dialog", { "aria-labelledby": "dialog-title", onclose: () => (dialog.remove(), resolve(result)) }, form);
    async function submit(e) {
      e.preventDefault();
      const collected = collect();
      yes.disabled = true;
      try {
        await act(collected);
        result = collected;
        dialog.close();
      } catch (err) {
        problem.textContent = err.message;
        problem.hidden = false;
      }
      yes.disabled = false;
    }
    document.body.append(dialog);
    dialog.showModal();
    (form.querySelector("[autofocus]") ?? yes).focus();
  });
}

// field is a labelled control.
export function field(name, control, hint) {
  return el("label", { class: "field" }, el("span", {}, name), control, hint && el("small", {}, hint));
}

const toasts = el("div", { class: "toasts", role: "status", "aria-live": "polite" });

// toast says something for a few seconds.
export function toast(text, kind = "") {
  if (!toasts.isConnected) document.body.append(toasts);
  const node = el("div", { class: `toast ${kind}` }, text);
  toasts.append(node);
  setTimeout(() => node.remove(), 6000);
}
