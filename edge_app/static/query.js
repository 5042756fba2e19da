// The query image: chosen from the worklist or opened as a file, and what is marked on it.

import * as api from "./api.js";
import { $ } from "./dom.js";
import { bringBackMarks, keepMarks } from "./marks.js";
import { GreyImage } from "./pixels.js";
import { fillReport } from "./report.js";
import { who } from "./words.js";

export class Query {
  // `onChange` is called when the question is another one; `onChoose` when the image is; `onPicture` when all of it is there.
  constructor({ question, viewer, picker, onChange, onChoose, onPicture, onProblem }) {
    Object.assign(this, { question, viewer, picker, onChange, onChoose, onPicture, onProblem });
    this.shown = null; // what is known of the image: { width, height, boxes, … }
    this.searched = []; // where the model saw the searched regions, after a search
    this.held = null; // the drawn box that the arrow keys move
    this.wanted = null; // stands for the latest choice: an earlier one that is slower is dropped
    viewer.addEventListener("pick", ({ detail }) => this.#pick(detail.key.replace(/^searched /, "")));
    viewer.addEventListener("draw", ({ detail }) => this.addBox(detail.box));
    viewer.addEventListener("edit", ({ detail }) => this.changeBox(detail.key, detail.box));
    viewer.addEventListener("remove", ({ detail }) => this.removeBox(detail.key));
    viewer.addEventListener("hover", ({ detail }) => picker.setHover(detail.key));
  }

  get source() {
    return this.question.source;
  }

  #pick(key) {
    if (!key.startsWith("drawn-")) return this.toggle(key);
    this.held = this.held === key ? null : key;
    this.refresh();
  }

  toggle(region) {
    this.question.toggle(region);
    this.changed();
  }

  addBox(box) {
    this.held = this.question.addBox(box).key;
    this.changed();
  }

  // A box in the middle, for who has no mouse.
  addBoxInTheMiddle() {
    if (!this.shown) return;
    const { width, height } = this.shown;
    this.addBox([width * 0.4, height * 0.4, width * 0.6, height * 0.6]);
  }

  changeBox(key, box) {
    this.question.changeBox(key, box);
    this.changed();
  }

  removeBox(key) {
    this.question.removeBox(key);
    if (this.held === key) this.held = null;
    this.changed();
  }

  get heldBox() {
    return this.question.drawn.find((one) => one.key === this.held);
  }

  changed() {
    this.searched = [];
    this.refresh();
    this.onChange();
  }

  setSearched(boxes) {
    this.searched = boxes;
    this.refresh();
  }

  refresh() {
    const { question, shown } = this;
    const boxes = [];
    if (shown) {
      for (const { region, box, score } of shown.boxes) {
        const chosen = question.selected.has(region);
        boxes.push({ key: region, box, label: chosen || score == null ? region : `${region} ${Math.round(score * 100)}%`, kind: chosen ? "selected" : "quiet" });
      }
      for (const { region, box } of this.searched) if (!question.selected.has(region)) boxes.push({ key: `searched ${region}`, box, label: region, kind: "match" });
      question.drawn.forEach(({ key, box }, at) => boxes.push({ key, box, label: `box ${at + 1}`, kind: "drawn", held: key === this.held }));
      this.viewer.presetBox = this.#presetBox();
    }
    this.viewer.setBoxes(boxes);
    this.picker.show(question.selected, question.drawn, this.held);
    question.save();
    if (shown) keepMarks(question);
  }

  // The box in hand, or the first place chosen, in parts of the image.
  #presetBox() {
    const { width, height } = this.shown;
    const chosen = this.shown.boxes.find(({ region }) => this.question.selected.has(region));
    const box = (this.heldBox || this.question.drawn[0] || chosen)?.box;
    return box && [box[0] / width, box[1] / height, box[2] / width, box[3] / height];
  }

  async choose(source, { asAsked = false, known = null } = {}) {
    const { question } = this;
    this.wanted = source;
    question.source = source;
    if (!asAsked) bringBackMarks(question);
    this.held = null;
    try {
      const isStudy = source.kind === "study";
      const [shown, image] = await Promise.all([known || api.source(source), isStudy ? GreyImage.fromServer(source) : GreyImage.quickly(source)]);
      if (question.source !== source) return;
      this.shown = shown;
      $("query-title").textContent = [isStudy ? shown.patient : shown.file_name, who(shown), ...shown.flags].filter(Boolean).join(" · ");
      $("query-title").title = $("query-title").textContent;
      fillReport($("query-report").querySelector(".text"), isStudy ? shown.report : "", [], isStudy ? undefined : "An opened file comes without a report.");
      $("query-report").open = false;
      this.picker.setScores(shown.boxes);
      this.changed();
      this.onChoose(source, shown, asAsked);
      // An upload has its full size, some 20 MB: its picture comes first, and may be asked about.
      await this.viewer.load([() => image, ...(isStudy ? [] : [() => GreyImage.fromServer(source)])], shown);
      if (question.source === source) this.onPicture();
    } catch (error) {
      if (question.source !== source) return;
      this.forget();
      this.onProblem(error);
    }
  }

  forget() {
    this.question.source = null;
    this.shown = null;
    this.viewer.clear();
    this.refresh();
  }

  async upload(file) {
    this.wanted = file;
    try {
      const read = await api.encode(file);
      if (this.wanted === file) await this.choose({ kind: "upload", id: read.upload }, { known: read });
    } catch (error) {
      if (this.wanted === file) this.onProblem(error);
    }
  }
}
