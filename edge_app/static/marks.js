// What was marked on each image, while this tab is open: who comes back to a study finds it again. The address
// keeps the marks of the image on the page alone.

const PREFIX = "edge-retrieve.marks ";
const MOST = 100; // images

const keyOf = ({ kind, id }) => `${PREFIX}${kind} ${id}`;

export function keepMarks(question) {
  if (!question.source) return;
  const key = keyOf(question.source);
  sessionStorage.removeItem(key);
  if (!question.places) return;
  const kept = Object.keys(sessionStorage).filter((name) => name.startsWith(PREFIX));
  if (kept.length >= MOST) sessionStorage.removeItem(kept[0]);
  sessionStorage.setItem(key, JSON.stringify({ regions: [...question.selected], boxes: question.drawn.map((one) => one.box) }));
}

// Put the marks of the question's image into it, in place of those it has.
export function bringBackMarks(question) {
  const { regions, boxes } = JSON.parse(sessionStorage.getItem(keyOf(question.source)) || '{"regions": [], "boxes": []}');
  question.selected = new Set(regions);
  question.drawn = [];
  for (const box of boxes) question.addBox(box);
}
