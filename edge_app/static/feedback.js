// Thumbs up or down for a hit of a query, kept by the server.

import * as api from "./api.js";
import { iconButton, node, press, pressed } from "./dom.js";

const VERDICTS = [["up", "Useful: the same finding in the same region"], ["down", "Not useful"]];

export class Feedback {
  constructor({ onProblem }) {
    this.onProblem = onProblem;
    this.query = null;
    this.groups = new Map();
  }

  // The hits shown answer this query; what was said of them before is shown again.
  async load() {
    const { query } = this;
    if (!query) return;
    try {
      const { feedback } = await api.judgements(query);
      if (this.query !== query) return;
      for (const { study, verdict } of feedback) this.#show(study, verdict);
    } catch (error) {
      this.onProblem(error);
    }
  }

  // Before other hits take the place of those shown.
  clear(queryId) {
    this.query = queryId;
    this.groups.clear();
  }

  buttons(hit) {
    const group = node("div", "verdict");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", `Your verdict on case ${hit.rank}`);
    for (const [verdict, label] of VERDICTS) {
      const button = iconButton(`thumb-${verdict}`, label);
      button.dataset.verdict = verdict;
      press(button, false);
      button.addEventListener("click", () => this.judge(hit.study, verdict));
      group.append(button);
    }
    this.groups.set(hit.study, group);
    return group;
  }

  // The same verdict again takes it back.
  async judge(study, verdict) {
    const group = this.groups.get(study);
    if (!group) return;
    const before = [...group.children].find(pressed)?.dataset.verdict || "none";
    const after = before === verdict ? "none" : verdict;
    this.#show(study, after);
    try {
      await api.judge({ query_id: this.query, study, verdict: after });
    } catch (error) {
      this.#show(study, before);
      this.onProblem(error);
    }
  }

  #show(study, verdict) {
    for (const button of this.groups.get(study)?.children || []) press(button, button.dataset.verdict === verdict);
  }
}
