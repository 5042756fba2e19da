// Grey levels: window, level and inversion through a table of 256 entries.

export const NEUTRAL = Object.freeze({ width: 255, level: 127.5, invert: false });

export function table({ width, level, invert }) {
  const values = new Uint8ClampedArray(256);
  for (let grey = 0; grey < 256; grey += 1) {
    const shown = ((grey - level) / Math.max(width, 1) + 0.5) * 255;
    values[grey] = invert ? 255 - Math.min(255, Math.max(0, shown)) : shown;
  }
  return values;
}

export class GreyImage {
  constructor(picture) {
    this.canvas = document.createElement("canvas");
    this.canvas.width = picture.naturalWidth;
    this.canvas.height = picture.naturalHeight;
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.context.drawImage(picture, 0, 0);
    this.stored = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    this.shown = this.context.createImageData(this.canvas.width, this.canvas.height);
  }

  apply(windowing) {
    const values = table(windowing);
    const from = this.stored.data;
    const to = this.shown.data;
    for (let index = 0; index < from.length; index += 4) {
      const value = values[from[index]];
      to[index] = value;
      to[index + 1] = value;
      to[index + 2] = value;
      to[index + 3] = 255;
    }
    this.context.putImageData(this.shown, 0, 0);
  }
}
