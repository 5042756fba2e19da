// The page: one question, one answer, one comparison.

import * as api from "./api.js";
import { nudged } from "./boxes.js";
import { Comparison } from "./comparison.js";
import { $, node, press, pressed } from "./dom.js";
import { Explanation } from "./explanation.js";
import { Feedback } from "./feedback.js";
import { bindFiles } from "./files.js";
import { Filters } from "./filters.js";
import { describe } from "./frame.js";
import { Sentences } from "./ground.js";
import { Heat } from "./heat.js";
import { bindKeys } from "./keys.js";
import { Picker } from "./picker.js";
import { PRESETS, presetsOf } from "./presets.js";
import { Priors } from "./priors.js";
import { Quarantine } from "./quarantine.js";
import { Query } from "./query.js";
import { Reads } from "./reads.js";
import { Results } from "./results.js";
import { Question } from "./state.js";
import { Tabs } from "./tabs.js";
import { Viewer } from "./viewer.js";
import { Worklist } from "./worklist.js";

const question = new Question();
const onProblem = complain;
const queryViewer = new Viewer($("query-viewer"), { markable: true, empty: "Choose a study on the left, or open an X-ray.\nWords alone can be searched, too." });
const caseViewer = new Viewer($("hit-viewer"));
const viewers = [queryViewer, caseViewer];
const feedback = new Feedback({ onProblem });
const tabs = new Tabs($("tabs"));
const results = new Results({ list: $("hits"), status: $("status"), more: $("more"), onOpen: openHit, onMore: () => search(true), feedback });
const priors = new Priors({ list: $("priors"), count: $("priors-count"), status: $("priors-status"), onOpen: openPrior, onProblem });
const picker = new Picker({ onToggle: (region) => query.toggle(region), onRemoveBox: (key) => query.removeBox(key), onHover });
const query = new Query({ question, viewer: queryViewer, picker, onChange: changed, onChoose, onPicture: () => fillPresets(presetsOf(queryViewer.image)), onProblem });
const comparison = new Comparison({ queryViewer, caseViewer, query: () => query, onProblem });
const filters = new Filters({ question, onChange: () => query.changed() });
const heat = new Heat({ onProblem });
const sentences = new Sentences({ onAsk: showSentence });
const explanation = new Explanation({ tabs, onOpen: openNeighbour, onPoint: (regions) => queryViewer.setCited(regions) });
const quarantine = new Quarantine({ onProblem });
const reads = new Reads({ onReveal: (result) => show(result), onProblem, onMode: () => forgetAnswer("Search again.") });
const worklist = new Worklist({
  list: $("studies"), search: $("study-search"), count: $("study-count"), label: $("page-label"), back: $("page-back"), next: $("page-next"),
  onChoose: (id) => choose({ kind: "study", id }), onProblem,
});
let searching = null;

function complain(error) {
  if (error.name === "AbortError") return;
  tabs.show("tab-cases");
  results.say(error instanceof api.Problem ? error.sentence : `This page failed: ${error.message}`, true);
}

function onHover(name) {
  queryViewer.setHover(name);
  picker.setHover(name);
}

// The answer on the page is no longer wanted.
function forgetAnswer(text) {
  results.clear(text);
  explanation.clear();
}

// The question is another one than was answered, or is being answered: that answer would stand beside another image.
function changed() {
  if ($("hits").hasAttribute("aria-busy")) {
    searching.abort();
    results.say("The query has changed. Search again.");
  }
  $("search").disabled = question.empty;
  $("add-box").disabled = !query.shown;
  results.setStale();
  explanation.setStale();
  reads.close();
}

function choose(source, options) {
  closeComparison();
  showHeat(false);
  return query.choose(source, options);
}

function onChoose(source, shown, asAsked) {
  const isStudy = source.kind === "study";
  worklist.setCurrent(isStudy ? source.id : null);
  priors.load(shown.patient, isStudy ? source.id : null);
  tabs.show("tab-cases");
  if (!asAsked) forgetAnswer("Mark the suspicious region, then search.");
}

function upload(file) {
  if (!file) return;
  closeComparison();
  showHeat(false);
  forgetAnswer(`Reading ${file.name} …`);
  query.upload(file);
}

async function search(next = false) {
  if (question.empty) return;
  searching?.abort();
  searching = new AbortController();
  const { signal } = searching;
  tabs.show("tab-cases");
  if (!next) {
    closeComparison();
    if (reads.on) {
      forgetAnswer("The cases are shown once your impression is kept.");
      reads.open(question.body());
      return;
    }
    results.say("Searching …");
  }
  $("hits").setAttribute("aria-busy", "true");
  try {
    const result = await api.query({ ...question.body(), offset: next ? results.hits.length : 0 }, signal);
    if (!next) return show(result);
    results.add(result);
    feedback.load();
  } catch (error) {
    complain(error);
  } finally {
    if (searching.signal === signal) $("hits").removeAttribute("aria-busy");
  }
}

function show(result) {
  feedback.clear(result.query_id);
  results.show(result);
  explanation.answered(question.body());
  query.setSearched(result.query_boxes);
  feedback.load();
}

// Open a case beside the query; `prior` where it is of the same patient.
async function open(study, opening, prior = false) {
  results.setCurrent(prior ? null : study);
  priors.setCurrent(prior ? study : null);
  explanation.setCurrent(prior ? null : study);
  await opening;
  if (pressed($("toggle-heat"))) showHeat(true, sentences.text);
}

function openHit(hit) {
  return open(hit.study, comparison.openHit(hit));
}

function openNeighbour(neighbour, place) {
  return open(neighbour.study, comparison.openNeighbour(neighbour, place));
}

function openPrior(study) {
  return open(study.study, comparison.openPrior(study), true);
}

function step(by) {
  const { hits } = results;
  if (!hits.length) return;
  tabs.show("tab-cases");
  const at = hits.findIndex((hit) => hit.study === comparison.opened);
  openHit(hits[Math.min(hits.length - 1, Math.max(0, at + (at < 0 ? Math.max(0, by) : by)))]);
}

function closeComparison() {
  results.setCurrent(null);
  priors.setCurrent(null);
  explanation.setCurrent(null);
  comparison.close();
}

// A sentence was clicked, in a case's report or elsewhere; "" to show none.
async function showSentence(text, element) {
  const hit = results.hits.find((one) => one.study === element.closest("#hits .hit")?.dataset.study);
  if (text && hit && hit.study !== comparison.opened) {
    press($("toggle-heat"), true); // as soon as it is open
    await openHit(hit);
  } else showHeat(Boolean(text), text);
}

// Where the words are, on whatever is shown; without words, those of the open case that matched.
function showHeat(on, sentence = "") {
  if (!sentence) sentences.forget();
  const phrase = sentence || question.text.trim() || results.hits.find((hit) => hit.study === comparison.opened)?.sentences[0] || "";
  heat.clear(...viewers);
  if (on && !phrase) results.say("Write the words to look for, then show where they are.");
  press($("toggle-heat"), on && Boolean(phrase));
  if (!on || !phrase) return;
  const isSentence = Boolean(sentence);
  if (query.source) heat.show(queryViewer, query.source, phrase, isSentence);
  if (comparison.opened) heat.show(caseViewer, { kind: "study", id: comparison.opened }, phrase, isSentence);
}

function setTool(tool) {
  for (const button of document.querySelectorAll("button[data-tool]")) press(button, button.dataset.tool === tool);
  for (const viewer of viewers) viewer.setTool(tool);
}

// Both pictures where they are linked, else the query's.
const change = (what) => queryViewer.change(what);

const actions = {
  setTool,
  step,
  search: () => search(),
  close: closeComparison,
  zoom: (zoom) => change({ zoom }),
  turn: () => change({ turn: true }),
  mirror: () => change({ mirror: true }),
  preset: (at) => {
    $("preset").value = PRESETS[at].name;
    change({ preset: PRESETS[at].name });
  },
  reset() {
    for (const viewer of viewers) viewer.apply({ reset: true });
    press($("toggle-invert"), false);
    $("preset").value = PRESETS[0].name;
  },
  invert() {
    press($("toggle-invert"), !pressed($("toggle-invert")));
    for (const viewer of viewers) viewer.apply({ invert: pressed($("toggle-invert")) });
  },
  regions() {
    press($("toggle-regions"), !pressed($("toggle-regions")));
    queryViewer.showRegions = pressed($("toggle-regions"));
    queryViewer.draw();
  },
  box() {
    query.addBoxInTheMiddle();
    $("query-viewer").focus();
  },
  heat: () => showHeat(!pressed($("toggle-heat"))),
  link: () => comparison.opened && $("toggle-link").click(),
  judge: (verdict) => comparison.opened && feedback.judge(comparison.opened, verdict),
  removeHeld: () => query.held && query.removeBox(query.held),
  nudge(target, dx, dy, resize) {
    const one = target === queryViewer.root && query.heldBox;
    if (one) query.changeBox(one.key, nudged(one.box, dx, dy, query.shown, resize));
    else viewers.find((viewer) => viewer.root === target).change({ pan: [-dx * 24, -dy * 24] });
  },
};

function fillPresets(presets) {
  $("preset").replaceChildren(...presets.map(({ name, label }) => Object.assign(node("option", "", label), { value: name })));
}

function listen() {
  fillPresets(PRESETS);
  $("preset").addEventListener("change", () => change({ preset: $("preset").value }));
  for (const button of document.querySelectorAll("button[data-tool]")) button.addEventListener("click", () => setTool(button.dataset.tool));
  const clicks = { "toggle-invert": "invert", "toggle-regions": "regions", "reset-view": "reset", turn: "turn", mirror: "mirror", "add-box": "box", "toggle-heat": "heat", "close-compare": "close" };
  for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", () => actions[action]());
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  $("text").addEventListener("input", () => {
    question.text = $("text").value;
    showHeat(false);
    query.changed();
  });
  $("k").addEventListener("change", () => {
    question.k = Number($("k").value);
    query.changed();
  });
  bindFiles(upload);
  bindKeys({ actions, focus: { search: () => $("study-search").focus(), text: () => $("text").focus() }, help: $("help"), viewers: viewers.map((viewer) => viewer.root) });
}

async function start() {
  setTool("mark");
  listen();
  const around = Promise.all([describe(onProblem), worklist.load(0)]).then(([me]) => Promise.all([explanation.accepting.setReader(me), quarantine.setReader(me)]), complain);
  try {
    const [{ regions }, { findings }] = await Promise.all([api.regions(), api.findings()]);
    picker.fill(regions);
    filters.fill(findings);
    question.restore(new Set(regions.map((one) => one.name)));
    $("text").value = question.text;
    $("k").value = String(question.k);
    filters.show();
    query.refresh();
    changed();
    if (question.source) await choose(question.source, { asAsked: true });
  } catch (error) {
    query.forget();
    complain(error);
  }
  await around;
  document.body.dataset.ready = "true";
}

start();
