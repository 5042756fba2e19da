// Sentences of a report or a draft that show, once clicked, where they are on the images.

// Sentences of a text as parts of it; a line break within a sentence does not end it.
export function sentencesOf(text) {
  if (!globalThis.Intl?.Segmenter) return [text];
  const flowing = text.replace(/(?<!\n)\n(?!\n)/g, " ");
  const found = [...new Intl.Segmenter("en", { granularity: "sentence" }).segment(flowing)];
  return found.map(({ index, segment }) => text.slice(index, index + segment.length));
}

// Make an element of a sentence that can be clicked, or chosen with Enter.
export function clickable(element) {
  element.classList.add("sentence");
  element.setAttribute("role", "button");
  element.setAttribute("aria-pressed", "false");
  element.tabIndex = 0;
  element.title = "Show where this is on the images";
  return element;
}

export class Sentences {
  // `onAsk(text, element)` is called with a sentence, with "" to show none.
  constructor({ onAsk }) {
    this.onAsk = onAsk;
    this.chosen = null;
    document.addEventListener("click", ({ target }) => {
      const element = target.closest(".sentence");
      if (element) this.#choose(element);
    });
    document.addEventListener("keydown", (event) => {
      const { key, target } = event;
      if (!["Enter", " "].includes(key) || !target.matches?.(".sentence") || target.isContentEditable) return;
      event.preventDefault();
      this.#choose(target);
    });
  }

  // What is shown; empty where it is another phrase or none.
  get text() {
    return this.chosen?.textContent.trim() || "";
  }

  // A sentence that is being written stays chosen.
  #choose(element) {
    const again = this.chosen === element;
    if (again && element.isContentEditable) return;
    this.forget();
    if (!again && element.textContent.trim()) {
      this.chosen = element;
      this.#mark(true);
    }
    this.onAsk(this.text, element);
  }

  forget() {
    if (this.chosen) this.#mark(false);
    this.chosen = null;
  }

  #mark(on) {
    this.chosen.classList.toggle("shown", on);
    if (this.chosen.getAttribute("role") === "button") this.chosen.setAttribute("aria-pressed", String(on));
  }
}
