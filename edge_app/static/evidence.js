// Why these cases: for each place what its nearest cases state, against what the archive states there anyway.

import { thumb } from "./card.js";
import { node } from "./dom.js";
import { WhatIf } from "./whatif.js";
import { chance, count, percent } from "./words.js";

const STATED_FROM = 0.5;
const POSSIBLE_FROM = 0.25;
const SHOWN_CASES = 5;
const SHARE = "Share of the nearest cases that state it here, nearer ones counting more, against that of the whole archive.";

const strength = (vote) => vote.probability ?? Math.max(0, vote.beyond_chance);
const standing = (vote) => (strength(vote) >= STATED_FROM ? "stated" : strength(vote) >= POSSIBLE_FROM ? "possible" : "weak");
const nameOf = (place) => place.region || "whole image";

export class EvidencePanel {
  // `onOpen(neighbour, place)` opens a case, `onPoint(regions)` shows places on the query image, [] for none;
  // `onAlter(region, alteration, signal)` asks what changes when a region is altered.
  constructor({ root, status, onOpen, onPoint, onAlter }) {
    Object.assign(this, { root, status, onOpen, onPoint, onAlter });
    this.whatIfs = [];
  }

  say(text, bad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", bad);
  }

  clear(text) {
    this.#drop();
    this.root.replaceChildren();
    this.root.classList.remove("stale");
    this.say(text);
  }

  // What is being asked of places that are no longer shown.
  #drop() {
    for (const one of this.whatIfs.splice(0)) one.stop();
  }

  show(evidence) {
    this.#drop();
    const quiet = [];
    const told = [];
    for (const place of evidence.places) {
      const says = place.votes.some((vote) => standing(vote) !== "weak");
      (evidence.survey && !says ? quiet : told).push(place);
    }
    this.root.classList.remove("stale");
    this.root.replaceChildren(...told.map((place) => this.#place(place)), ...this.#quiet(quiet), this.#trust(evidence));
    this.root.scrollTop = 0;
    this.say(this.#summary(evidence, told));
  }

  #summary(evidence, told) {
    const looked = evidence.survey ? "every region was looked at" : told.map(nameOf).join(", ");
    if (evidence.abstained) return `Nothing is stated; ${looked}.`;
    const stated = told.filter((place) => place.votes.some((vote) => standing(vote) === "stated")).length;
    return evidence.survey ? `${count(stated, "region")} with a finding that the nearest cases state; ${looked}.` : `What the nearest cases state: ${looked}.`;
  }

  #place(place) {
    const section = node("section", "place");
    section.dataset.region = nameOf(place);
    const title = section.appendChild(node("h3", "", nameOf(place)));
    this.#points(section, place.region ? [place.region] : []);
    if (place.silence) title.after(node("p", "silence", `Nothing is stated: ${place.silence}.`));
    const shown = place.votes.filter((vote, at) => standing(vote) !== "weak" || at === 0);
    for (const vote of shown) section.append(this.#vote(vote, place));
    const others = place.votes.filter((vote) => !shown.includes(vote));
    if (others.length) section.append(node("p", "hint", `Also stated: ${others.map((vote) => `${vote.finding} ${chance(strength(vote))}`).join(", ")}`));
    if (place.sides) section.append(this.#sides(place.sides));
    if (place.rare.length) section.append(this.#rare(place));
    if (place.region && (place.drawn || place.box)) section.append(this.#whatIf(place));
    return section;
  }

  #vote(vote, place) {
    const item = node("div", `vote ${standing(vote)}`);
    item.dataset.finding = vote.finding;
    const line = item.appendChild(node("div", "vote-line"));
    line.append(node("b", "", vote.finding), node("span", "", vote.probability == null ? "not calibrated" : chance(vote.probability)));
    const bar = item.appendChild(node("i", "against-chance"));
    bar.style.setProperty("--part", percent(vote.share));
    bar.style.setProperty("--base", percent(vote.base_rate));
    const share = item.appendChild(node("p", "hint", `Stated by ${percent(vote.share)} here, by ${vote.base_rate < 0.1 ? `${(100 * vote.base_rate).toFixed(1)}%` : percent(vote.base_rate)} of the archive`));
    share.title = SHARE;
    const known = new Map(place.neighbours.map((one) => [one.study, one]));
    item.append(this.#cases("For", vote.for.map((study) => known.get(study)).filter(Boolean), place));
    const without = known.get(vote.nearest_without);
    if (without) item.append(this.#cases("Nearest without", [without], place));
    return item;
  }

  #cases(label, neighbours, place) {
    const row = node("div", "case-row");
    row.append(node("span", "hint", neighbours.length > SHOWN_CASES ? `${label} (${neighbours.length})` : label));
    for (const one of neighbours.slice(0, SHOWN_CASES)) row.append(this.#case(one, place));
    return row;
  }

  #case(neighbour, place) {
    const button = node("button", "case-chip");
    button.type = "button";
    button.dataset.study = neighbour.study;
    const said = neighbour.sentences[0] || "no sentence about it";
    button.setAttribute("aria-label", `Case ${neighbour.rank} of ${nameOf(place)}: ${said} Compare side by side.`);
    button.title = `#${neighbour.rank} ${neighbour.study}${neighbour.probability == null ? "" : ` · ${chance(neighbour.probability)}`}\n${said}`;
    button.append(thumb(neighbour.study, [], { width: 1, height: 1 }, neighbour.rank));
    button.addEventListener("click", () => this.onOpen(neighbour, place));
    return button;
  }

  #sides(sides) {
    const said = sides.agree ? `agree on ${sides.image || "no finding"}` : `disagree: ${sides.image || "no finding"} by image, ${sides.text || "no finding"} by report`;
    return node("p", `sides ${sides.agree ? "" : "apart"}`, `Images and reports ${said}. ${sides.shared} of ${sides.compared} nearest cases are the same.`);
  }

  #whatIf(place) {
    const made = new WhatIf({
      place,
      onAlter: (alteration, signal) => this.onAlter(place.region, alteration, signal),
      cases: (label, neighbours, where) => this.#cases(label, neighbours, where),
    });
    this.whatIfs.push(made);
    return made.root;
  }

  #rare(place) {
    const box = node("details", "rare");
    box.append(node("summary", "", `Rare findings, nearest cases (${place.rare.length})`));
    const row = box.appendChild(node("ul"));
    for (const { finding, case: neighbour } of place.rare) {
      const item = row.appendChild(node("li"));
      item.append(this.#case(neighbour, place), node("span", "", finding), node("span", "hint", neighbour.sentences[0] || ""));
    }
    return box;
  }

  // In a look at every region: those with nothing to say of come together.
  #quiet(places) {
    const reasons = new Map();
    for (const place of places) {
      const reason = place.silence || "no finding is likely";
      reasons.set(reason, [...(reasons.get(reason) || []), nameOf(place)]);
    }
    return [...reasons].map(([reason, names]) => {
      const box = node("details", "quiet-places");
      box.append(node("summary", "", `Nothing stated in ${count(names.length, "region")}: ${reason}`), node("p", "hint", names.join(", ")));
      this.#points(box, names);
      return box;
    });
  }

  #trust(evidence) {
    const votes = evidence.calibrated ? `What votes are worth was fitted on ${evidence.fitted_on}.` : "Votes are not calibrated: how sure they make is not known for such a query and bundle.";
    return node("p", "hint trust", `${votes} Shares are against the ${count(evidence.reports, "report")} of the archive.`);
  }

  #points(element, regions) {
    element.addEventListener("pointerenter", () => this.onPoint(regions));
    element.addEventListener("pointerleave", () => this.onPoint([]));
    element.addEventListener("focusin", () => this.onPoint(regions));
    element.addEventListener("focusout", () => this.onPoint([]));
  }

  setCurrent(study) {
    for (const chip of this.root.querySelectorAll(".case-chip")) {
      if (chip.dataset.study === study) chip.setAttribute("aria-current", "true");
      else chip.removeAttribute("aria-current");
    }
  }
}
