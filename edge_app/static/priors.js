// Other studies of the query's own patient, which are never hits: apart, in a tab of their own, newest first.

import * as api from "./api.js";
import { arrowsMoveFocus, node } from "./dom.js";
import { thumb } from "./card.js";
import { who } from "./words.js";

const MOST = 200;

export class Priors {
  constructor({ list, count, status, onOpen, onProblem }) {
    Object.assign(this, { list, count, status, onOpen, onProblem });
    arrowsMoveFocus(list, ":scope > li > button");
    this.clear();
  }

  clear() {
    this.wanted = null;
    this.#show([], "Choose a study to see its patient’s others.");
  }

  async load(patient, current) {
    const wanted = (this.wanted = {});
    if (!patient) return this.#show([], "The image names no patient.");
    try {
      const { studies } = await api.studies({ patient, limit: MOST });
      if (this.wanted !== wanted) return;
      // The server finds identifiers that contain the one asked for.
      const own = studies.filter((one) => one.patient === patient && one.study !== current);
      this.#show(own, own.length ? `Other studies of ${patient}, newest first. They are never among the similar cases.` : `The archive has no other study of ${patient}.`);
    } catch (error) {
      this.onProblem(error);
    }
  }

  #show(studies, text) {
    this.status.textContent = text;
    this.count.textContent = studies.length ? String(studies.length) : "";
    this.list.replaceChildren(...studies.map((one) => this.#card(one)));
  }

  #card(study) {
    const item = node("li", "hit");
    item.dataset.study = study.study;
    const open = item.appendChild(node("button", "open"));
    open.type = "button";
    open.setAttribute("aria-label", `Study of ${study.date || "unknown date"}: ${study.findings.join(", ") || "no finding stated"}. Compare side by side.`);
    open.addEventListener("click", () => this.onOpen(study));
    open.append(thumb(study.study, [], { width: 1, height: 1 }));
    const body = open.appendChild(node("span", "body"));
    body.append(node("span", "finding", study.date || "date unknown"));
    body.append(node("span", "where", study.findings.slice(0, 4).join(", ") || "no finding stated"));
    body.append(node("span", "meta", [study.patient, who({ ...study, date: "" })].filter(Boolean).join(" · ")));
    return item;
  }

  setCurrent(study) {
    for (const item of this.list.children) {
      if (item.dataset.study === study) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
    }
  }
}
