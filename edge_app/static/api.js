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

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ what: "The server does not answer", remedy: "Start it again with edge-retrieve serve" }, 0);
  }
  if (response.ok) return response.json();
  const body = await response.json().catch(() => ({}));
  throw new Problem(body, response.status);
}

export const archive = () => ask("api/archive");
export const regions = () => ask("api/regions");
export const study = (id) => ask(`api/studies/${encodeURIComponent(id)}`);
export const studyImage = (id, side) => `api/studies/${encodeURIComponent(id)}/image.png${side ? `?side=${side}` : ""}`;
export const upload = (id) => ask(`api/uploads/${encodeURIComponent(id)}`);
export const uploadImage = (id) => `api/uploads/${encodeURIComponent(id)}/image.png`;

export function studies({ search, limit, offset }, signal) {
  return ask(`api/studies?${new URLSearchParams({ search, limit, offset })}`, { signal });
}

export function encode(file) {
  const form = new FormData();
  form.append("image", file, file.name);
  return ask("api/encode", { method: "POST", body: form });
}

export function query(body, signal) {
  const headers = { "content-type": "application/json" };
  return ask("api/query", { method: "POST", headers, body: JSON.stringify(body), signal });
}
