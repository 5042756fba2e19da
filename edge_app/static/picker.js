// The 29 regions as keys, the patient's right on the left as on the image; and what is chosen so far.

import { node } from "./results.js";

const SIDES = [["right", "Patient’s right"], ["midline", "Midline"], ["left", "Patient’s left"]];

export class Picker {
  constructor({ picker, chosen, onToggle, onRemoveBox, onHover }) {
    Object.assign(this, { picker, chosen, onToggle, onRemoveBox, onHover });
    this.buttons = new Map();
  }

  fill(regions) {
    for (const [side, title] of SIDES) {
      const column = this.picker.appendChild(node("div", "side"));
      column.append(node("span", "", title));
      const keys = column.appendChild(node("div", "keys"));
      for (const region of regions.filter((one) => one.laterality === side)) keys.append(this.#key(region, side));
    }
  }

  #key(region, side) {
    const short = region.name.startsWith(`${side} `) ? region.name.slice(side.length + 1) : region.name;
    const button = node("button", "", short.replace("lung zone", "zone").replace("hilar structures", "hilum"));
    button.type = "button";
    button.title = region.name;
    button.setAttribute("aria-label", region.name);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => this.onToggle(region.name));
    button.addEventListener("pointerenter", () => this.onHover(region.name));
    button.addEventListener("pointerleave", () => this.onHover(undefined));
    this.buttons.set(region.name, button);
    return button;
  }

  setHover(name) {
    for (const [region, button] of this.buttons) button.classList.toggle("hover", region === name);
  }

  show(selected, drawn) {
    for (const [region, button] of this.buttons) button.setAttribute("aria-pressed", String(selected.has(region)));
    const items = [...selected].map((name) => this.#chip(name, () => this.onToggle(name)));
    drawn.forEach((box, at) => items.push(this.#chip(`box ${at + 1}`, () => this.onRemoveBox(box.key))));
    if (!items.length) items.push(node("li", "none", "No region chosen: the whole image is compared. Click a region, or drag a box on the X-ray."));
    this.chosen.replaceChildren(...items);
  }

  #chip(text, remove) {
    const item = node("li");
    const button = item.appendChild(node("button", "", text));
    button.type = "button";
    button.setAttribute("aria-label", `Remove ${text}`);
    button.addEventListener("click", remove);
    return item;
  }
}
