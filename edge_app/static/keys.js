// The keyboard. Letters act only while nobody is writing.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const WRITING = "select, textarea, input:not([type=checkbox], [type=radio])";

export function bindKeys({ actions, focus, help, viewers }) {
  const letters = {
    m: () => actions.setTool("mark"),
    p: () => actions.setTool("pan"),
    w: () => actions.setTool("window"),
    g: actions.regions,
    i: actions.invert,
    r: actions.turn,
    f: actions.mirror,
    b: actions.box,
    h: actions.heat,
    l: actions.link,
    0: actions.reset,
    "+": () => actions.zoom(1.2),
    "=": () => actions.zoom(1.2),
    "-": () => actions.zoom(1 / 1.2),
    j: () => actions.step(1),
    k: () => actions.step(-1),
    u: () => actions.judge("up"),
    n: () => actions.judge("down"),
    t: focus.text,
    "/": focus.search,
    "?": () => help.showModal(),
  };
  for (let at = 1; at <= 6; at += 1) letters[at] = () => actions.preset(at - 1);

  document.addEventListener("keydown", (event) => {
    if (help.open || event.defaultPrevented) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      actions.search();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (event.target.matches("input, textarea") || event.target.isContentEditable) event.target.blur();
      else actions.close();
      return;
    }
    if (event.target.matches(WRITING) || event.target.isContentEditable) return;
    if (viewers.includes(event.target) && ARROWS[event.key]) {
      event.preventDefault();
      actions.nudge(event.target, ...ARROWS[event.key], event.shiftKey);
      return;
    }
    if (event.key === "Delete" || event.key === "Backspace") {
      actions.removeHeld();
      return;
    }
    const action = letters[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
}
