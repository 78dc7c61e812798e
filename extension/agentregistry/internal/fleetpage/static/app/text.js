// Words and numbers for people.

const hidden = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

// plain makes characters visible that could hide or turn around what stands there: controls become their pictures,
// marks of direction and width a replacement character.
export function plain(text) {
  return text.replace(hidden, (c) => {
    const code = c.charCodeAt(0);
    if (code === 9) return " ";
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return code === 127 ? "\u2421" : "\ufffd";
  });
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n) => whole.format(n);
export const few = (n) => (n < 10000 ? whole.format(n) : short.format(n));
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

// rate is requests per second.
export function rate(n) {
  if (n === null || n === undefined) return "–";
  if (n >= 10000) return short.format(n);
  return n >= 100 || n === 0 ? whole.format(Math.round(n)) : n.toFixed(n >= 10 ? 1 : 2).replace(/\.?0+$/, "");
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

// span is a duration in its largest unit: "3 min".
function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  for (const [size, unit] of steps) if (s >= size) return `${Math.floor(s / size)} ${unit}`;
  return "0 s";
}

let skew = 0;

// setNow tells the server's time, which counts: this machine's clock may be wrong.
export function setNow(iso) {
  skew = Date.parse(iso) - Date.now();
}

export const now = () => Date.now() + skew;
export const since = (at) => span((now() - Date.parse(at)) / 1000);

// ago says how long ago a moment was. A moment a little ahead, by the clocks, is now.
export function ago(at) {
  if (!at) return "never";
  const s = (now() - Date.parse(at)) / 1000;
  if (s < -5) return `in ${span(-s)}`;
  return s < 2 ? "now" : `${span(s)} ago`;
}

// tick keeps what `when` made true while time goes by.
export function tick() {
  for (const node of document.querySelectorAll("time[data-ago]")) {
    const text = ago(node.dateTime);
    if (node.textContent !== text) node.textContent = text;
  }
}

const stamp = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

// moment is the full local time, clockTime that of the day only.
export const moment = (at) => (at ? stamp.format(new Date(at)) : "–");
export const clockTime = (at) => clock.format(new Date(at));

export const shortHash = (hash) => (hash.length > 12 ? hash.slice(0, 12) : hash);

// days says how many days are left until a moment; negative when it is over.
export const days = (at) => Math.floor((Date.parse(at) - now()) / 86400000);
