// The question on the page. Kept in the address after '#', so that a reload loses nothing and nothing leaves the page.

export class Question {
  constructor() {
    this.source = null; // { kind: "study" | "upload", id }
    this.selected = new Set();
    this.drawn = []; // { key, box }
    this.text = "";
    this.k = 10;
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

  removeBox(key) {
    this.drawn = this.drawn.filter((one) => one.key !== key);
  }

  get empty() {
    return !this.source && !this.text.trim();
  }

  body() {
    const body = { regions: [...this.selected], boxes: this.drawn.map((one) => one.box), k: this.k };
    if (this.source) body[this.source.kind] = this.source.id;
    if (this.text.trim()) body.text = this.text.trim();
    return body;
  }

  save() {
    const parts = new URLSearchParams();
    if (this.source) parts.set(this.source.kind, this.source.id);
    for (const region of this.selected) parts.append("region", region);
    for (const { box } of this.drawn) parts.append("box", box.map((value) => Math.round(value * 10) / 10).join(","));
    if (this.text.trim()) parts.set("text", this.text.trim());
    if (this.k !== 10) parts.set("k", this.k);
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
  }
}

// A box moved (or its lower right corner moved) by a hundredth of the image, kept inside it.
export function nudged([x1, y1, x2, y2], dx, dy, { width, height }, resize) {
  const by = Math.max(width, height) / 100;
  const right = Math.min(width, x2 + dx * by);
  const bottom = Math.min(height, y2 + dy * by);
  if (resize) return [x1, y1, Math.max(x1 + by, right), Math.max(y1 + by, bottom)];
  const moveX = Math.max(-x1, right - x2);
  const moveY = Math.max(-y1, bottom - y2);
  return [x1 + moveX, y1 + moveY, x2 + moveX, y2 + moveY];
}
