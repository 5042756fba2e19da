// Requests to the server this page came from. Every address is relative, so that the page works below any path.

export class Problem extends Error {
  constructor(body, status) {
    super(body.what || body.title || `The server answered ${status}`);
    this.where = body.where || "";
    this.remedy = body.remedy || "";
    this.status = status;
  }

  get sentence() {
    const first = this.where ? `${this.where}: ${this.message}` : this.message;
    return this.remedy ? `${first}. ${this.remedy}.` : `${first}.`;
  }
}

// What the server's cookie says is repeated in a header, which another site's page could not do.
function guarded(headers = {}) {
  const csrf = document.cookie.match(/(?:^|; )edge_csrf=([^;]*)/);
  return csrf ? { ...headers, "x-csrf-token": decodeURIComponent(csrf[1]) } : headers;
}

async function answer(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: guarded(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ what: "The server does not answer", remedy: "Start it again with edge-retrieve serve" }, 0);
  }
  if (response.ok) return response;
  if (response.status === 401) location.assign("login"); // the session has ended
  const body = await response.json().catch(() => ({}));
  throw new Problem(body, response.status);
}

async function ask(path, options) {
  return (await answer(path, options)).json();
}

const posted = (body, signal) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });

function post(path, body, signal) {
  return ask(path, posted(body, signal));
}

// The address of a query image: { kind: "study" | "upload", id }.
const below = ({ kind, id }) => `api/${kind === "study" ? "studies" : "uploads"}/${encodeURIComponent(id)}`;

export const archive = () => ask("api/archive");
export const me = () => ask("api/me");
export const logOut = () => answer("api/logout", { method: "POST" });
export const findings = () => ask("api/findings");
export const regions = () => ask("api/regions");
export const source = (one) => ask(below(one));
export const study = (id) => source({ kind: "study", id });
export const studyImage = (id, side) => `${below({ kind: "study", id })}/image.png?side=${side}`;
export const picture = (one) => `${below(one)}/image.png`;
export const meaning = (one) => ask(`${below(one)}/pixels.json`);
export const values = async (one) => new Uint16Array(await (await answer(`${below(one)}/pixels`)).arrayBuffer());
export const studies = (wanted, signal) => ask(`api/studies?${new URLSearchParams(wanted)}`, { signal });
export const query = (body, signal) => post("api/query", body, signal);
export const ground = (body, signal) => post("api/ground", body, signal);
export const judge = (body) => post("api/feedback", body);
export const judgements = (queryId) => ask(`api/feedback?${new URLSearchParams({ query_id: queryId, limit: 500 })}`);
export const commit = (body) => post("api/reads", body);
export const reveal = (read, signal) => post(`api/reads/${encodeURIComponent(read)}/reveal`, {}, signal);
export const conclude = (read, body) => post(`api/reads/${encodeURIComponent(read)}/final`, body);

export const explain = (body, signal) => post("api/explain", body, signal);
export const alterations = (body, signal) => post("api/alterations", body, signal);
export const draft = (body, signal) => answer("api/draft", posted(body, signal)); // a stream of events
export const acceptDraft = (body) => post("api/drafts/accept", body);

// Results sent to a PACS by the server, and the job that does it.
export const destinations = () => ask("api/destinations");
export const send = (body) => post("api/send", body);
export const job = (id) => ask(`api/jobs/${encodeURIComponent(id)}`);

// Received objects that could not be stored.
export const quarantine = (limit) => ask(`api/quarantine?limit=${limit}`);
export const retryAll = () => post("api/quarantine/retry", {});
export const retry = (id) => post(`api/quarantine/${encodeURIComponent(id)}/retry`, {});
export const discard = (id) => answer(`api/quarantine/${encodeURIComponent(id)}`, { method: "DELETE" });

// Results as one file, of a kind or all: { blob, name }.
export async function takeAway(kind, body) {
  const response = await answer(kind === "all" ? "api/results.zip" : `api/results/${kind}`, posted(body));
  const name = response.headers.get("content-disposition")?.match(/filename="([^"]+)"/)?.[1] || kind;
  return { blob: await response.blob(), name };
}

export function encode(file) {
  const form = new FormData();
  form.append("image", file, file.name);
  return ask("api/encode", { method: "POST", body: form });
}
