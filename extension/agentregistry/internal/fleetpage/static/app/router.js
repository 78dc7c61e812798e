// The page's address: #/view/argument?parameters. It stays in the browser, so that names and filters are in no proxy's log.

export function route() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  return { view: view || "agents", argument: decode(rest.join("/")), params: new URLSearchParams(search) };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// address is a link's target.
export function address(view, argument = "", params = {}) {
  const set = Object.entries(params).filter(([, value]) => value);
  const search = new URLSearchParams(set).toString();
  return `#/${view}${argument ? `/${encodeURIComponent(argument)}` : ""}${search ? `?${search}` : ""}`;
}

export const go = (to) => (location.hash = to);

// replace changes the address without a new step in the history, and without telling anybody.
export const replace = (to) => history.replaceState(null, "", to);
