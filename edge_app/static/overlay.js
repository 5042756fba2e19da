// Boxes and their names, drawn in screen coordinates so that lines and letters keep their size at any zoom.

const SVG = "http://www.w3.org/2000/svg";
const LETTER = 6.6; // pixels a letter of a name takes

function element(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

export function area([x1, y1, x2, y2]) {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

// The smallest box under a point: a zone rather than the lung around it.
export function smallestAt(boxes, x, y) {
  let best = null;
  for (const item of boxes) {
    const [x1, y1, x2, y2] = item.box;
    const inside = x >= x1 && x < x2 && y >= y1 && y < y2;
    if (inside && (!best || area(item.box) < area(best.box))) best = item;
  }
  return best;
}

export function drawThumbBox(svg, box, width, height) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
  const [x1, y1, x2, y2] = box;
  svg.append(element("rect", {
    class: "box match", x: x1, y: y1, width: x2 - x1, height: y2 - y1, "vector-effect": "non-scaling-stroke",
  }));
}

// `toScreen(x, y)` maps image pixels to screen pixels. Quiet boxes come first, so that marks lie on top.
export function render(svg, boxes, toScreen, { showQuiet, width }) {
  const order = { quiet: 0, match: 1, selected: 2, drawn: 3, hover: 4 };
  const rank = (item) => (item.hover ? order.hover : order[item.kind]);
  const nodes = [];
  for (const item of [...boxes].sort((a, b) => rank(a) - rank(b))) {
    if (item.kind === "quiet" && !item.hover && !showQuiet) continue;
    const [left, top] = toScreen(item.box[0], item.box[1]);
    const [right, bottom] = toScreen(item.box[2], item.box[3]);
    const classes = ["box", item.kind, item.hover ? "hover" : "", item.held ? "held" : ""].join(" ");
    nodes.push(element("rect", { class: classes, x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top), rx: 1 }));
    if (item.label && (item.kind !== "quiet" || item.hover)) nodes.push(...tag(item, left, top, width));
  }
  svg.replaceChildren(...nodes);
}

function tag(item, boxLeft, top, frame) {
  const y = Math.max(18, top);
  const width = 10 + item.label.length * LETTER;
  const left = Math.max(1, Math.min(boxLeft, frame - width));
  const ground = element("rect", { class: `tag-ground ${item.hover && item.kind === "quiet" ? "hover" : ""}`, x: left - 1, y: y - 18, width, height: 18, rx: 2 });
  const text = element("text", { class: "tag", x: left + 5, y: y - 5, textLength: item.label.length * LETTER, lengthAdjust: "spacingAndGlyphs" });
  text.textContent = item.label;
  return [ground, text];
}
