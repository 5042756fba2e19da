// Boxes and their names, drawn in frame pixels so that lines and letters keep their size at any zoom.

import { HANDLES, crossPoint, handlePoint } from "./boxes.js";
import { drawn, magnification } from "./dom.js";

const LETTER = 6.6; // width of a letter of a name on the smallest page, frame pixels; further sizes likewise
const ORDER = { quiet: 0, ground: 1, match: 1, selected: 2, drawn: 3, hover: 4 };

export function drawThumbBox(svg, box, width, height) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
  const [x1, y1, x2, y2] = box;
  svg.append(drawn("rect", {
    class: "box match", x: x1, y: y1, width: x2 - x1, height: y2 - y1, "vector-effect": "non-scaling-stroke",
  }));
}

// `items` have a box in frame pixels. Quiet ones come first, so that marks lie on top.
export function render(svg, items, frame) {
  const scale = magnification();
  const rank = (item) => (item.hover ? ORDER.hover : ORDER[item.kind]);
  const nodes = [];
  for (const item of [...items].sort((a, b) => rank(a) - rank(b))) {
    const [left, top, right, bottom] = item.box;
    const classes = ["box", item.kind, item.hover ? "hover" : "", item.held ? "held" : ""].join(" ");
    nodes.push(drawn("rect", { class: classes, x: left, y: top, width: right - left, height: bottom - top, rx: 1 }));
    if (item.label && (item.kind !== "quiet" || item.hover)) nodes.push(...tag(item, frame, scale));
    if (item.held) nodes.push(...grips(item.box, frame, scale));
  }
  svg.replaceChildren(...nodes);
}

// Above its box; that of a phrase's place below, where the region's name is not.
function tag(item, frame, scale) {
  const [boxLeft, boxTop, , boxBottom] = item.box;
  const height = 18 * scale;
  const y = item.kind === "ground" ? Math.min(frame.height, boxBottom + height) : Math.max(height, boxTop);
  const length = item.label.length * LETTER * scale;
  const width = length + 10 * scale;
  const left = Math.max(0, Math.min(boxLeft - 1, frame.width - width));
  const ground = drawn("rect", { class: `tag-ground ${item.kind} ${item.hover ? "hover" : ""}`, x: left, y: y - height, width, height, rx: 2 });
  const text = drawn("text", { class: "tag", x: left + 5 * scale, y: y - 5 * scale, textLength: length, lengthAdjust: "spacingAndGlyphs" });
  text.textContent = item.label;
  return [ground, text];
}

// What a box in hand is moved by, and the cross that removes it.
function grips(box, frame, scale) {
  const [x, y] = crossPoint(box, frame, scale);
  const side = 8 * scale;
  const arm = 3.5 * scale;
  const handles = HANDLES.map((name) => {
    const [hx, hy] = handlePoint(box, name);
    return drawn("rect", { class: "grip", x: hx - side / 2, y: hy - side / 2, width: side, height: side, rx: 1.5 });
  });
  const cross = drawn("path", { class: "cross", d: `M${x - arm} ${y - arm}l${2 * arm} ${2 * arm}m0 ${-2 * arm}l${-2 * arm} ${2 * arm}` });
  return [...handles, drawn("circle", { class: "cross", cx: x, cy: y, r: 9 * scale }), cross];
}
