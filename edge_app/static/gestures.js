// What the mouse, a pen or a finger does on an X-ray. The viewer knows what is shown; this file, what a drag means.

import { dragged, kept, largeEnough, partAt, smallestAt } from "./boxes.js";
import { magnification } from "./dom.js";

const SLACK = 4; // frame pixels that a click may wander
const CURSORS = {
  nw: "nwse-resize", se: "nwse-resize", ne: "nesw-resize", sw: "nesw-resize",
  n: "ns-resize", s: "ns-resize", e: "ew-resize", w: "ew-resize", move: "move", remove: "pointer",
};

export class Gestures {
  constructor(viewer, root) {
    Object.assign(this, { viewer, root, drag: null });
    root.addEventListener("contextmenu", (event) => event.preventDefault());
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    root.addEventListener("dblclick", () => viewer.tool !== "mark" && viewer.change({ fit: true }));
    root.addEventListener("pointerdown", (event) => this.#press(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    root.addEventListener("pointerup", (event) => this.#release(event));
    root.addEventListener("pointercancel", () => this.#end());
    root.addEventListener("pointerleave", () => this.drag || this.#leave());
  }

  #point(event) {
    const frame = this.root.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.viewer.change({ zoom: Math.exp(-event.deltaY * lines * 0.0015), at: this.#point(event) });
  }

  // The part of the held box under a point, as `partAt` names it.
  #part(x, y) {
    const { held, view } = this.viewer;
    return held && this.viewer.tool === "mark" ? partAt(view.boxToFrame(held.box), x, y, view.frame, magnification()) : "";
  }

  #press(event) {
    const { viewer } = this;
    if (!viewer.image) return;
    const start = this.#point(event);
    const byButton = { 1: "pan", 2: "window" }[event.button];
    const part = byButton ? "" : this.#part(...start);
    const mode = byButton || (part && "edit") || (viewer.tool === "mark" && !viewer.markable ? "pan" : viewer.tool);
    this.root.setPointerCapture(event.pointerId);
    this.drag = { mode, part, start, last: start, held: viewer.held, moved: false };
    if (event.button === 1) event.preventDefault();
  }

  #move(event) {
    const { viewer, drag } = this;
    if (!viewer.image) return;
    const [x, y] = this.#point(event);
    if (!drag) {
      this.#over(x, y);
      return;
    }
    const [dx, dy] = [x - drag.last[0], y - drag.last[1]];
    drag.last = [x, y];
    drag.moved ||= Math.hypot(x - drag.start[0], y - drag.start[1]) > SLACK;
    if (drag.mode === "pan") viewer.change({ pan: [dx, dy] });
    else if (drag.mode === "window") viewer.change({ widen: dx, lift: dy });
    else if (drag.moved) viewer.preview(this.#box(drag, x, y), drag.mode === "edit" ? drag.held.key : undefined);
  }

  #box({ mode, part, start, held }, x, y) {
    const { view } = this.viewer;
    if (mode !== "edit") return kept(view.boxToImage([...start, x, y]), view.size);
    const moved = dragged(view.boxToFrame(held.box), part, x - start[0], y - start[1]);
    return kept(view.boxToImage(moved), view.size, part === "move");
  }

  #release(event) {
    const { drag, viewer } = this;
    const [x, y] = this.#point(event);
    const box = drag?.moved && ["edit", "mark"].includes(drag.mode) ? this.#box(drag, x, y) : null;
    this.#end();
    if (!drag || !["edit", "mark"].includes(drag.mode)) return;
    if (drag.mode === "edit" && drag.part === "remove" && !drag.moved) viewer.tell("remove", { key: drag.held.key });
    else if (!drag.moved) {
      const item = this.#picked(viewer.view.toImage(x, y));
      if (item) viewer.tell("pick", { key: item.key });
    } else if (largeEnough(box)) viewer.tell(drag.mode === "edit" ? "edit" : "draw", { key: drag.held?.key, box });
  }

  // A drawn box is taken in hand before a region inside it can be chosen.
  #picked(at) {
    const { boxes } = this.viewer;
    return smallestAt(boxes.filter((item) => item.kind === "drawn" && !item.held), ...at) || smallestAt(boxes, ...at);
  }

  #over(x, y) {
    const { viewer } = this;
    const part = this.#part(x, y);
    this.root.style.cursor = CURSORS[part] || "";
    viewer.point(viewer.view.toImage(x, y));
    const under = viewer.markable && !part ? smallestAt(viewer.boxes, ...viewer.view.toImage(x, y)) : null;
    viewer.hoverOver(under?.key);
  }

  #leave() {
    this.root.style.cursor = "";
    this.viewer.point(null);
    this.viewer.hoverOver(undefined);
  }

  #end() {
    this.drag = null;
    this.viewer.preview(null);
  }
}
