// One X-ray: grey levels, place in the frame, an overlay of boxes, and heat where a phrase is.
// Boxes are in pixels of the image as displayed by the server.

import { drawn, node } from "./dom.js";
import { Gestures } from "./gestures.js";
import { render } from "./overlay.js";
import { NEUTRAL } from "./pixels.js";
import { presetWindow } from "./presets.js";
import { View } from "./view.js";

const NAMED = 4; // cited boxes that are named

export class Viewer extends EventTarget {
  constructor(root, { markable = false, empty = "" } = {}) {
    super();
    Object.assign(this, { root, markable });
    this.canvas = root.appendChild(node("canvas"));
    this.svg = root.appendChild(drawn("svg", { "aria-hidden": "true" }));
    this.marks = ["R", "L"].map((letter) => root.appendChild(node("div", "side-mark", letter)));
    this.readout = root.appendChild(node("div", "corner br"));
    this.note = root.appendChild(node("div", "corner bl"));
    this.empty = root.appendChild(node("div", "empty", empty));
    this.remark = "";
    this.boxes = [];
    this.cited = new Set();
    this.showRegions = true;
    this.quietHidden = false;
    this.tool = "mark";
    this.windowing = { ...NEUTRAL };
    this.view = new View();
    this.image = null;
    this.gestures = new Gestures(this, root);
    new ResizeObserver(() => this.#resize()).observe(root);
    this.#chrome();
  }

  // Show pictures of one X-ray one after the other, the quick one first: functions that give a `GreyImage`.
  async load(pictures, size, note = "") {
    const wanted = (this.wanted = {});
    this.heat = null;
    let first = true;
    for (const picture of pictures) {
      const image = await picture();
      if (this.wanted !== wanted) return; // a later choice overtook this one
      this.image = image;
      this.remark = note;
      this.windowing = { ...image.neutral, invert: this.windowing.invert };
      if (first) {
        this.view.size = size;
        this.view.reset();
      }
      first = false;
      this.image.apply(this.windowing);
      this.draw();
    }
  }

  clear() {
    this.wanted = this.image = this.heat = null;
    this.boxes = [];
    this.draw();
  }

  get held() {
    return this.boxes.find((item) => item.held) || null;
  }

  setTool(tool) {
    this.tool = tool;
    this.root.dataset.tool = tool;
  }

  setBoxes(boxes) {
    this.boxes = boxes;
    this.draw();
  }

  // A phrase's places: { picture, boxes, note }, or null for none.
  setHeat(heat) {
    this.heat = heat;
    this.draw();
  }

  // A box that is being drawn, or that the box with this key would become.
  preview(box, key) {
    this.dragging = box && { box, key };
    this.draw();
  }

  setHover(key) {
    this.hover = key;
    this.draw();
  }

  // Boxes that a sentence or a case rests on, by their keys; none for an empty list.
  setCited(keys) {
    this.cited = new Set(keys);
    this.draw();
  }

  hoverOver(key) {
    if (key === this.hover) return;
    this.setHover(key);
    this.tell("hover", { key });
  }

  // A point of the image that the pointer is at, here or in a linked viewer; null for none.
  point(at) {
    this.tell("point", { at });
  }

  setCursor(at) {
    this.cursor = at;
    this.draw();
  }

  // Change what is seen, and tell it, so that a linked viewer can follow.
  change(what) {
    if (!this.image) return;
    const at = what.zoom ? this.view.toImage(...(what.at || [this.view.frame.width / 2, this.view.frame.height / 2])) : null;
    this.apply({ ...what, at });
    this.tell("change", { ...what, at });
  }

  apply({ zoom, at, pan, turn, mirror, fit, reset, widen, lift, invert, preset, box }) {
    if (!this.image) return;
    const { view, windowing } = this;
    if (zoom) view.zoom(zoom, ...view.toFrame(...at));
    if (pan) view.pan(...pan);
    if (turn) view.turn();
    if (mirror) view.mirror();
    if (fit) view.fit();
    if (reset) view.reset();
    let next = reset ? this.image.neutral : windowing;
    if (widen !== undefined) {
      const range = this.image.full.width;
      const width = Math.min(range * 4, Math.max(range / 256, windowing.width * Math.exp(widen / 250)));
      next = { ...windowing, width, level: windowing.level + (lift / 400) * windowing.width };
    }
    if (invert !== undefined) next = { ...windowing, invert };
    if (preset) next = { ...windowing, ...presetWindow(preset, this.image, box || this.presetBox) };
    if (next !== windowing) {
      this.windowing = { ...next };
      this.image.apply(this.windowing);
    }
    this.draw();
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.#paint();
    });
  }

  #paint() {
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#chrome();
    if (!this.image) {
      this.svg.replaceChildren();
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(...this.view.matrix.map((part) => part * ratio));
    context.imageSmoothingQuality = "high";
    const { width, height } = this.view.size;
    context.drawImage(this.image.canvas, 0, 0, width, height);
    if (this.heat?.picture) context.drawImage(this.heat.picture, 0, 0, width, height);
    render(this.svg, this.#items(), this.view.frame);
    if (this.cursor) {
      const [x, y] = this.view.toFrame(...this.cursor);
      this.svg.append(drawn("path", { class: "cursor", d: `M${x - 9} ${y}h6m6 0h6M${x} ${y - 9}v6m0 6v6` }));
    }
  }

  // The boxes to be seen, in the frame.
  #items() {
    const { dragging } = this;
    const items = [];
    for (const item of [...this.boxes, ...(this.heat?.boxes || [])]) {
      const cited = this.cited.has(item.key);
      const hover = cited || (this.hover !== undefined && item.key === this.hover);
      if (item.kind === "quiet" && !hover && (!this.showRegions || this.quietHidden)) continue;
      const box = dragging?.key === item.key ? dragging.box : item.box;
      const label = cited && this.cited.size > NAMED ? "" : item.label; // many names would hide the image
      items.push({ ...item, label, hover, box: this.view.boxToFrame(box) });
    }
    if (dragging && !dragging.key) items.push({ kind: "drawn", box: this.view.boxToFrame(dragging.box) });
    return items;
  }

  // The patient's right is on the image's left, wherever that lies after turning and mirroring.
  #placeSides() {
    const { view } = this;
    const { width, height } = view.size;
    const off = 16 / view.scale;
    this.marks.forEach((mark, at) => {
      const [x, y] = view.toFrame(at ? width + off : -off, height / 2);
      mark.style.left = `${Math.min(view.frame.width - 14, Math.max(14, x))}px`;
      mark.style.top = `${Math.min(view.frame.height - 14, Math.max(14, y))}px`;
    });
  }

  #chrome() {
    const shown = Boolean(this.image);
    this.empty.hidden = shown;
    for (const label of [this.readout, this.note]) label.hidden = !shown;
    // On a lateral view both sides lie on top of each other.
    for (const mark of this.marks) mark.hidden = !shown || this.view.size.view === "LATERAL";
    if (!shown) return;
    this.#placeSides();
    this.note.textContent = this.heat?.note || this.remark;
    const { width, level, invert } = this.windowing;
    const turned = [this.view.flipped ? "mirrored" : "", this.view.turns ? `${this.view.turns * 90}°` : "", invert ? "inverted" : ""];
    const first = [`W ${Math.round(width)}  L ${Math.round(level)}`, ...turned].filter(Boolean).join("  ");
    this.readout.textContent = `${first}\n${Math.round(this.view.zoomed * 100)} %`;
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.root;
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (!width || !height || (this.canvas.width === width && this.canvas.height === height)) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.view.frame = { width: clientWidth, height: clientHeight };
    if (this.image) this.view.fit();
    if (this.pending) cancelAnimationFrame(this.pending);
    this.pending = 0;
    this.#paint();
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
