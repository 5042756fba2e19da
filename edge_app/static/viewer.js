// One X-ray: zoom, pan, window, and an overlay of boxes that can be clicked and drawn.
// Coordinates outside this file are pixels of the image as displayed.

import { GreyImage, NEUTRAL } from "./pixels.js";
import { render, smallestAt } from "./overlay.js";

const CLICK_SLACK = 4;
const SMALLEST_BOX = 4;

export class Viewer extends EventTarget {
  constructor(root, { markable = false, empty = "" } = {}) {
    super();
    this.root = root;
    this.markable = markable;
    this.canvas = root.appendChild(document.createElement("canvas"));
    this.svg = root.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    this.svg.setAttribute("aria-hidden", "true");
    this.right = this.#label("side-mark right", "R");
    this.left = this.#label("side-mark left", "L");
    this.readout = this.#label("corner br", "");
    this.note = this.#label("corner bl", "");
    this.empty = this.#label("empty", empty);
    this.boxes = [];
    this.showRegions = true;
    this.quietHidden = false;
    this.tool = "mark";
    this.windowing = { ...NEUTRAL };
    this.view = { scale: 1, x: 0, y: 0 };
    this.image = null;
    this.#listen();
    new ResizeObserver(() => this.#resize()).observe(root);
    this.#chrome();
  }

  #label(classes, text) {
    const node = this.root.appendChild(document.createElement("div"));
    node.className = classes;
    node.textContent = text;
    return node;
  }

  async load(url, width, height, note = "") {
    const picture = new Image();
    picture.src = url;
    this.wanted = url;
    await picture.decode();
    if (this.wanted !== url) return; // a later choice overtook this one
    this.image = new GreyImage(picture);
    this.size = { width, height };
    this.note.textContent = note;
    this.windowing = { ...NEUTRAL, invert: this.windowing.invert };
    this.image.apply(this.windowing);
    this.fit();
  }

  clear() {
    this.wanted = null;
    this.image = null;
    this.boxes = [];
    this.draw();
  }

  setTool(tool) {
    this.tool = tool;
    this.root.dataset.tool = tool;
  }

  setBoxes(boxes) {
    this.boxes = boxes;
    this.draw();
  }

  setHover(key) {
    this.hover = key;
    this.draw();
  }

  setWindow(change) {
    this.windowing = { ...this.windowing, ...change };
    if (this.image) this.image.apply(this.windowing);
    this.draw();
  }

  reset() {
    this.setWindow({ ...NEUTRAL });
    this.fit();
  }

  fit() {
    if (!this.image) return;
    const { clientWidth, clientHeight } = this.root;
    const scale = Math.min(clientWidth / this.size.width, clientHeight / this.size.height) * 0.98;
    this.fitScale = scale;
    this.view = { scale, x: (clientWidth - this.size.width * scale) / 2, y: (clientHeight - this.size.height * scale) / 2 };
    this.draw();
  }

  zoom(factor, x = this.root.clientWidth / 2, y = this.root.clientHeight / 2) {
    if (!this.image) return;
    const scale = Math.min(this.fitScale * 16, Math.max(this.fitScale * 0.5, this.view.scale * factor));
    const ratio = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * ratio, y: y - (y - this.view.y) * ratio };
    this.draw();
  }

  pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.draw();
  }

  toImage(x, y) {
    return [(x - this.view.x) / this.view.scale, (y - this.view.y) / this.view.scale];
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
    const { scale, x, y } = this.view;
    const ratio = window.devicePixelRatio || 1;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image.canvas, x * ratio, y * ratio, this.size.width * scale * ratio, this.size.height * scale * ratio);
    const boxes = this.boxes.map((item) => ({ ...item, hover: this.hover !== undefined && item.key === this.hover }));
    if (this.drag?.box) boxes.push({ key: "dragging", box: this.drag.box, kind: "drawn" });
    const showQuiet = this.showRegions && !this.quietHidden;
    render(this.svg, boxes, (px, py) => [px * scale + x, py * scale + y], { showQuiet, width: this.root.clientWidth });
  }

  // The patient's right is on the image's left. The letters stand beside the image, or at the frame's edge.
  #placeSides() {
    const end = this.view.x + this.size.width * this.view.scale;
    this.right.style.setProperty("--at", `${Math.max(0, this.view.x - 28)}px`);
    this.left.style.setProperty("--at", `${Math.min(this.root.clientWidth - 26, end + 2)}px`);
  }

  #chrome() {
    const shown = Boolean(this.image);
    this.empty.hidden = shown;
    for (const node of [this.right, this.left, this.readout, this.note]) node.hidden = !shown;
    if (!shown) return;
    this.#placeSides();
    const { width, level, invert } = this.windowing;
    this.readout.textContent = `W ${Math.round(width)}  L ${Math.round(level)}${invert ? "  inverted" : ""}\n${Math.round((this.view.scale / this.fitScale) * 100)} %`;
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.root.clientWidth * ratio);
    const height = Math.round(this.root.clientHeight * ratio);
    if (!width || !height || (this.canvas.width === width && this.canvas.height === height)) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (this.image) this.fit();
    if (this.pending) cancelAnimationFrame(this.pending);
    this.pending = 0;
    this.#paint();
  }

  #listen() {
    const { root } = this;
    root.addEventListener("contextmenu", (event) => event.preventDefault());
    root.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.0015), ...this.#point(event));
    }, { passive: false });
    root.addEventListener("dblclick", () => this.tool !== "mark" && this.fit());
    root.addEventListener("pointerdown", (event) => this.#press(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    root.addEventListener("pointerup", (event) => this.#release(event));
    root.addEventListener("pointercancel", () => this.#abandon());
    root.addEventListener("pointerleave", () => this.drag || this.#hoverOver(undefined));
  }

  #point(event) {
    const frame = this.root.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  #press(event) {
    if (!this.image) return;
    const byButton = { 1: "pan", 2: "window" }[event.button];
    const mode = byButton || (this.tool === "mark" && !this.markable ? "pan" : this.tool);
    this.root.setPointerCapture(event.pointerId);
    this.drag = { mode, start: this.#point(event), last: this.#point(event) };
    if (event.button === 1) event.preventDefault();
  }

  #move(event) {
    if (!this.image) return;
    const [x, y] = this.#point(event);
    if (!this.drag) {
      this.#hoverOver(this.markable ? smallestAt(this.boxes, ...this.toImage(x, y))?.key : undefined);
      return;
    }
    const dx = x - this.drag.last[0];
    const dy = y - this.drag.last[1];
    this.drag.last = [x, y];
    if (this.drag.mode === "pan") this.pan(dx, dy);
    else if (this.drag.mode === "window") this.setWindow({ width: Math.min(1020, Math.max(2, this.windowing.width + dx)), level: this.windowing.level + dy * 0.5 });
    else if (Math.hypot(x - this.drag.start[0], y - this.drag.start[1]) > CLICK_SLACK) {
      this.drag.box = this.#clip(this.toImage(...this.drag.start), this.toImage(x, y));
      this.draw();
    }
  }

  #release(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag || drag.mode !== "mark") return;
    if (drag.box) {
      const [x1, y1, x2, y2] = drag.box;
      if (x2 - x1 >= SMALLEST_BOX && y2 - y1 >= SMALLEST_BOX) this.#tell("draw", { box: drag.box });
    } else {
      const item = smallestAt(this.boxes, ...this.toImage(...this.#point(event)));
      if (item) this.#tell("pick", { key: item.key });
    }
    this.draw();
  }

  #abandon() {
    this.drag = null;
    this.draw();
  }

  #hoverOver(key) {
    if (key === this.hover) return;
    this.setHover(key);
    this.#tell("hover", { key });
  }

  #clip([ax, ay], [bx, by]) {
    const inside = (value, limit) => Math.min(limit, Math.max(0, value));
    const { width, height } = this.size;
    return [inside(Math.min(ax, bx), width), inside(Math.min(ay, by), height), inside(Math.max(ax, bx), width), inside(Math.max(ay, by), height)];
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
