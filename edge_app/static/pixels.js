// Grey levels: 16-bit values, and a table that makes window, level and inversion of them.

import * as api from "./api.js";

export const WHITE = 65535;
export const NEUTRAL = Object.freeze({ width: WHITE, level: WHITE / 2, invert: false });

const BINS = 1024;
const TABLE = new Uint32Array(WHITE + 1);
// One 32-bit word a pixel is the fastest way to fill a canvas; its bytes lie in the machine's order.
const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const SPREAD = LITTLE ? 0x010101 : 0x01010100;
const OPAQUE = LITTLE ? 0xff000000 : 0xff;

// What a stored value is shown as, 0 to 255.
export function shownAs(value, { width, level, invert }) {
  const shown = Math.round(Math.min(1, Math.max(0, (value - level) / Math.max(width, 1) + 0.5)) * 255);
  return invert ? 255 - shown : shown;
}

function fillTable(windowing) {
  for (let value = 0; value <= WHITE; value += 1) TABLE[value] = (shownAs(value, windowing) * SPREAD + OPAQUE) >>> 0;
  return TABLE;
}

export class GreyImage {
  // `values` are 16-bit, row by row; `windows` are presets, { name, center, width }, the one to begin with first.
  constructor(values, width, height, { windows = [], minimum = 0, maximum = WHITE } = {}) {
    Object.assign(this, { values, width, height, windows, minimum, maximum: Math.max(maximum, minimum + 1) });
    const [first] = windows;
    this.neutral = first ? { width: first.width, level: first.center, invert: false } : NEUTRAL;
    this.full = { width: this.maximum - minimum, level: (this.maximum + minimum) / 2 };
    this.canvas = document.createElement("canvas");
    this.canvas.width = width;
    this.canvas.height = height;
    this.context = this.canvas.getContext("2d");
    this.shown = this.context.createImageData(width, height);
    this.words = new Uint32Array(this.shown.data.buffer);
  }

  // The grey values of a study or an upload.
  static async fromServer(source) {
    const [meaning, values] = await Promise.all([api.meaning(source), api.values(source)]);
    return new GreyImage(values, meaning.columns, meaning.rows, meaning);
  }

  // The 8-bit picture of it: smaller, and sooner there.
  static async quickly(source) {
    const picture = new Image();
    picture.src = api.picture(source);
    await picture.decode();
    const { naturalWidth: width, naturalHeight: height } = picture;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    const bytes = context.getImageData(0, 0, width, height).data;
    return new GreyImage(Uint16Array.from({ length: width * height }, (_, at) => bytes[at * 4] * 257), width, height);
  }

  apply(windowing) {
    const table = fillTable(windowing);
    const { values, words } = this;
    for (let at = 0; at < values.length; at += 1) words[at] = table[values[at]];
    this.context.putImageData(this.shown, 0, 0);
  }

  // Values at parts (0 to 1) of the image's grey levels, inside a box of parts of its width and height.
  quantiles(parts, [x1, y1, x2, y2] = [0, 0, 1, 1]) {
    const bins = new Uint32Array(BINS);
    const part = BINS / (this.maximum - this.minimum + 1);
    const step = Math.max(1, Math.floor(Math.sqrt((this.width * this.height) / 500_000)));
    const end = (part, length) => Math.max(1, Math.round(part * length));
    let total = 0;
    for (let y = Math.floor(y1 * this.height); y < end(y2, this.height); y += step) {
      for (let x = Math.floor(x1 * this.width); x < end(x2, this.width); x += step) {
        bins[Math.floor((this.values[y * this.width + x] - this.minimum) * part)] += 1;
        total += 1;
      }
    }
    return parts.map((wanted) => {
      let seen = 0;
      const bin = bins.findIndex((size) => (seen += size) >= wanted * total);
      return this.minimum + ((bin < 0 ? BINS - 1 : bin) + 0.5) / part;
    });
  }
}
