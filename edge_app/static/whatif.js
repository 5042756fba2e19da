// What would be found if a region looked otherwise: which cases fall out, which come in, what the vote becomes.

import * as api from "./api.js";
import { node, press, pressed } from "./dom.js";
import { chance } from "./words.js";

const KINDS = { blanked: "Blank", mirrored: "Mirrored" };
const WHY = "The image is encoded again with the region black, or mirrored as a whole. Evidence that stays as it was did not rest on the region.";

// A case that is known by its name alone.
const stranger = (study) => ({ study, rank: "", score: 0, probability: null, stated: [], sentences: [], box: null });

const worth = (probability) => (probability == null ? "none" : chance(probability));

export class WhatIf {
  // `onAlter(alteration, signal)` asks the server; `cases(label, neighbours, place)` makes a row of cases.
  constructor({ place, onAlter, cases }) {
    Object.assign(this, { place, onAlter, cases });
    this.root = node("div", "what-if");
    const row = this.root.appendChild(node("div", "row"));
    row.setAttribute("role", "group");
    const label = row.appendChild(node("span", "hint", "What if this region were"));
    row.setAttribute("aria-label", `What if the ${place.region} were blank or mirrored`);
    label.title = WHY;
    this.buttons = Object.entries(KINDS).map(([kind, name]) => this.#button(row, kind, name));
    // As high while it is asked for as once it is answered, so that nothing below moves.
    this.told = this.root.appendChild(node("div", "what-if-told"));
    this.told.setAttribute("role", "status");
    this.told.tabIndex = 0;
    this.told.hidden = true;
  }

  #button(row, kind, name) {
    const button = row.appendChild(node("button", "", name));
    button.type = "button";
    button.dataset.alteration = kind;
    button.title = WHY;
    press(button, false);
    button.addEventListener("click", () => (pressed(button) ? this.stop() : this.#ask(button, kind)));
    return button;
  }

  // End what is asked, and show nothing.
  stop() {
    this.asking?.abort();
    this.asking = null;
    this.told.hidden = true;
    for (const button of this.buttons) press(button, false);
  }

  async #ask(button, kind) {
    this.stop();
    const asking = (this.asking = new AbortController());
    press(button, true);
    this.told.hidden = false;
    this.told.replaceChildren(node("p", "hint", "Looking at the altered image … Press again to stop."));
    try {
      const { changes } = await this.onAlter(kind, asking.signal);
      if (this.asking === asking) this.#show(changes[0]);
    } catch (error) {
      if (this.asking !== asking || error.name === "AbortError") return;
      this.told.replaceChildren(node("p", "bad", error instanceof api.Problem ? error.sentence : `This page failed: ${error.message}`));
    }
  }

  #show(change) {
    if (!change) {
      this.told.replaceChildren(node("p", "hint", "This place cannot be altered."));
      return;
    }
    const known = new Map([...this.place.neighbours, ...change.place.neighbours].map((one) => [one.study, one]));
    const of = (studies) => studies.map((study) => known.get(study) || stranger(study));
    const parts = [this.#vote(change)];
    const stay = change.compared - change.lost.length;
    parts.push(node("p", "hint", `${stay} of ${change.compared} nearest cases stay.`));
    if (change.lost.length) parts.push(this.#row("out", "Fall out", of(change.lost), this.place));
    if (change.come.length) parts.push(this.#row("in", "Come in", of(change.come), change.place));
    this.told.replaceChildren(...parts);
  }

  #row(name, label, neighbours, place) {
    const row = this.cases(label, neighbours, place);
    row.dataset.row = name;
    return row;
  }

  // What the strongest vote becomes, and what counts as present then.
  #vote({ finding, before, after, probability_before, probability_after }) {
    const line = node("p", "what-if-vote");
    if (finding && probability_before != null) line.append(node("b", "", finding), ` ${worth(probability_before)} → ${worth(probability_after)}. `);
    if (after === before) line.append(after ? `Still ${after}.` : "Nothing is stated, as before.");
    else line.append(after ? `Then ${after} is stated.` : "Then nothing is stated.");
    return line;
  }
}
