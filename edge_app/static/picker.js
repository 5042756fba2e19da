// Where to look: the 29 regions on a drawing of the chest or as a list, and what is chosen so far.

import { BodyMap } from "./bodymap.js";
import { $, node, press } from "./dom.js";
import { percent } from "./words.js";

const SIDES = [["right", "Patient’s right"], ["midline", "Midline"], ["left", "Patient’s left"]];

export class Picker {
  constructor({ onToggle, onRemoveBox, onHover }) {
    Object.assign(this, { onToggle, onRemoveBox, onHover });
    this.list = $("region-list");
    this.map = new BodyMap($("body-map"), { onToggle, onHover });
    this.buttons = new Map();
    this.scores = new Map();
    for (const name of ["map", "list"]) $(`show-${name}`).addEventListener("click", () => this.#showAs(name));
  }

  #showAs(name) {
    for (const other of ["map", "list"]) press($(`show-${other}`), other === name);
    $("body-map").hidden = name !== "map";
    this.list.hidden = name !== "list";
  }

  fill(regions) {
    for (const [side, title] of SIDES) {
      const group = this.list.appendChild(node("div", "side"));
      group.append(node("span", "", title));
      const keys = group.appendChild(node("div", "keys"));
      for (const region of regions.filter((one) => one.laterality === side)) keys.append(this.#key(region, side));
    }
  }

  #key(region, side) {
    const short = region.name.startsWith(`${side} `) ? region.name.slice(side.length + 1) : region.name;
    const button = node("button", "", short.replace("lung zone", "zone").replace("hilar structures", "hilum"));
    button.type = "button";
    button.setAttribute("aria-label", region.name);
    button.addEventListener("click", () => this.onToggle(region.name));
    for (const begin of ["pointerenter", "focus"]) button.addEventListener(begin, () => this.onHover(region.name));
    for (const end of ["pointerleave", "blur"]) button.addEventListener(end, () => this.onHover(undefined));
    this.buttons.set(region.name, button);
    return button;
  }

  // How sure the model is of each region's place on the query image.
  setScores(boxes) {
    this.scores = new Map(boxes.map(({ region, score }) => [region, score]));
    this.#caption(undefined);
  }

  setHover(name) {
    for (const [region, button] of this.buttons) button.classList.toggle("hover", region === name);
    this.map.setHover(name);
    this.#caption(name);
  }

  #caption(name) {
    const score = this.scores.get(name);
    const sure = score === undefined ? "" : ` · found with ${percent(score)}`;
    $("region-name").textContent = name ? `${name}${sure}` : "Click one or more regions";
    $("region-name").classList.toggle("on", Boolean(name));
  }

  show(selected, drawn, held) {
    for (const [region, button] of this.buttons) press(button, selected.has(region));
    this.map.show(selected);
    const items = [...selected].map((name) => this.#chip(name, () => this.onToggle(name)));
    drawn.forEach((box, at) => items.push(this.#chip(`box ${at + 1}`, () => this.onRemoveBox(box.key), box.key === held)));
    if (!items.length) items.push(node("li", "none", "Whole image. Click a region, or drag a box on the X-ray."));
    $("chosen").replaceChildren(...items);
  }

  #chip(text, remove, held = false) {
    const item = node("li");
    const button = item.appendChild(node("button", held ? "held" : "", text));
    button.type = "button";
    button.setAttribute("aria-label", `Remove ${text}`);
    button.addEventListener("click", remove);
    return item;
  }
}
