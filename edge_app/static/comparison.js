// A case beside the query: its picture, its report, and the two pictures moved together.

import * as api from "./api.js";
import { alignment } from "./align.js";
import { $, press, pressed } from "./dom.js";
import { GreyImage } from "./pixels.js";
import { fillReport } from "./report.js";
import { chance, percent, place, who } from "./words.js";

// What both pictures share, whichever was touched.
const TOGETHER = ["turn", "mirror", "fit", "reset", "widen", "lift", "invert"];

// Presets that mean the same on every picture.
const COMMON = /^(default|full|lungs|mediastinum|bones)$/;

export class Comparison {
  constructor({ queryViewer, caseViewer, query, onProblem }) {
    Object.assign(this, { queryViewer, caseViewer, query, onProblem });
    this.opened = null; // the study beside the query
    this.toCase = null; // from points of the query to points of the case
    $("toggle-link").addEventListener("click", () => {
      press($("toggle-link"), !pressed($("toggle-link")));
      this.#point(null, queryViewer, caseViewer);
    });
    this.#follow(queryViewer, caseViewer, false);
    this.#follow(caseViewer, queryViewer, true);
  }

  get linked() {
    return pressed($("toggle-link")) && this.toCase && this.caseViewer.image;
  }

  // The other viewer does as this one did, about the same place of the chest.
  #follow(leader, follower, back) {
    leader.addEventListener("change", ({ detail }) => {
      if (!this.linked) return;
      const shared = Object.fromEntries(TOGETHER.filter((name) => detail[name] !== undefined).map((name) => [name, detail[name]]));
      if (COMMON.test(detail.preset)) shared.preset = detail.preset;
      if (detail.zoom) Object.assign(shared, { zoom: detail.zoom, at: this.toCase(detail.at, back) });
      if (detail.pan) shared.pan = detail.pan.map((part) => (part * follower.view.fitScale * follower.view.extent.height) / (leader.view.fitScale * leader.view.extent.height));
      follower.apply(shared);
    });
    leader.addEventListener("point", ({ detail }) => this.#point(detail.at, leader, follower, back));
  }

  #point(at, leader, follower, back) {
    leader.setCursor(null);
    const { width, height } = leader.view.size;
    const inside = at && at[0] >= 0 && at[1] >= 0 && at[0] < width && at[1] < height;
    follower.setCursor(this.linked && inside ? this.toCase(at, back) : null);
  }

  async openHit(hit) {
    const best = hit.regions[0];
    const sure = hit.probability == null ? hit.score.toFixed(3) : percent(hit.probability);
    const title = [`${hit.rank}`, best?.finding, best && place(best), sure, hit.patient, who(hit)];
    const boxes = hit.regions.filter((match) => match.box).map((match) => ({
      key: match.region, box: match.box, kind: "match", label: [match.region, match.finding].filter(Boolean).join(" · "),
    }));
    await this.#open(hit.study, title, boxes, hit.sentences);
  }

  // A case that votes in a place.
  async openNeighbour(neighbour, place) {
    const { study, stated, box, sentences, probability } = neighbour;
    const where = place.region || "whole image";
    const label = [where, stated[0]].filter(Boolean).join(" · ");
    const title = [`#${neighbour.rank} ${where}`, stated.join(", ") || "no finding stated here", probability == null ? "" : chance(probability), study];
    await this.#open(study, title, box ? [{ key: where, box, kind: "match", label }] : [], sentences);
  }

  async openPrior(study) {
    await this.#open(study.study, ["Same patient", study.patient, who(study)], [], []);
  }

  async #open(study, title, boxes, sentences) {
    this.opened = study;
    document.body.classList.add("comparing");
    this.queryViewer.quietHidden = true;
    this.queryViewer.draw();
    $("hit-title").textContent = title.filter(Boolean).join(" · ");
    $("hit-title").title = $("hit-title").textContent;
    for (const id of ["query-report", "hit-report"]) $(id).open = true;
    try {
      const source = { kind: "study", id: study };
      this.caseViewer.setBoxes([]);
      const [record, image] = await Promise.all([api.study(study), GreyImage.fromServer(source)]);
      if (this.opened !== study) return;
      await this.caseViewer.load([() => image], record);
      if (this.opened !== study) return;
      fillReport($("hit-report").querySelector(".text"), record.report, sentences);
      $("hit-report").querySelector("mark")?.scrollIntoView({ block: "nearest" });
      const { shown } = this.query();
      this.toCase = shown ? alignment(shown, record) : null;
      this.caseViewer.setBoxes(boxes);
    } catch (error) {
      this.onProblem(error);
    }
  }

  close() {
    this.opened = null;
    this.toCase = null;
    document.body.classList.remove("comparing");
    this.queryViewer.quietHidden = false;
    this.queryViewer.setCursor(null);
    this.caseViewer.clear();
  }
}
