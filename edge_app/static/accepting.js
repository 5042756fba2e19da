// A person accepts the draft; only then do its words leave. Results without it leave as preliminary at any time.

import * as api from "./api.js";
import { $ } from "./dom.js";
import { Sending } from "./sending.js";

const ORGANIZATION = "edge-retrieve.organization";
const BEFORE = "For the PACS, marked preliminary, without the draft:";
const AFTER = "For the PACS, with the accepted report:";

export class Accepting {
  // `panel` is the draft's.
  constructor({ panel, onProblem }) {
    Object.assign(this, { panel, onProblem, form: $("accept-form") });
    this.sending = new Sending({ panel, wanted: () => this.#wanted() });
    $("accept-organization").value = localStorage.getItem(ORGANIZATION) || "";
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#accept();
    });
    $("accept-change").addEventListener("click", () => {
      this.#setKept(null);
      this.panel.say("Change it, and accept it again. What was accepted before stays on record.");
    });
    $("copy-report").addEventListener("click", () => this.#copy());
    for (const button of document.querySelectorAll("#leave [data-kind]")) button.addEventListener("click", () => this.#takeAway(button));
  }

  // The server knows who is logged in; the name on the report is still the person's to write.
  setReader(me) {
    if (me.login) $("accept-name").value = me.user;
    return this.sending.setReader(me, this.onProblem);
  }

  // Another draft, of a question's body; null for none.
  begin(body) {
    this.body = body;
    this.#setKept(null);
    for (const id of ["accept-form", "leave"]) $(id).hidden = !body;
  }

  #setKept(kept) {
    this.kept = kept;
    $("accept-fields").hidden = Boolean(kept);
    $("accept-change").hidden = !kept;
    $("copy-report").disabled = !kept;
    $("leave-label").textContent = kept ? AFTER : BEFORE;
    this.panel.setAccepted(kept);
  }

  async #accept() {
    const { draft } = this.panel;
    if (!draft) return;
    try {
      const given = { draft: draft.draft, report: this.panel.report, name: $("accept-name").value, organization: $("accept-organization").value };
      const kept = await api.acceptDraft(given);
      if (this.panel.draft !== draft) return;
      localStorage.setItem(ORGANIZATION, kept.organization);
      this.#setKept(kept);
      this.panel.say(`Accepted by ${kept.name}${kept.login ? ` (${kept.login})` : ""} at ${kept.at.slice(11, 16)} UTC and kept. It can leave now.`);
    } catch (error) {
      this.onProblem(error);
    }
  }

  // What leaves: of the question, and of the draft only what was accepted.
  #wanted() {
    return { query: this.body, acceptance: this.kept?.acceptance ?? null };
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.kept.report);
      this.panel.say("The accepted report is on the clipboard.");
    } catch {
      this.panel.say("The browser does not let this page use the clipboard.", true);
    }
  }

  async #takeAway(button) {
    button.disabled = true;
    try {
      const { blob, name } = await api.takeAway(button.dataset.kind, this.#wanted());
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      this.onProblem(error);
    } finally {
      button.disabled = false;
    }
  }
}
