// The ranked cases.

import * as api from "./api.js";
import { drawThumbBox } from "./overlay.js";
import { fillReport } from "./report.js";

export function node(tag, classes = "", text = "") {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

// "right" is said already where the region's name begins with it.
export function place(match) {
  if (!match.region) return "whole image";
  const said = match.region.startsWith("right ") || match.region.startsWith("left ");
  return said || !match.laterality ? match.region : `${match.region} · ${match.laterality}`;
}

export function percent(part) {
  return `${Math.round(part * 100)}%`;
}

// What the case's report states where, or as, it was not asked for.
function misfit(hit) {
  const found = hit.regions.map((match) => match.mismatch).find(Boolean);
  return found ? `${found.kind}: ${found.finding}${found.region ? ` in ${found.region}` : ""}` : "";
}

// Of a stored study the study itself is set apart; only its patient's others are worth a word.
function apart(result) {
  return result.set_apart > 1 ? ` ${result.set_apart - 1} of the same patient set apart.` : "";
}

export function who(record) {
  return [record.sex, record.age == null ? "" : `${Math.round(record.age)} y`, record.view === "UNKNOWN" ? "" : record.view, record.date].filter(Boolean).join(" · ");
}

export class Results {
  constructor({ list, status, more, onOpen, onMore }) {
    this.list = list;
    this.status = status;
    this.more = more;
    this.onOpen = onOpen;
    more.addEventListener("click", onMore);
    this.hits = [];
    list.addEventListener("keydown", (event) => this.#arrows(event));
  }

  say(text, bad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", bad);
  }

  clear(text) {
    this.hits = [];
    this.more.hidden = true;
    this.list.replaceChildren();
    this.list.classList.remove("stale");
    this.say(text);
  }

  // The list answers an older question than the one now on the page.
  setStale() {
    if (!this.hits.length || this.list.classList.contains("stale")) return;
    this.list.classList.add("stale");
    this.more.hidden = true;
    this.say("The query has changed. Search again to update these cases.");
  }

  show(result) {
    this.hits = result.hits;
    this.list.classList.remove("stale");
    const where = result.regions.length ? `in ${result.regions.join(", ")}` : "over the whole image";
    if (!result.hits.length) this.say(`No case found ${where}.`);
    else if (result.abstained) this.say(`No sufficiently similar case ${where}${result.calibrated ? `: none reaches ${percent(result.abstain_below)}` : ""}. The nearest are shown, but do not count as matches.`);
    else this.say(`${result.hits.length} cases, compared ${where}. Best first. ${Math.round(result.took_ms)} ms.${apart(result)}`);
    this.list.replaceChildren(...result.hits.map((hit) => this.#card(hit)));
    this.list.scrollTop = 0;
    this.more.hidden = !result.more;
  }

  // The next page, below those shown.
  add(result) {
    this.hits = [...this.hits, ...result.hits];
    const cards = result.hits.map((hit) => this.#card(hit));
    this.list.append(...cards);
    this.more.hidden = !result.more;
    cards[0]?.querySelector("button").focus();
  }

  setCurrent(study) {
    for (const item of this.list.children) {
      const current = item.dataset.study === study;
      item.toggleAttribute("aria-current", false);
      if (current) {
        item.setAttribute("aria-current", "true");
        item.scrollIntoView({ block: "nearest" });
      }
    }
  }

  #card(hit) {
    const best = hit.regions[0];
    const item = node("li", "hit");
    item.dataset.study = hit.study;
    const open = item.appendChild(node("button"));
    open.type = "button";
    open.addEventListener("click", () => this.onOpen(hit));
    // A finding that the report puts elsewhere must not read as one of the searched region.
    const conditioned = hit.regions.some((match) => match.region);
    const here = hit.regions.map((match) => match.finding).find(Boolean);
    const finding = conditioned ? here || "no finding stated here" : hit.findings[0] || "no finding stated";
    open.setAttribute("aria-label", `Case ${hit.rank}: ${finding}, ${best ? place(best) : ""}, ${hit.probability == null ? `similarity ${hit.score.toFixed(2)}` : `${percent(hit.probability)} sure`}. Compare side by side.`);

    const thumb = open.appendChild(node("span", "thumb"));
    const image = thumb.appendChild(node("img"));
    image.alt = "";
    image.loading = "lazy";
    image.src = api.studyImage(hit.study, 248);
    const svg = thumb.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    for (const match of hit.regions) if (match.box) drawThumbBox(svg, match.box, hit.width, hit.height);
    thumb.append(node("span", "rank", String(hit.rank)));

    const body = open.appendChild(node("span", "body"));
    body.append(node("span", "finding", finding));
    for (const match of hit.regions.slice(0, 3)) {
      const extra = !match.finding || match.finding === finding ? "" : ` · ${match.finding}`;
      body.append(node("span", "where", `${place(match)}${extra}`));
    }
    const elsewhere = conditioned && !here && hit.findings.length ? `elsewhere: ${hit.findings[0]}` : "";
    if (misfit(hit) || elsewhere) body.append(node("span", "meta misfit", misfit(hit) || elsewhere));
    const score = body.appendChild(node("span", "score"));
    const bar = score.appendChild(node("i"));
    const sure = hit.probability;
    bar.style.setProperty("--part", percent(Math.max(0, Math.min(1, sure ?? hit.score))));
    score.append(node("span", "", hit.score.toFixed(3)));
    if (sure != null) score.append(node("b", "", percent(sure)));
    score.title = sure == null
      ? "Cosine similarity; with a region, less half of the likeness to how it usually looks. Not calibrated: how sure it makes is not known."
      : "Similarity, and the probability that the case shares the finding here, as measured on synthetic cases";
    if (hit.sentences.length) body.append(node("blockquote", "", hit.sentences[0]));
    body.append(node("span", "meta", [hit.patient, who(hit)].filter(Boolean).join(" · ")));

    const report = item.appendChild(node("details"));
    report.append(node("summary", "", "Report"));
    fillReport(report.appendChild(node("div", "text")), hit.report, hit.sentences);
    return item;
  }

  #arrows(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...this.list.querySelectorAll(":scope > li > button")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, at + step))].focus();
  }
}
