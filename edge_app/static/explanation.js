// Evidence and draft of the answered question, asked for when one of their tabs is opened.

import { Accepting } from "./accepting.js";
import * as api from "./api.js";
import { $ } from "./dom.js";
import { DraftPanel } from "./draft.js";
import { EvidencePanel } from "./evidence.js";
import { readEvents } from "./events.js";

const OURS = ["tab-evidence", "tab-draft"];
const FIRST = "Search first: evidence and draft are about the cases of an answer.";

export class Explanation {
  // `onOpen(neighbour, place)` opens a case, `onPoint(regions)` shows places on the query image.
  constructor({ tabs, onOpen, onPoint }) {
    this.onOpen = onOpen;
    this.evidence = new EvidencePanel({
      root: $("evidence"),
      status: $("evidence-status"),
      onOpen,
      onPoint,
      onAlter: (region, alteration, signal) => api.alterations({ query: this.body, regions: [region], alterations: [alteration] }, signal),
    });
    this.draft = new DraftPanel({
      root: $("draft"),
      status: $("draft-status"),
      onOpen: (study, region) => this.#openCited(study, region),
      onPoint: (regions, studies) => {
        onPoint(regions);
        this.#cite(studies);
      },
      onChange: () => this.#stop(), // what the reader has begun to change is not written over
    });
    this.accepting = new Accepting({ panel: this.draft, onProblem: (error) => this.#fail(error, this.draft) });
    tabs.addEventListener("show", ({ detail }) => OURS.includes(detail) && this.#load());
    this.clear();
  }

  clear(text = FIRST) {
    this.#stop();
    this.asking?.abort();
    this.body = this.asking = this.found = null;
    this.evidence.clear(text);
    this.draft.clear(text);
    this.accepting.begin(null);
  }

  // The question with this body has been answered.
  answered(body) {
    this.clear("");
    this.body = body;
  }

  // Both tell of an older question than the one now on the page; the draft is still that question's to accept.
  setStale() {
    if (!this.found) {
      this.clear();
      return;
    }
    for (const panel of [this.evidence, this.draft]) {
      if (panel.root.classList.contains("stale")) continue;
      panel.root.classList.add("stale");
      panel.say("The query has changed. This is about the one before; search again for another.");
    }
  }

  setCurrent(study) {
    this.evidence.setCurrent(study);
    this.draft.setCurrent(study);
  }

  async #load() {
    if (!this.body || this.asking) return;
    const asking = (this.asking = new AbortController());
    for (const panel of [this.evidence, this.draft]) panel.say("Weighing the evidence …");
    try {
      const found = await api.explain(this.body, asking.signal);
      if (this.asking !== asking) return;
      this.found = found;
      this.evidence.show(found.evidence);
      this.#show(found.draft);
      if (found.language_model) this.#write(found.language_model);
    } catch (error) {
      if (this.asking !== asking) return;
      this.asking = null;
      for (const panel of [this.evidence, this.draft]) this.#fail(error, panel);
    }
  }

  #show(draft) {
    this.draft.show(draft, (study, region) => this.#known(study, region)?.neighbour);
    this.accepting.begin(this.body);
  }

  // The template's draft stands while a language model words another.
  async #write(model) {
    const writing = (this.writing = new AbortController());
    this.draft.writing(model, () => this.#stop());
    try {
      const response = await api.draft(this.body, writing.signal);
      await readEvents(response, (name, data) => {
        if (this.writing !== writing) return;
        if (name === "text") this.draft.add(data.text);
        if (name === "draft") this.#show(data);
        if (name === "error") this.draft.say(data.detail, true);
      });
    } catch (error) {
      if (this.writing === writing) this.#fail(error, this.draft);
    } finally {
      if (this.writing === writing) this.#end();
    }
  }

  // Closing the connection stops the model.
  #stop() {
    if (!this.writing) return;
    const { writing } = this;
    this.#end();
    writing.abort();
    this.draft.say("The language model was stopped; the template’s draft stands.");
  }

  #end() {
    this.writing = null;
    this.draft.stopWriting();
  }

  #fail(error, panel) {
    if (error.name === "AbortError") return;
    panel.say(error instanceof api.Problem ? error.sentence : `This page failed: ${error.message}`, true);
  }

  // A neighbour by its study, in one place or wherever it is one.
  #known(study, region) {
    for (const place of this.found.evidence.places) {
      if (region && place.region !== region) continue;
      const neighbour = place.neighbours.find((one) => one.study === study);
      if (neighbour) return { neighbour, place };
    }
    return region ? this.#known(study, null) : null;
  }

  #openCited(study, region) {
    const known = this.#known(study, region);
    if (known) this.onOpen(known.neighbour, known.place);
  }

  // The cases cited, in the draft's list and among the answer's.
  #cite(studies) {
    this.draft.setCited(studies);
    for (const card of document.querySelectorAll("#hits .hit")) card.classList.toggle("cited-hit", studies.includes(card.dataset.study));
  }
}
