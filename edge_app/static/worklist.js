// The archive on the left: search, pages, choice of a query image.

import * as api from "./api.js";
import { node, who } from "./results.js";

const PAGE = 50;

export class Worklist {
  constructor({ list, search, count, label, back, next, onChoose, onProblem }) {
    Object.assign(this, { list, search, count, label, back, next, onChoose, onProblem });
    this.offset = 0;
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.load(0), 200);
    });
    back.addEventListener("click", () => this.load(Math.max(0, this.offset - PAGE)));
    next.addEventListener("click", () => this.load(this.offset + PAGE));
    list.addEventListener("keydown", (event) => this.#arrows(event));
  }

  async load(offset) {
    this.loading?.abort();
    this.loading = new AbortController();
    try {
      const page = await api.studies({ search: this.search.value.trim(), limit: PAGE, offset }, this.loading.signal);
      this.offset = offset;
      this.#show(page);
    } catch (error) {
      if (error.name !== "AbortError") this.onProblem(error);
    }
  }

  setCurrent(study) {
    this.current = study;
    for (const button of this.list.querySelectorAll(".study")) {
      if (button.dataset.study === study) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  #show({ studies, total }) {
    this.list.replaceChildren(...studies.map((record) => this.#row(record)));
    this.list.scrollTop = 0;
    this.count.textContent = `${total.toLocaleString("en")} ${total === 1 ? "study" : "studies"}`;
    this.label.textContent = total ? `${this.offset + 1}–${this.offset + studies.length} of ${total.toLocaleString("en")}` : "Nothing found";
    this.back.disabled = this.offset === 0;
    this.next.disabled = this.offset + studies.length >= total;
    this.setCurrent(this.current);
  }

  #row(record) {
    const item = node("li");
    const button = item.appendChild(node("button", "study"));
    button.type = "button";
    button.dataset.study = record.study;
    button.addEventListener("click", () => this.onChoose(record.study));
    const image = button.appendChild(node("img"));
    image.alt = "";
    image.width = 52;
    image.height = 52;
    image.loading = "lazy";
    image.src = api.studyImage(record.study, 104);
    const text = button.appendChild(node("span"));
    const head = text.appendChild(node("span", "who"));
    head.append(node("b", "", record.patient), node("span", "", record.view === "UNKNOWN" ? "" : record.view));
    text.append(node("span", "what", who({ ...record, view: "" }) || record.study));
    if (record.flags.length) text.append(node("span", "what", record.flags.join(", ")));
    return item;
  }

  #arrows(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...this.list.querySelectorAll(".study")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, at + step))].focus();
  }
}
