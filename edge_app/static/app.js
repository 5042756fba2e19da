// The page: one question, one answer, one comparison.

import * as api from "./api.js";
import { Picker } from "./picker.js";
import { fillReport } from "./report.js";
import { Results, place, who } from "./results.js";
import { Question, nudged } from "./state.js";
import { Viewer } from "./viewer.js";
import { Worklist } from "./worklist.js";
import { bindKeys } from "./keys.js";

const $ = (id) => document.getElementById(id);
const question = new Question();
let shown = null; // what is known of the query image: { width, height, boxes, … }
let queryBoxes = []; // where the model saw the searched regions, after a search
let held = null; // the drawn box that the arrow keys move
let opened = null; // the hit side by side
let searching = null;

const queryViewer = new Viewer($("query-viewer"), { markable: true, empty: "Choose a study on the left, or open an X-ray.\nWords alone can be searched, too." });
const hitViewer = new Viewer($("hit-viewer"));
const results = new Results({ list: $("hits"), status: $("status"), more: $("more"), onOpen: compare, onMore: () => search(true) });
const picker = new Picker({ picker: $("picker"), chosen: $("chosen"), onToggle: toggle, onRemoveBox: removeBox, onHover: hoverRegion });
const worklist = new Worklist({
  list: $("studies"), search: $("study-search"), count: $("study-count"), label: $("page-label"), back: $("page-back"), next: $("page-next"),
  onChoose: (id) => choose({ kind: "study", id }), onProblem: complain,
});

function complain(error) {
  if (error.name === "AbortError") return;
  results.say(error instanceof api.Problem ? error.sentence : `This page failed: ${error.message}`, true);
}

function refresh() {
  const boxes = [];
  if (shown) {
    for (const { region, box } of shown.boxes) boxes.push({ key: region, box, label: region, kind: question.selected.has(region) ? "selected" : "quiet" });
    for (const { region, box } of queryBoxes) if (!question.selected.has(region)) boxes.push({ key: `searched ${region}`, box, label: region, kind: "match" });
    question.drawn.forEach(({ key, box }, at) => boxes.push({ key, box, label: `box ${at + 1}`, kind: "drawn", held: key === held }));
  }
  queryViewer.setBoxes(boxes);
  picker.show(question.selected, question.drawn);
  $("search").disabled = question.empty;
  $("add-box").disabled = !shown;
  question.save();
}

function changed() {
  queryBoxes = [];
  results.setStale();
  refresh();
}

async function choose(source, { keepMarks = false } = {}) {
  question.source = source;
  if (!keepMarks) {
    question.drawn = [];
    question.selected.clear();
  }
  held = null;
  closeComparison();
  try {
    if (source.kind === "study") shown = await api.study(source.id);
    if (question.source !== source) return;
    const isStudy = source.kind === "study";
    worklist.setCurrent(isStudy ? source.id : null);
    $("query-title").textContent = [isStudy ? shown.patient : shown.file_name, who(shown), ...shown.flags].filter(Boolean).join(" · ");
    fillReport($("query-report").querySelector(".text"), isStudy ? shown.report : "");
    $("query-report").hidden = !isStudy;
    $("query-report").open = false;
    changed();
    await queryViewer.load(isStudy ? api.studyImage(source.id) : api.uploadImage(source.id), shown.width, shown.height);
    if (!keepMarks) results.clear("Mark the suspicious region, then search.");
  } catch (error) {
    question.source = null;
    shown = null;
    queryViewer.clear();
    refresh();
    complain(error);
  }
}

async function upload(file) {
  if (!file) return;
  results.clear(`Reading ${file.name} …`);
  try {
    const read = await api.encode(file);
    shown = read;
    await choose({ kind: "upload", id: read.upload });
  } catch (error) {
    complain(error);
  }
}

function toggle(region) {
  question.toggle(region);
  changed();
}

function removeBox(key) {
  question.removeBox(key);
  if (held === key) held = null;
  changed();
}

function hoverRegion(name) {
  queryViewer.setHover(name);
  picker.setHover(name);
}

function addBox(box) {
  held = question.addBox(box).key;
  changed();
}

async function search(next = false) {
  if (question.empty) return;
  searching?.abort();
  searching = new AbortController();
  const { signal } = searching;
  if (!next) results.say("Searching …");
  $("hits").setAttribute("aria-busy", "true");
  try {
    const result = await api.query({ ...question.body(), offset: next ? results.hits.length : 0 }, signal);
    if (next) return results.add(result);
    closeComparison();
    queryBoxes = result.query_boxes;
    results.show(result);
    refresh();
  } catch (error) {
    complain(error);
  } finally {
    if (searching.signal === signal) $("hits").removeAttribute("aria-busy");
  }
}

async function compare(hit) {
  opened = hit;
  results.setCurrent(hit.study);
  document.body.classList.add("comparing");
  queryViewer.quietHidden = true;
  const best = hit.regions[0];
  $("hit-title").textContent = [`${hit.rank}`, best?.finding, best && place(best), hit.score.toFixed(3), hit.patient, who(hit)].filter(Boolean).join(" · ");
  fillReport($("hit-report").querySelector(".text"), hit.report, hit.sentences);
  $("hit-report").open = true;
  $("hit-report").querySelector("mark")?.scrollIntoView({ block: "nearest" });
  if (question.source?.kind === "study") $("query-report").open = true;
  try {
    await hitViewer.load(api.studyImage(hit.study), hit.width, hit.height);
    if (opened !== hit) return;
    hitViewer.setBoxes(hit.regions.filter((match) => match.box).map((match) => ({
      key: match.region, box: match.box, kind: "match", label: [match.region, match.finding].filter(Boolean).join(" · "),
    })));
  } catch (error) {
    complain(error);
  }
}

function step(by) {
  const { hits } = results;
  if (!hits.length) return;
  const at = opened ? hits.indexOf(opened) + by : 0;
  compare(hits[Math.min(hits.length - 1, Math.max(0, at))]);
}

function closeComparison() {
  opened = null;
  results.setCurrent(null);
  document.body.classList.remove("comparing");
  queryViewer.quietHidden = false;
  queryViewer.draw();
  hitViewer.clear();
}

function setTool(tool) {
  for (const button of document.querySelectorAll("[data-tool]:not(.viewer)")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  queryViewer.setTool(tool);
  hitViewer.setTool(tool);
}

function press(id, apply) {
  const on = $(id).getAttribute("aria-pressed") !== "true";
  $(id).setAttribute("aria-pressed", String(on));
  apply(on);
}

const actions = {
  setTool,
  step,
  search: () => search(),
  close: closeComparison,
  zoom: (factor) => queryViewer.zoom(factor),
  reset() {
    queryViewer.reset();
    hitViewer.reset();
    $("toggle-invert").setAttribute("aria-pressed", "false");
  },
  invert: () => press("toggle-invert", (invert) => [queryViewer, hitViewer].forEach((viewer) => viewer.setWindow({ invert }))),
  regions: () => press("toggle-regions", (on) => {
    queryViewer.showRegions = on;
    queryViewer.draw();
  }),
  box() {
    if (!shown) return;
    const { width, height } = shown;
    addBox([width * 0.4, height * 0.4, width * 0.6, height * 0.6]);
    $("query-viewer").focus();
  },
  removeHeld: () => held && removeBox(held),
  nudge(dx, dy, resize) {
    const one = question.drawn.find((box) => box.key === held);
    if (!one) {
      queryViewer.pan(-dx * 24, -dy * 24);
      return;
    }
    one.box = nudged(one.box, dx, dy, shown, resize);
    changed();
  },
};

function listen() {
  queryViewer.addEventListener("pick", ({ detail }) => {
    const key = detail.key.replace(/^searched /, "");
    if (key.startsWith("drawn-")) {
      held = held === key ? null : key;
      refresh();
    } else toggle(key);
  });
  queryViewer.addEventListener("draw", ({ detail }) => addBox(detail.box));
  queryViewer.addEventListener("hover", ({ detail }) => picker.setHover(detail.key));
  for (const button of document.querySelectorAll("button[data-tool]")) button.addEventListener("click", () => setTool(button.dataset.tool));
  $("toggle-invert").addEventListener("click", actions.invert);
  $("toggle-regions").addEventListener("click", actions.regions);
  $("reset-view").addEventListener("click", actions.reset);
  $("add-box").addEventListener("click", actions.box);
  $("close-compare").addEventListener("click", closeComparison);
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  $("text").addEventListener("input", () => {
    question.text = $("text").value;
    changed();
  });
  $("k").addEventListener("change", () => {
    question.k = Number($("k").value);
    changed();
  });
  $("file").addEventListener("change", () => {
    upload($("file").files[0]);
    $("file").value = "";
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    upload(event.dataTransfer.files[0]);
  });
  bindKeys({ actions, focusSearch: () => $("study-search").focus(), focusText: () => $("text").focus(), help: $("help"), viewer: $("query-viewer") });
}

async function describe() {
  const about = await api.archive();
  $("foot-model").textContent = `Model ${about.model.id} · ${about.model.training_data}`;
  $("foot-archive").textContent = `Archive ${about.name} · ${about.studies.toLocaleString("en")} studies${about.synthetic ? " · synthetic phantoms, no patients" : ""}`;
  $("foot-model").title = $("foot-model").textContent;
  if (about.synthetic) {
    const badge = $("badges").appendChild(document.createElement("span"));
    badge.className = "badge";
    badge.textContent = "Synthetic archive";
  }
}

async function start() {
  setTool("mark");
  listen();
  try {
    const { regions } = await api.regions();
    picker.fill(regions);
    question.restore(new Set(regions.map((one) => one.name)));
    $("text").value = question.text;
    $("k").value = String(question.k);
    refresh();
    await Promise.all([describe(), worklist.load(0)]);
    if (question.source?.kind === "study") await choose(question.source, { keepMarks: true });
    else if (question.source) {
      shown = await api.upload(question.source.id);
      await choose(question.source, { keepMarks: true });
    }
  } catch (error) {
    question.source = null;
    complain(error);
  }
  document.body.dataset.ready = "true";
}

start();
