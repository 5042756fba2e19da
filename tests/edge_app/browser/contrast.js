// Visible texts whose contrast to what lies behind them is below WCAG's 4.5 (AA).
() => {
  const parse = (text) => {
    const numbers = text.match(/[\d.]+/g).map(Number);
    return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((n) => top[n] * top[3] + under[n] * (1 - top[3])).concat(1);
  const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const ground = (node) => {
    const behind = node.parentElement ? ground(node.parentElement) : [255, 255, 255, 1];
    return over(parse(getComputedStyle(node).backgroundColor), behind);
  };
  const skipped = ".viewer, .thumb, option, :disabled, noscript, script";
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(skipped)) continue;
    const behind = ground(node);
    const text = over(parse(getComputedStyle(node).color), behind);
    const [high, low] = [luminance(text), luminance(behind)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) poor.push(`${node.tagName} ${node.className}: ${ratio.toFixed(2)}`);
  }
  return poor;
}
