// Results sent to a PACS by the server: where the operator of the server has named one, for those who may.

import * as api from "./api.js";
import { $, node } from "./dom.js";

const LOOK_MS = 300;

export class Sending {
  // `panel` is the draft's; `wanted()` is what is to be sent: { query, acceptance }.
  constructor({ panel, wanted }) {
    Object.assign(this, { panel, wanted, row: $("send") });
  }

  // Before any draft is shown, so that nothing moves when the buttons come.
  async setReader(me, onProblem) {
    if (!me.permissions.includes("operate")) return;
    try {
      const { destinations } = await api.destinations();
      this.row.append(...destinations.map((one) => this.#button(one)));
      this.row.hidden = !destinations.length;
    } catch (error) {
      onProblem(error);
    }
  }

  #button({ name, tls }) {
    const button = node("button", "", `Send to ${name}`);
    button.type = "button";
    button.title = `Report, outlines and page to ${name}${tls ? ", encrypted" : ""}`;
    button.addEventListener("click", () => this.#send(name));
    return button;
  }

  async #send(name) {
    this.#disable(true);
    this.panel.say(`Making what is sent to ${name} …`);
    try {
      const ended = await this.#watch(await api.send({ to: name, ...this.wanted() }), name);
      if (ended.problem) this.panel.say(`Sending to ${name} failed. ${new api.Problem(ended.problem, 0).sentence}`, true);
      else if (ended.state === "cancelled") this.panel.say(`Sending to ${name} was cancelled.`, true);
      else this.panel.say(`${name} has taken ${ended.result.sent} objects: ${ended.result.objects}.`);
    } catch (error) {
      this.panel.say(error instanceof api.Problem ? error.sentence : `This page failed: ${error.message}`, true);
    } finally {
      this.#disable(false);
    }
  }

  async #watch(begun, name) {
    let job = begun;
    while (!job.ended) {
      this.panel.say(job.total ? `Sending to ${name}: ${job.done} of ${job.total} …` : `Sending to ${name} …`);
      await new Promise((done) => setTimeout(done, LOOK_MS));
      job = await api.job(job.job);
    }
    return job;
  }

  #disable(on) {
    for (const button of this.row.children) button.disabled = on;
  }
}
