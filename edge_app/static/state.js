// The question on the page. Kept in the address after '#', so that a reload loses nothing and nothing leaves the page.

const LISTS = ["findings", "sexes", "views"];
const SCALARS = ["age_from", "age_to", "date_from", "date_to"];
const COMBINE = "weighted"; // the server's default

export class Question {
  constructor() {
    this.source = null; // { kind: "study" | "upload", id }
    this.selected = new Set();
    this.drawn = []; // { key, box }
    this.text = "";
    this.k = 10;
    this.combine = COMBINE;
    this.onePerPatient = false;
    this.filters = {}; // as the server takes them, texts but for the lists
    this.counter = 0;
  }

  toggle(region) {
    if (!this.selected.delete(region)) this.selected.add(region);
  }

  addBox(box) {
    this.counter += 1;
    const made = { key: `drawn-${this.counter}`, box };
    this.drawn.push(made);
    return made;
  }

  changeBox(key, box) {
    this.drawn = this.drawn.map((one) => (one.key === key ? { key, box } : one));
  }

  removeBox(key) {
    this.drawn = this.drawn.filter((one) => one.key !== key);
  }

  get empty() {
    return !this.source && !this.text.trim();
  }

  get places() {
    return this.selected.size + this.drawn.length;
  }

  // How many restrictions are set.
  get filterCount() {
    return LISTS.filter((name) => this.filters[name]?.length).length + SCALARS.filter((name) => this.filters[name]).length + this.onePerPatient;
  }

  body() {
    const body = { regions: [...this.selected], boxes: this.drawn.map((one) => one.box), k: this.k };
    if (this.source) body[this.source.kind] = this.source.id;
    if (this.text.trim()) body.text = this.text.trim();
    if (this.combine !== COMBINE) body.combine = this.combine;
    if (this.onePerPatient) body.one_per_patient = true;
    const filters = {};
    for (const name of LISTS) if (this.filters[name]?.length) filters[name] = this.filters[name];
    for (const name of SCALARS) if (this.filters[name]) filters[name] = name.startsWith("age") ? Number(this.filters[name]) : this.filters[name];
    if (Object.keys(filters).length) body.filters = filters;
    return body;
  }

  save() {
    const parts = new URLSearchParams();
    if (this.source) parts.set(this.source.kind, this.source.id);
    for (const region of this.selected) parts.append("region", region);
    for (const { box } of this.drawn) parts.append("box", box.map((value) => Math.round(value * 10) / 10).join(","));
    if (this.text.trim()) parts.set("text", this.text.trim());
    if (this.k !== 10) parts.set("k", this.k);
    if (this.combine !== COMBINE) parts.set("combine", this.combine);
    if (this.onePerPatient) parts.set("one_per_patient", "true");
    for (const name of LISTS) for (const value of this.filters[name] || []) parts.append(name, value);
    for (const name of SCALARS) if (this.filters[name]) parts.set(name, this.filters[name]);
    history.replaceState(null, "", `#${parts}`);
  }

  restore(known) {
    const parts = new URLSearchParams(location.hash.slice(1));
    for (const kind of ["study", "upload"]) if (parts.get(kind)) this.source = { kind, id: parts.get(kind) };
    for (const region of parts.getAll("region")) if (known.has(region)) this.selected.add(region);
    for (const text of parts.getAll("box")) {
      const box = text.split(",").map(Number);
      if (box.length === 4 && box.every(Number.isFinite)) this.addBox(box);
    }
    this.text = parts.get("text") || "";
    if ([5, 10, 20].includes(Number(parts.get("k")))) this.k = Number(parts.get("k"));
    if (["any", "all"].includes(parts.get("combine"))) this.combine = parts.get("combine");
    this.onePerPatient = parts.get("one_per_patient") === "true";
    for (const name of LISTS) if (parts.has(name)) this.filters[name] = parts.getAll(name);
    for (const name of SCALARS) if (parts.has(name)) this.filters[name] = parts.get(name);
  }
}
