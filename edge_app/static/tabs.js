// Tabs as in the ARIA practices: one is a tab stop, the arrow keys go to the others. A panel is named by its
// tab's aria-controls, so that a further one needs markup and nothing here.

export class Tabs extends EventTarget {
  constructor(list) {
    super();
    this.tabs = [...list.querySelectorAll("[role=tab]")];
    for (const tab of this.tabs) tab.addEventListener("click", () => this.show(tab.id));
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const at = this.tabs.indexOf(document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
      next.focus();
      this.show(next.id);
    });
  }

  show(id) {
    for (const tab of this.tabs) {
      const chosen = tab.id === id;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
    }
    this.dispatchEvent(new CustomEvent("show", { detail: id }));
  }
}
