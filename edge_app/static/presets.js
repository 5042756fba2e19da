// Windows to choose from. Grey levels of radiographs have no unit, so a preset is a part of the image's own levels.

const PARTS = {
  lungs: [0.02, 0.6],
  mediastinum: [0.45, 0.995],
  bones: [0.7, 0.9995],
};

export const PRESETS = [
  { name: "full", label: "Full range" },
  { name: "lungs", label: "Lungs" },
  { name: "mediastinum", label: "Mediastinum" },
  { name: "bones", label: "Bones" },
  { name: "region", label: "Chosen region" },
];

// Width and level of a preset; null where it needs a box and there is none. The box is in parts of the image.
export function presetWindow(name, image, box) {
  if (name === "full") return { width: 65535, level: 65535 / 2 };
  if (name === "region" && !box) return null;
  const [low, high] = name === "region" ? image.quantiles([0.02, 0.98], box) : image.quantiles(PARTS[name]);
  return { width: Math.max(256, high - low), level: (low + high) / 2 };
}
