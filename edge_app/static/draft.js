// The preliminary report: each sentence can be changed, shows what it rests on, and where it is on the images.

import { thumb } from "./card.js";
import { icon, iconButton, node } from "./dom.js";
import { chance, count } from "./words.js";

const SECTIONS = ["findings", "impression"];
const SHOWN_REGIONS = 2;

// A field that takes plain text alone, where the browser knows such a thing.
function words(text, label) {
  const field = node("span", "words sentence", text);
  field.setAttribute("role", "textbox");
  field.setAttribute("aria-label", label);
  field.dataset.drafted = text;
  setEditable(field, true);
  return field;
}

function setEditable(field, on) {
  field.setAttribute("contenteditable", on ? "plaintext-only" : "false");
  if (on && field.contentEditable !== "plaintext-only") field.contentEditable = "true";
}

export class DraftPanel {
  // `onOpen(study, region)` opens a case, `onPoint(regions, studies)` shows places and cases, `onChange()` is told of edits.
  constructor({ root, status, onOpen, onPoint, onChange }) {
    Object.assign(this, { root, status, onOpen, onPoint, onChange });
    this.clear("");
    root.addEventListener("input", ({ target }) => {
      target.closest(".said")?.classList.toggle("edited", target.textContent.trim() !== target.dataset.drafted);
      this.onChange();
    });
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches(".words")) return;
      event.preventDefault(); // a sentence has no line breaks
      event.target.blur();
    });
  }

  say(text, bad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", bad);
  }

  clear(text) {
    this.draft = null;
    this.root.classList.remove("stale", "accepted");
    this.root.replaceChildren();
    this.say(text);
  }

  get edited() {
    return Boolean(this.root.querySelector(".said.edited"));
  }

  // The plain report as it stands now, as the server writes it.
  get report() {
    const parts = SECTIONS.map((section) => {
      const texts = [...this.root.querySelectorAll(`[data-section="${section}"] .words`)].map((field) => field.textContent.trim().replace(/\s+/g, " ")).filter(Boolean);
      return texts.length ? `${section.toUpperCase()}: ${texts.join(" ")}` : "";
    });
    return parts.filter(Boolean).join("\n\n");
  }

  // `cases` finds what is known of a cited case: (study, region) to a neighbour.
  show(draft, cases) {
    this.clear("");
    this.draft = draft;
    this.numbers = new Map(draft.cases.map((study, at) => [study, at + 1]));
    const [mark, ...rest] = draft.status.split(": ");
    const banner = node("p", "preliminary");
    banner.append(node("b", "", mark), ` ${rest.join(": ")}`);
    this.root.append(banner, ...SECTIONS.map((section) => this.#section(section)), ...this.#cited(cases), ...this.#remarks());
    this.root.scrollTop = 0;
    const writer = draft.writer === "template" ? "In fixed words (template)" : `In the words of ${draft.writer}, each sentence checked`;
    this.say(`${writer}. Click a sentence to see where it is, a number to see its case. What you change is yours.`);
  }

  // A language model writes: what it says is unchecked until it has ended.
  writing(model, onStop) {
    this.stopWriting();
    const box = (this.live = node("div", "writing"));
    const line = box.appendChild(node("div", "row"));
    line.append(node("span", "", `${model} is writing; unchecked until it ends.`));
    const stop = line.appendChild(node("button", "", "Stop"));
    stop.type = "button";
    stop.addEventListener("click", onStop);
    this.stream = box.appendChild(node("div", "stream"));
    this.root.querySelector(".preliminary").after(box);
  }

  add(text) {
    this.stream.append(text);
    this.stream.scrollTop = this.stream.scrollHeight;
  }

  stopWriting() {
    this.live?.remove();
    this.live = this.stream = null;
  }

  // Nothing more is changed once a person has accepted it.
  setAccepted(accepted) {
    this.root.classList.toggle("accepted", Boolean(accepted));
    const banner = this.root.querySelector(".preliminary");
    if (banner && accepted) banner.replaceChildren(node("b", "", "ACCEPTED"), ` by ${accepted.name}, ${accepted.organization}${accepted.edited ? ", with changes" : ""}`);
    for (const field of this.root.querySelectorAll(".words")) setEditable(field, !accepted);
    for (const button of this.root.querySelectorAll(".remove, .add")) button.hidden = Boolean(accepted);
  }

  #section(section) {
    const part = node("section", "draft-section");
    part.dataset.section = section;
    part.append(node("h3", "", section));
    for (const sentence of this.draft.sentences.filter((one) => one.section === section)) part.append(this.#sentence(sentence));
    const add = part.appendChild(node("button", "ghost add", "Add a sentence"));
    add.type = "button";
    add.addEventListener("click", () => {
      const own = this.#sentence({ section, text: "", probability: null, citations: [] });
      own.classList.add("own");
      add.before(own);
      own.querySelector(".words").focus();
    });
    return part;
  }

  #sentence(sentence) {
    const row = node("div", "said");
    const line = row.appendChild(node("p"));
    line.append(words(sentence.text, `Sentence of the ${sentence.section}`));
    const regions = [...new Set(sentence.citations.filter((one) => one.box).map((one) => one.region))];
    const cited = sentence.citations.filter((one) => one.study);
    const marks = line.appendChild(node("span", "cites"));
    for (const { study, region } of cited) marks.append(this.#mark(String(this.numbers.get(study)), `Case ${this.numbers.get(study)}: compare side by side`, [region].filter(Boolean), study, () => this.onOpen(study, region)));
    if (regions.length) {
      const name = regions.length > SHOWN_REGIONS ? count(regions.length, "region") : regions.join(", ");
      marks.append(this.#mark(name, `On this image: ${regions.join(", ")}`, regions, null, () => this.onPoint(regions, [])));
    }
    if (sentence.probability != null) marks.append(node("span", "hint", chance(sentence.probability)));
    const remove = row.appendChild(iconButton("close", "Remove this sentence", "remove"));
    remove.addEventListener("click", () => {
      row.remove();
      this.onChange();
    });
    line.addEventListener("pointerenter", () => this.onPoint(regions, cited.map((one) => one.study)));
    line.addEventListener("pointerleave", () => this.onPoint([], []));
    return row;
  }

  #mark(text, label, regions, study, onClick) {
    const button = node("button", study ? "cite" : "cite on-image", study ? text : "");
    button.type = "button";
    if (!study) button.append(icon("regions"), ` ${text}`);
    if (study) button.dataset.study = study;
    button.title = label;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      onClick();
    });
    const point = () => this.onPoint(regions, study ? [study] : []);
    button.addEventListener("focus", point);
    button.addEventListener("pointerenter", point);
    button.addEventListener("blur", () => this.onPoint([], []));
    return button;
  }

  #cited(cases) {
    if (!this.draft.cases.length) return [];
    const list = node("ol", "cited");
    list.setAttribute("aria-label", "Cases that the draft cites");
    for (const study of this.draft.cases) {
      const found = cases(study, null);
      const item = list.appendChild(node("li", "cited-case"));
      item.dataset.study = study;
      const open = item.appendChild(node("button", "open"));
      open.type = "button";
      const text = node("span");
      text.append(node("b", "", found?.stated.join(", ") || "no finding stated here"), node("span", "", found?.sentences[0] || ""), node("span", "meta", study));
      open.append(thumb(study, [], { width: 1, height: 1 }, this.numbers.get(study)), text);
      open.addEventListener("click", () => this.onOpen(study, null));
    }
    return [node("h3", "", "Cited cases"), list];
  }

  #remarks() {
    const remarks = this.draft.notes.map((note) => node("p", "hint note", note));
    if (this.draft.dropped.length) {
      const box = node("details", "dropped");
      box.append(node("summary", "", `${count(this.draft.dropped.length, "sentence")} dropped: the evidence does not bear them`));
      for (const { text, problems } of this.draft.dropped) box.append(node("p", "hint", `“${text}”: ${problems[0].fault}`));
      remarks.push(box);
    }
    return remarks;
  }

  // The cases that a sentence under the pointer rests on.
  setCited(studies) {
    for (const one of this.root.querySelectorAll(".cited-case, .cite[data-study]")) one.classList.toggle("on", studies.includes(one.dataset.study));
  }

  setCurrent(study) {
    for (const one of this.root.querySelectorAll(".cited-case")) one.classList.toggle("current", one.dataset.study === study);
  }
}
