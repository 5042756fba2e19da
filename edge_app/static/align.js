// The same place on two chests: where a point of one lies on the other, from the boxes the model found on both.

const LEAST_REGIONS = 6;
const LEAST_SCORE = 0.5;

// Least squares of to = slope * from + shift; null where the points do not tell.
function line(pairs) {
  const n = pairs.length;
  const mean = (at) => pairs.reduce((sum, pair) => sum + pair[at], 0) / n;
  const [mx, my] = [mean(0), mean(1)];
  const spread = pairs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  const slope = pairs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / spread;
  return spread > 0 && slope > 0 ? { slope, shift: my - slope * mx } : null;
}

// A function from points [x, y] of `from` to points of `to`, and back with `back` true. Each is
// { width, height, boxes: [{ region, box, score }] }. Without enough regions in common: by parts of the image.
export function alignment(from, to) {
  const there = new Map(to.boxes.map((one) => [one.region, one]));
  const sure = from.boxes.filter((one) => one.score >= LEAST_SCORE && there.get(one.region)?.score >= LEAST_SCORE);
  const centre = ([x1, y1, x2, y2], axis) => (axis ? y1 + y2 : x1 + x2) / 2;
  const fits = [0, 1].map((axis) => {
    const pairs = sure.map((one) => [centre(one.box, axis), centre(there.get(one.region).box, axis)]);
    const whole = { slope: axis ? to.height / from.height : to.width / from.width, shift: 0 };
    return (pairs.length >= LEAST_REGIONS && line(pairs)) || whole;
  });
  return (point, back = false) =>
    point.map((value, axis) => (back ? (value - fits[axis].shift) / fits[axis].slope : value * fits[axis].slope + fits[axis].shift));
}
