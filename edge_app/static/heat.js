// Where a phrase, or a sentence of a report, is on an X-ray: a map of warm colour over it, and boxes.

import * as api from "./api.js";
import { percent } from "./words.js";

const COLOUR = [255, 112, 67];
const MOST = 0.62; // opacity of the best place
const CUT = 0.15; // of the best place: less is left clear

// What a sentence comes to where it is not seen.
const NOWHERE = {
  denied: "it denies a finding or calls a place normal: nothing to see",
  not_visual: "it speaks of no finding: nothing to see",
  not_seen: "not seen on this image",
};

// A map of parts (0 to 1) as a picture, one pixel a place.
export function heatPicture({ rows, columns, values }) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  values.flat().forEach((value, at) => {
    const part = Math.max(0, (value - CUT) / (1 - CUT));
    image.data.set([...COLOUR, Math.round(255 * MOST * part)], at * 4);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

export class Heat {
  constructor({ onProblem }) {
    this.onProblem = onProblem;
    this.phrase = "";
  }

  // Ask where the phrase is on what a viewer shows, and lay it over. A sentence may be nowhere, whatever resembles it.
  async show(viewer, source, phrase, isSentence = false) {
    const asked = (viewer.heatAsked = {});
    try {
      const found = await api.ground({ [source.kind]: source.id, phrase });
      if (viewer.heatAsked !== asked || !viewer.image) return;
      if (isSentence && found.ground !== "seen") {
        viewer.setHeat({ picture: null, boxes: [], note: `“${phrase}” · ${NOWHERE[found.ground]}` });
        return;
      }
      const boxes = found.boxes.slice(0, 3).map(({ box, score }) => ({ key: "ground", kind: "ground", box, label: percent(score) }));
      viewer.setHeat({ picture: heatPicture(found), boxes, note: found.peak > 0 ? `“${phrase}” · best place ${percent(found.peak)}` : `“${phrase}” · nowhere on this image` });
    } catch (error) {
      this.onProblem(error);
    }
  }

  clear(...viewers) {
    for (const viewer of viewers) {
      viewer.heatAsked = null;
      viewer.setHeat(null);
    }
  }
}
