// Where an image lies in its frame: scale, place, quarter turns and mirror. Frame pixels are CSS pixels;
// image pixels are those of the image as displayed by the server, before any turn made here.

const COS = [1, 0, -1, 0];
const SIN = [0, 1, 0, -1];

export class View {
  constructor(size = { width: 1, height: 1 }) {
    this.size = size;
    this.frame = { width: 1, height: 1 };
    this.turns = 0; // quarter turns clockwise, after the mirror
    this.flipped = false;
    this.scale = 1;
    this.x = 0; // the image's centre in the frame
    this.y = 0;
  }

  // Width and height as they lie in the frame, image pixels.
  get extent() {
    const { width, height } = this.size;
    return this.turns % 2 ? { width: height, height: width } : { width, height };
  }

  get fitScale() {
    const { width, height } = this.extent;
    return Math.min(this.frame.width / width, this.frame.height / height) * 0.98;
  }

  get zoomed() {
    return this.scale / this.fitScale;
  }

  fit() {
    this.scale = this.fitScale;
    this.x = this.frame.width / 2;
    this.y = this.frame.height / 2;
  }

  reset() {
    this.turns = 0;
    this.flipped = false;
    this.fit();
  }

  // Zoom about a point of the frame, which stays where it is.
  zoom(factor, x, y) {
    const scale = Math.min(this.fitScale * 16, Math.max(this.fitScale * 0.5, this.scale * factor));
    const ratio = scale / this.scale;
    this.scale = scale;
    this.x = x - (x - this.x) * ratio;
    this.y = y - (y - this.y) * ratio;
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
  }

  turn() {
    this.turns = (this.turns + 1) % 4;
    this.fit();
  }

  // Left and right as they lie in the frame change places, however the image is turned.
  mirror() {
    this.turns = (4 - this.turns) % 4;
    this.flipped = !this.flipped;
    this.x = this.frame.width - this.x;
  }

  // a, b, c, d, e, f as a canvas takes them, from image pixels to frame pixels.
  get matrix() {
    const across = this.flipped ? -1 : 1;
    const [a, b, c, d] = [COS[this.turns] * across, SIN[this.turns] * across, -SIN[this.turns], COS[this.turns]].map((part) => part * this.scale);
    const { width, height } = this.size;
    return [a, b, c, d, this.x - (a * width + c * height) / 2, this.y - (b * width + d * height) / 2];
  }

  toFrame(x, y) {
    const [a, b, c, d, e, f] = this.matrix;
    return [a * x + c * y + e, b * x + d * y + f];
  }

  toImage(x, y) {
    const [a, b, c, d, e, f] = this.matrix;
    const determinant = a * d - b * c;
    return [(d * (x - e) - c * (y - f)) / determinant, (a * (y - f) - b * (x - e)) / determinant];
  }

  boxToFrame([x1, y1, x2, y2]) {
    return ordered(...this.toFrame(x1, y1), ...this.toFrame(x2, y2));
  }

  boxToImage([x1, y1, x2, y2]) {
    return ordered(...this.toImage(x1, y1), ...this.toImage(x2, y2));
  }
}

function ordered(ax, ay, bx, by) {
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
}
