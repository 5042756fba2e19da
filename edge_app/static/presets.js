// Windows to choose from: the file's own, and parts of the image's own levels, since grey levels of radiographs
// have no unit.

const PARTS = {
  lungs: [0.02, 0.6],
  mediastinum: [0.45, 0.995],
  bones: [0.7, 0.9995],
};
const NARROWEST = 1 / 256; // of the image's range

export const PRESETS = [
  { name: "default", label: "Default" },
  { name: "full", label: "Full range" },
  { name: "lungs", label: "Lungs" },
  { name: "mediastinum", label: "Mediastinum" },
  { name: "bones", label: "Bones" },
  { name: "region", label: "Chosen region" },
];

// All that an image offers: those above, then the file's further windows.
export function presetsOf(image) {
  return [...PRESETS, ...image.windows.slice(1).map(({ name }, at) => ({ name: `file-${at + 1}`, label: name || `Window ${at + 2}` }))];
}

// Width and level of a preset; null where there is none, as of a region before one is chosen. The box is in
// parts of the image.
export function presetWindow(name, image, box) {
  if (name === "default") return { width: image.neutral.width, level: image.neutral.level };
  if (name === "full") return image.full;
  if (name.startsWith("file-")) {
    const found = image.windows[Number(name.slice(5))];
    return found ? { width: found.width, level: found.center } : null;
  }
  if (name === "region" && !box) return null;
  const [low, high] = name === "region" ? image.quantiles([0.02, 0.98], box) : image.quantiles(PARTS[name]);
  return { width: Math.max(image.full.width * NARROWEST, high - low), level: (low + high) / 2 };
}
