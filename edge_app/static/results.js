// The ranked cases.

import { arrowsMoveFocus, node } from "./dom.js";
import { hitCard } from "./card.js";
import { count, percent } from "./words.js";

// Of a stored study the study itself is set apart; only its patient's others are worth a word.
function apart(result) {
  return result.set_apart > 1 ? ` ${result.set_apart - 1} of the same patient set apart.` : "";
}

const BELOW = "The nearest cases follow, so that you can judge for yourself. They do not count as matches.";

export class Results {
  constructor({ list, status, more, onOpen, onMore, feedback }) {
    Object.assign(this, { list, status, more, onOpen, feedback });
    more.addEventListener("click", onMore);
    this.hits = [];
    arrowsMoveFocus(list, ":scope > li > button");
  }

  say(text, bad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", bad);
  }

  clear(text) {
    this.hits = [];
    this.more.hidden = true;
    this.list.replaceChildren();
    this.list.classList.remove("stale", "below");
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
    const reached = result.calibrated ? `: none reaches ${percent(result.abstain_below)}` : "";
    const took = `${Math.round(result.took_ms)} ms.`;
    if (!result.hits.length) this.say(`No case found ${where}.`);
    else if (result.abstained) this.say(`No sufficiently similar case ${where}${reached}. ${took}${apart(result)}`);
    else this.say(`${count(result.hits.length, "case")}, compared ${where}. Best first. ${took}${apart(result)}`);
    this.list.classList.toggle("below", result.abstained);
    const warning = result.abstained && result.hits.length ? [node("li", "none-similar", BELOW)] : [];
    this.list.replaceChildren(...warning, ...result.hits.map((hit) => this.#card(hit)));
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
    return hitCard(hit, { onOpen: this.onOpen, feedback: this.feedback });
  }
}
