// One retrieved case: its picture with the matched box, what it shows where, how sure, and its report.

import * as api from "./api.js";
import { drawn, icon, node } from "./dom.js";
import { drawThumbBox } from "./overlay.js";
import { fillReport } from "./report.js";
import { misfit, percent, place, who } from "./words.js";

const SURE = "The probability that the case shares the finding here, and the similarity behind it. Measured on the cases its model was calibrated with.";
const UNSURE = "Cosine similarity; with a region, less half of the likeness to how it usually looks. Not calibrated: how sure it makes is not known.";

// A finding that the report puts elsewhere must not read as one of the searched region.
function findingOf(hit) {
  const conditioned = hit.regions.some((match) => match.region);
  const here = hit.regions.map((match) => match.finding).find(Boolean);
  if (!conditioned) return { finding: hit.findings[0] || "no finding stated", elsewhere: "" };
  return { finding: here || "no finding stated here", elsewhere: !here && hit.findings.length ? `elsewhere: ${hit.findings[0]}` : "" };
}

export function thumb(study, boxes, { width, height }, rank) {
  const made = node("span", "thumb");
  const image = made.appendChild(node("img"));
  image.alt = "";
  image.loading = "lazy";
  image.decoding = "async";
  image.src = api.studyImage(study, 248);
  const svg = made.appendChild(drawn("svg"));
  for (const box of boxes) drawThumbBox(svg, box, width, height);
  if (rank) made.append(node("span", "rank", String(rank)));
  return made;
}

export function hitCard(hit, { onOpen, feedback }) {
  const best = hit.regions[0];
  const { finding, elsewhere } = findingOf(hit);
  const sure = hit.probability;
  const item = node("li", "hit");
  item.dataset.study = hit.study;
  const open = item.appendChild(node("button", "open"));
  open.type = "button";
  open.addEventListener("click", () => onOpen(hit));
  open.setAttribute("aria-label", `Case ${hit.rank}: ${finding}, ${best ? place(best) : ""}, ${sure == null ? `similarity ${hit.score.toFixed(2)}` : `${percent(sure)} sure`}. Compare side by side.`);
  open.append(thumb(hit.study, hit.regions.map((match) => match.box).filter(Boolean), hit, hit.rank));

  const body = open.appendChild(node("span", "body"));
  body.append(node("span", "finding", finding));
  for (const match of hit.regions.slice(0, 3)) {
    const extra = !match.finding || match.finding === finding ? "" : ` · ${match.finding}`;
    body.append(node("span", "where", `${place(match)}${extra}`));
  }
  if (misfit(hit) || elsewhere) body.append(node("span", "meta misfit", misfit(hit) || elsewhere));
  body.append(scoreLine(hit));
  if (hit.sentences.length) body.append(node("blockquote", "", hit.sentences[0]));
  body.append(node("span", "meta", who(hit)), node("span", "meta", hit.patient));

  const foot = item.appendChild(node("div", "hit-foot"));
  const report = foot.appendChild(node("details"));
  const summary = report.appendChild(node("summary", "", "Report"));
  summary.prepend(icon("report"));
  fillReport(report.appendChild(node("div", "text")), hit.report, hit.sentences);
  if (feedback.query) foot.append(feedback.buttons(hit));
  return item;
}

function scoreLine(hit) {
  const sure = hit.probability;
  const score = node("span", "score");
  const bar = score.appendChild(node("i"));
  bar.style.setProperty("--part", percent(Math.max(0, Math.min(1, sure ?? hit.score))));
  score.append(node("span", "", hit.score.toFixed(3)));
  if (sure != null) score.append(node("b", "", percent(sure)));
  score.title = sure == null ? UNSURE : SURE;
  return score;
}
