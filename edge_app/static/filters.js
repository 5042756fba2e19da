// Which cases may be found at all, and how several places count: a panel above the question.

import { $, node } from "./dom.js";

const CHECKED = ["sexes", "views"];
const TYPED = ["age_from", "age_to", "date_from", "date_to"];

export class Filters {
  constructor({ question, onChange }) {
    Object.assign(this, { question, onChange, panel: $("filters"), button: $("filters-button") });
    this.button.addEventListener("click", () => this.toggle());
    this.panel.addEventListener("input", () => this.#read());
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle(false);
      this.button.focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!this.panel.hidden && !this.panel.contains(event.target) && !this.button.contains(event.target)) this.toggle(false);
    });
    $("filters-clear").addEventListener("click", () => this.#clear());
  }

  toggle(open = this.panel.hidden) {
    this.panel.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.panel.querySelector("select, input").focus();
  }

  fill(findings) {
    $("filter-finding").append(...findings.map((name) => node("option", "", name)));
  }

  // Put the question's filters into the fields.
  show() {
    const { filters, combine, onePerPatient } = this.question;
    $("filter-finding").value = filters.findings?.[0] || "";
    for (const name of CHECKED) for (const box of this.#boxes(name)) box.checked = (filters[name] || []).includes(box.value);
    for (const name of TYPED) $(`filter-${name}`).value = filters[name] || "";
    $("one-per-patient").checked = onePerPatient;
    this.panel.querySelector(`input[name=combine][value=${combine}]`).checked = true;
    this.#label();
  }

  #boxes(name) {
    return [...this.panel.querySelectorAll(`input[name=${name}]`)];
  }

  #read() {
    const { question } = this;
    const filters = { findings: [$("filter-finding").value].filter(Boolean) };
    for (const name of CHECKED) filters[name] = this.#boxes(name).filter((box) => box.checked).map((box) => box.value);
    for (const name of TYPED) filters[name] = $(`filter-${name}`).value;
    question.filters = filters;
    question.onePerPatient = $("one-per-patient").checked;
    question.combine = this.panel.querySelector("input[name=combine]:checked").value;
    this.#label();
    this.onChange();
  }

  #clear() {
    Object.assign(this.question, { filters: {}, combine: "weighted", onePerPatient: false });
    this.show();
    this.onChange();
  }

  #label() {
    const set = this.question.filterCount;
    this.button.querySelector(".number").textContent = set ? String(set) : "";
    this.button.classList.toggle("on", set > 0);
  }
}
