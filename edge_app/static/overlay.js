// Boxes and their names, drawn in frame pixels so that lines and letters keep their size at any zoom.

import { HANDLES, crossPoint, handlePoint } from "./boxes.js";
import { drawn } from "./dom.js";

const LETTER = 0.47; // of the root's font size: width of a letter of a name
const ORDER = { quiet: 0, ground: 1, match: 1, selected: 2, drawn: 3, hover: 4 };

export function drawThumbBox(svg, box, width, height) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
  const [x1, y1, x2, y2] = box;
  svg.append(drawn("rect", {
    class: "box match", x: x1, y: y1, width: x2 - x1, height: y2 - y1, "vector-effect": "non-scaling-stroke",
  }));
}

// `items` have a box in the frame's pixels. Quiet ones come first, so that marks lie on top.
export function render(svg, items, frame) {
  const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const rank = (item) => (item.hover ? ORDER.hover : ORDER[item.kind]);
  const nodes = [];
  for (const item of [...items].sort((a, b) => rank(a) - rank(b))) {
    const [left, top, right, bottom] = item.box;
    const classes = ["box", item.kind, item.hover ? "hover" : "", item.held ? "held" : ""].join(" ");
    nodes.push(drawn("rect", { class: classes, x: left, y: top, width: right - left, height: bottom - top, rx: 1 }));
    if (item.label && (item.kind !== "quiet" || item.hover)) nodes.push(...tag(item, frame, em));
    if (item.held) nodes.push(...grips(item.box, frame));
  }
  svg.replaceChildren(...nodes);
}

function tag(item, frame, em) {
  const [boxLeft, boxTop] = item.box;
  const height = em * 1.3;
  const y = Math.max(height, boxTop);
  const length = item.label.length * LETTER * em;
  const left = Math.max(1, Math.min(boxLeft, frame.width - length - em * 0.8));
  const ground = drawn("rect", {
    class: `tag-ground ${item.kind} ${item.hover ? "hover" : ""}`, x: left - 1, y: y - height, width: length + em * 0.75, height, rx: 2,
  });
  const text = drawn("text", { class: "tag", x: left + em * 0.35, y: y - height * 0.3, textLength: length, lengthAdjust: "spacingAndGlyphs" });
  text.textContent = item.label;
  return [ground, text];
}

// What a box in hand is moved by, and the cross that removes it.
function grips(box, frame) {
  const [x, y] = crossPoint(box, frame);
  const handles = HANDLES.map((name) => {
    const [hx, hy] = handlePoint(box, name);
    return drawn("rect", { class: "grip", x: hx - 4, y: hy - 4, width: 8, height: 8, rx: 1.5 });
  });
  return [...handles, drawn("circle", { class: "cross", cx: x, cy: y, r: 9 }), drawn("path", { class: "cross", d: `M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7` })];
}
