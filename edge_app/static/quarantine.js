// Received objects that could not be stored, for those who look after the server: tried again, or deleted.

import * as api from "./api.js";
import { $, node } from "./dom.js";

const SHOWN = 50;

const count = (number) => `${number} ${number === 1 ? "object" : "objects"}`;
const size = (bytes) => (bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`);

export class Quarantine {
  constructor({ onProblem }) {
    Object.assign(this, { onProblem, button: $("quarantine-button"), dialog: $("quarantine"), list: $("quarantine-list") });
    this.button.addEventListener("click", () => this.#open());
    $("quarantine-all").addEventListener("click", () => this.#do(async () => `${count((await api.retryAll()).released)} will be tried again.`));
  }

  async #open() {
    try {
      await this.#load();
      this.say("");
      this.dialog.showModal();
    } catch (error) {
      this.onProblem(error);
    }
  }

  // Shown where something is there, and only to those who may look after it.
  async setReader(me) {
    if (!me.permissions.includes("operate")) return;
    try {
      await this.#load();
      this.button.hidden = !this.total;
    } catch (error) {
      this.onProblem(error);
    }
  }

  say(text, bad = false) {
    $("quarantine-status").textContent = text;
    $("quarantine-status").classList.toggle("bad", bad);
  }

  async #load() {
    const page = await api.quarantine(SHOWN);
    this.total = page.total;
    $("quarantine-count").textContent = page.total || "";
    const more = page.total - page.objects.length;
    this.list.replaceChildren(...page.objects.map((one) => this.#line(one)), ...(more ? [node("li", "hint", `and ${count(more)} more`)] : []));
    $("quarantine-all").disabled = !page.total;
  }

  #line(one) {
    const line = node("li", "held");
    const told = line.appendChild(node("div"));
    const when = one.arrived ? `${one.arrived.slice(0, 16).replace("T", " ")} UTC` : "at an unknown time";
    const reason = told.appendChild(node("b", "", one.reason));
    reason.id = `held-${one.object}`;
    told.append(node("span", "meta", [when, one.sender && `from ${one.sender}`, one.fault, size(one.bytes), one.object].filter(Boolean).join(" · ")));
    const again = node("button", "", "Try again");
    again.addEventListener("click", () => this.#do(() => api.retry(one.object).then(() => "It will be tried again.")));
    const away = node("button", "", "Delete");
    // Asked once more: nothing brings it back.
    away.addEventListener("click", () => {
      if (away.classList.contains("sure")) this.#do(() => api.discard(one.object).then(() => "It is deleted."));
      away.textContent = "Delete for good";
      away.classList.add("sure");
    });
    away.addEventListener("blur", () => {
      away.textContent = "Delete";
      away.classList.remove("sure");
    });
    for (const button of [again, away]) {
      button.type = "button";
      button.setAttribute("aria-describedby", reason.id);
    }
    line.append(again, away);
    return line;
  }

  async #do(work) {
    try {
      const told = await work();
      await this.#load();
      this.say(told);
    } catch (error) {
      this.say(error instanceof api.Problem ? error.sentence : `This page failed: ${error.message}`, true);
    }
    // What had the focus is gone.
    (this.list.querySelector("button") || $("quarantine-close")).focus();
  }
}
