// The chest to click on. Every region is a checkbox; the arrow keys go from one to the next.

import { BODY, LUNGS, SHAPES, VIEW_BOX } from "./bodyshapes.js";
import { drawn } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export class BodyMap {
  constructor(root, { onToggle, onHover }) {
    Object.assign(this, { onToggle, onHover });
    this.shapes = new Map();
    const svg = root.appendChild(drawn("svg", { viewBox: VIEW_BOX, class: "bodymap", role: "group", "aria-label": "Regions of the chest" }));
    const defs = svg.appendChild(drawn("defs"));
    for (const [side, path] of Object.entries(LUNGS)) defs.appendChild(drawn("clipPath", { id: `lung-${side}` })).append(drawn("path", { d: path }));
    svg.append(drawn("path", { d: BODY, class: "body" }));
    for (const shape of SHAPES) svg.append(this.#shape(shape));
    for (const [x, letter] of [[9, "R"], [231, "L"]]) {
      svg.append(Object.assign(drawn("text", { x, y: 16, class: "side" }), { textContent: letter }));
    }
    svg.addEventListener("keydown", (event) => this.#key(event));
    this.order = [...this.shapes.keys()];
    this.#makeTabStop(this.order[this.order.length - 1]);
  }

  #shape({ region, path, rect, circle, lung, rim, transform }) {
    let shape;
    if (rect) shape = drawn("rect", { x: rect[0], y: rect[1], width: rect[2], height: rect[3], "clip-path": `url(#lung-${lung})` });
    else if (circle) shape = drawn("circle", { cx: circle[0], cy: circle[1], r: circle[2] });
    else shape = drawn("path", { d: path, ...(transform ? { transform } : {}) });
    shape.setAttribute("class", `shape${rim ? " rim" : ""}`);
    for (const [name, value] of Object.entries({ role: "checkbox", "aria-checked": "false", "aria-label": region, tabindex: "-1", "data-region": region })) {
      shape.setAttribute(name, value);
    }
    shape.addEventListener("click", () => this.onToggle(region));
    shape.addEventListener("pointerenter", () => this.onHover(region));
    shape.addEventListener("pointerleave", () => this.onHover(undefined));
    shape.addEventListener("focus", () => this.onHover(region));
    shape.addEventListener("blur", () => this.onHover(undefined));
    this.shapes.set(region, shape);
    return shape;
  }

  #key(event) {
    const region = event.target.dataset?.region;
    if (!region) return;
    if (event.key === " " || event.key === "Enter") this.onToggle(region);
    else if (STEPS[event.key]) {
      const at = this.order.indexOf(region) + STEPS[event.key] + this.order.length;
      const next = this.order[at % this.order.length];
      this.#makeTabStop(next);
      this.shapes.get(next).focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #makeTabStop(region) {
    for (const [name, shape] of this.shapes) shape.setAttribute("tabindex", name === region ? "0" : "-1");
  }

  setHover(name) {
    for (const [region, shape] of this.shapes) shape.classList.toggle("hover", region === name);
  }

  show(selected) {
    for (const [region, shape] of this.shapes) shape.setAttribute("aria-checked", String(selected.has(region)));
  }
}
