// Making elements.

export const $ = (id) => document.getElementById(id);

export function node(tag, classes = "", text = "") {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function drawn(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// A picture of the sheet icons.svg.
export function icon(name) {
  const made = drawn("svg", { class: "icon", "aria-hidden": "true", viewBox: "0 0 16 16" });
  made.append(drawn("use", { href: `static/icons.svg#${name}` }));
  return made;
}

export function iconButton(name, label, classes = "") {
  const button = node("button", `icon-button ${classes}`);
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", label);
  button.append(icon(name));
  return button;
}

export const pressed = (button) => button.getAttribute("aria-pressed") === "true";
export const press = (button, on) => button.setAttribute("aria-pressed", String(on));

// How much larger than on a laptop things are drawn here: the root's font size against the smallest.
export const magnification = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 14;

// The up and down keys go through the buttons of a list that `selector` finds.
export function arrowsMoveFocus(list, selector) {
  list.addEventListener("keydown", (event) => {
    const buttons = [...list.querySelectorAll(selector)];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, to))].focus();
  });
}
