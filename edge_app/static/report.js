// Report text with the sentences that matter marked; each shows on a click where it is on the images.

import { clickable, sentencesOf } from "./ground.js";

function pattern(sentence) {
  const words = sentence.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return words.join("\\s+");
}

export function fillReport(node, report, sentences = [], absent = "No report was stored with this study.") {
  node.replaceChildren();
  if (!report) {
    node.textContent = absent;
    return;
  }
  const wanted = sentences.filter((sentence) => sentence.trim());
  if (!wanted.length) {
    addSentences(node, report);
    return;
  }
  const finder = new RegExp(wanted.map(pattern).join("|"), "g");
  let end = 0;
  for (const found of report.matchAll(finder)) {
    addSentences(node, report.slice(end, found.index));
    const mark = clickable(document.createElement("mark"));
    mark.textContent = found[0];
    node.append(mark);
    end = found.index + found[0].length;
  }
  addSentences(node, report.slice(end));
}

function addSentences(node, text) {
  for (const part of sentencesOf(text)) {
    const words = part.trim();
    if (!words) {
      node.append(part);
      continue;
    }
    const [before, after] = part.split(words);
    const sentence = clickable(document.createElement("span"));
    sentence.textContent = words;
    node.append(before, sentence, after);
  }
}
