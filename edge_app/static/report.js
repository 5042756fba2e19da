// Report text with the sentences that matter marked.

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
    node.textContent = report;
    return;
  }
  const finder = new RegExp(wanted.map(pattern).join("|"), "g");
  let end = 0;
  for (const found of report.matchAll(finder)) {
    node.append(report.slice(end, found.index));
    const mark = document.createElement("mark");
    mark.textContent = found[0];
    node.append(mark);
    end = found.index + found[0].length;
  }
  node.append(report.slice(end));
}
