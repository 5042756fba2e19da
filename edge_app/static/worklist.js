// The archive on the left, newest first: search, pages, choice of a query image.

import * as api from "./api.js";
import { arrowsMoveFocus, node } from "./dom.js";
import { count, number, who } from "./words.js";

const PAGE = 50;
const PAUSE = 200; // ms after the last key

export class Worklist {
  constructor({ list, search, count: total, label, back, next, onChoose, onProblem }) {
    Object.assign(this, { list, search, total, label, back, next, onChoose, onProblem });
    this.offset = 0;
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.load(0), PAUSE);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      list.querySelector(".study")?.focus();
    });
    back.addEventListener("click", () => this.load(Math.max(0, this.offset - PAGE)));
    next.addEventListener("click", () => this.load(this.offset + PAGE));
    arrowsMoveFocus(list, ".study");
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
    this.total.textContent = count(total, "study", "studies");
    this.label.textContent = total ? `${number(this.offset + 1)}–${number(this.offset + studies.length)} of ${number(total)}` : "Nothing found";
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
    image.decoding = "async";
    image.src = api.studyImage(record.study, 104);
    const text = button.appendChild(node("span"));
    const head = text.appendChild(node("span", "line"));
    head.append(node("b", "", record.patient), node("span", "", record.view === "UNKNOWN" ? "" : record.view));
    text.append(node("span", "what", who({ ...record, view: "" }) || record.study));
    const rest = [record.accession, ...record.flags].filter(Boolean).join(" · ");
    if (rest) text.append(node("span", "what", rest));
    return item;
  }
}
