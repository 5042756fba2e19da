// Boxes by hand: which part of one is under the pointer, and what becomes of it when that part is moved.

export const SMALLEST = 4; // image pixels
const REACH = 7; // frame pixels around a handle, on the smallest page

export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

export function area([x1, y1, x2, y2]) {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

export function handlePoint([x1, y1, x2, y2], name) {
  const x = name.includes("w") ? x1 : name.includes("e") ? x2 : (x1 + x2) / 2;
  const y = name.includes("n") ? y1 : name.includes("s") ? y2 : (y1 + y2) / 2;
  return [x, y];
}

// Where the cross that removes a box stands: beside its upper right corner, kept inside the frame.
export function crossPoint([, y1, x2], frame, scale) {
  return [Math.min(frame.width - 14 * scale, x2 + 16 * scale), Math.max(14 * scale, y1)];
}

// The part of a box (in the frame) under a point: a handle's name, "remove", "move", or "" for none.
export function partAt(box, x, y, frame, scale) {
  const near = ([px, py], reach) => Math.abs(x - px) <= reach * scale && Math.abs(y - py) <= reach * scale;
  if (near(crossPoint(box, frame, scale), 11)) return "remove";
  const corner = HANDLES.find((name) => near(handlePoint(box, name), REACH));
  if (corner) return corner;
  const [x1, y1, x2, y2] = box;
  return x >= x1 && x <= x2 && y >= y1 && y <= y2 ? "move" : "";
}

// A box (in the frame) after its part was dragged.
export function dragged([x1, y1, x2, y2], part, dx, dy) {
  if (part === "move") return [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  return [
    x1 + (part.includes("w") ? dx : 0), y1 + (part.includes("n") ? dy : 0),
    x2 + (part.includes("e") ? dx : 0), y2 + (part.includes("s") ? dy : 0),
  ];
}

// The smallest box under a point of the image: a zone rather than the lung around it.
export function smallestAt(boxes, x, y) {
  let best = null;
  for (const item of boxes) {
    const [x1, y1, x2, y2] = item.box;
    const inside = x >= x1 && x < x2 && y >= y1 && y < y2;
    if (inside && (!best || area(item.box) < area(best.box))) best = item;
  }
  return best;
}

// A moved box keeps its size and stays inside; any other is cut at the image's edges.
export function kept(box, { width, height }, moved) {
  const [x1, y1, x2, y2] = box;
  if (moved) {
    const dx = Math.max(-x1, Math.min(0, width - x2));
    const dy = Math.max(-y1, Math.min(0, height - y2));
    return [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  }
  const inside = (value, limit) => Math.min(limit, Math.max(0, value));
  const [left, right] = [x1, x2].sort((a, b) => a - b);
  const [top, bottom] = [y1, y2].sort((a, b) => a - b);
  return [inside(left, width), inside(top, height), inside(right, width), inside(bottom, height)];
}

export function largeEnough([x1, y1, x2, y2]) {
  return x2 - x1 >= SMALLEST && y2 - y1 >= SMALLEST;
}

// A box moved (or its lower right corner moved) by a hundredth of the image with the keyboard.
export function nudged([x1, y1, x2, y2], dx, dy, size, resize) {
  const by = Math.max(size.width, size.height) / 100;
  if (!resize) return kept([x1 + dx * by, y1 + dy * by, x2 + dx * by, y2 + dy * by], size, true);
  const right = Math.max(x1 + by, Math.min(size.width, x2 + dx * by));
  const bottom = Math.max(y1 + by, Math.min(size.height, y2 + dy * by));
  return [x1, y1, right, bottom];
}
