// What stands where nothing is to be listed, and what to do about it.
import { el } from "./dom.js";

// emptyFleet says how the first agent comes here.
export function emptyFleet(fleet) {
  const host = location.hostname || "localhost";
  const approval = fleet.status?.enrolment === "approval";
  return el("div", { class: "empty" },
    el("div", { class: "rings", "aria-hidden": "true" }, el("i"), el("i"), el("i")),
    el("h2", {}, "Waiting for the first agent"),
    el("p", {}, "Point an Avika agent at this gateway's gRPC port, and it appears here within a second:"),
    el("pre", { class: "code" }, `${host}:5020`),
    el("p", { class: "quiet" }, "5020 is the avika receiver's default; its ", el("code", {}, "endpoint"), " says which port it is here. ",
      "A gateway that listens on localhost is not reached from other machines. "),
    approval && el("p", {}, "New agents wait for approval on this gateway: they are listed here, and you let them in."),
    el("p", { class: "quiet" }, "Nothing arrives? The gateway's metrics, on port 5022, count the streams that it refuses, by reason: ",
      el("code", {}, "otelcol_receiver_avika_streams_refused_total"), "."));
}

export function noMatch(clear) {
  return el("div", { class: "empty" },
    el("h2", {}, "No agent matches"),
    el("p", { class: "quiet" }, "All words must hold. Words are text, ", el("code", {}, "label=value"), ", ", el("code", {}, "label!=value"), ", ",
      el("code", {}, "status:offline"), ", ", el("code", {}, "gateway:name"), ", ", el("code", {}, "nginx:1.24.0"), "."),
    el("button", { class: "button", onclick: clear }, "Show all agents"));
}

// nothing is for small lists.
export const nothing = (text) => el("p", { class: "quiet none" }, text);
