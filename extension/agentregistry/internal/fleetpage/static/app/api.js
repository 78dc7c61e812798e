// The REST interface, see /api/v1/openapi.yaml. Paths are relative, so that the page also works below a path of a proxy.

const BASE = "api/v1/";
const KEY = "avika-token";

// Problem is an answer that is not a success, as RFC 9457 describes it, or none at all (status 0).
class Problem extends Error {
  constructor(status, title, detail, type = "about:blank") {
    super(detail || title);
    Object.assign(this, { status, title, detail, type });
  }
}

// credentials are kept for this tab only.
export const credentials = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (token) => (token ? sessionStorage.setItem(KEY, token) : sessionStorage.removeItem(KEY)),
};

function headers(more) {
  const all = { ...more };
  const token = credentials.get();
  if (token) all.Authorization = token.includes(" ") ? token : `Bearer ${token}`;
  return all;
}

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(BASE + path, { ...options, headers: headers(options.headers), cache: "no-store", redirect: "error" });
  } catch (err) {
    if (err.name === "AbortError") throw err;
    throw new Problem(0, "No answer", "The gateway does not answer.");
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, body.title ?? answer.statusText, body.detail ?? `The gateway answered ${answer.status}.`, body.type);
}

export async function get(path, signal) {
  return (await request(path, { method: "GET", signal })).json();
}

// send changes something. It returns the answer's body, or null when there is none.
export async function send(method, path, body, more) {
  const options = { method, headers: { ...more } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await request(path, options);
  return answer.status === 204 ? null : answer.json();
}

export const agentPath = (id, rest = "") => `agents/${encodeURIComponent(id)}${rest}`;

// idempotencyKey makes a button that is pressed twice, or a request that is sent again, one command.
export function idempotencyKey() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (b) => b.toString(16).padStart(2, "0")).join("");
}

// SILENCE is longer than the server's: it writes at least every 15 s.
const SILENCE = 40_000;

// listen reads server-sent events until the stream ends. EventSource could not send credentials.
export async function listen(path, signal, onEvent) {
  const quiet = new AbortController();
  const answer = await request(path, { method: "GET", signal: AbortSignal.any([signal, quiet.signal]), headers: { Accept: "text/event-stream" } });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const timer = setTimeout(() => quiet.abort(), SILENCE);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    buffer += value;
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) dispatch(block, onEvent);
  }
}

function dispatch(block, onEvent) {
  let name = "";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (name) onEvent(name, JSON.parse(data));
}
