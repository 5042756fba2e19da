// The keyboard. Letters act only while nobody is writing.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function bindKeys({ actions, focusSearch, focusText, help, viewer }) {
  const letters = {
    m: () => actions.setTool("mark"),
    p: () => actions.setTool("pan"),
    w: () => actions.setTool("window"),
    r: actions.regions,
    i: actions.invert,
    b: actions.box,
    0: actions.reset,
    "+": () => actions.zoom(1.2),
    "=": () => actions.zoom(1.2),
    "-": () => actions.zoom(1 / 1.2),
    j: () => actions.step(1),
    k: () => actions.step(-1),
    t: focusText,
    "/": focusSearch,
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (help.open) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      actions.search();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (event.target.matches("input")) event.target.blur();
      else actions.close();
      return;
    }
    if (event.target.matches("input, select, textarea")) return;
    if (event.target === viewer && ARROWS[event.key]) {
      event.preventDefault();
      actions.nudge(...ARROWS[event.key], event.shiftKey);
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
