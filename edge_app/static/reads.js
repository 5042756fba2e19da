// Commit before reveal: the reader writes an impression down before the hits are shown, and may conclude after.

import * as api from "./api.js";
import { $, press, pressed } from "./dom.js";

const REMEMBERED = "edge-retrieve.read-first";

export class Reads {
  // `onReveal(result)` is called with the answer once the impression is kept.
  constructor({ onReveal, onProblem, onMode }) {
    Object.assign(this, { onReveal, onProblem, onMode, form: $("read-form"), after: $("read-after") });
    this.read = null;
    const button = $("read-first");
    press(button, localStorage.getItem(REMEMBERED) === "yes");
    button.addEventListener("click", () => {
      press(button, !pressed(button));
      localStorage.setItem(REMEMBERED, pressed(button) ? "yes" : "no");
      this.close();
      this.onMode();
    });
    $("read-sure").addEventListener("input", () => this.#sure());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#commit();
    });
    this.after.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#conclude();
    });
  }

  get on() {
    return pressed($("read-first"));
  }

  #sure() {
    $("read-sure-label").textContent = `${$("read-sure").value}%`;
  }

  // Ask for the impression on a question's body.
  open(body) {
    this.body = body;
    this.read = null;
    this.after.hidden = true;
    this.form.hidden = false;
    $("impression").focus();
  }

  close() {
    this.form.hidden = true;
    this.after.hidden = true;
    this.read = null;
  }

  async #commit() {
    const impression = $("impression").value.trim();
    if (!impression) return;
    try {
      const kept = await api.commit({ query: this.body, impression, sure: Number($("read-sure").value) / 100 });
      this.read = kept.read;
      const result = await api.reveal(kept.read);
      this.form.hidden = true;
      this.form.reset();
      this.#sure();
      $("read-said").textContent = `Before: “${impression}”`;
      $("final").value = impression;
      $("read-kept").textContent = "";
      this.after.hidden = false;
      this.onReveal(result);
    } catch (error) {
      this.onProblem(error);
    }
  }

  async #conclude() {
    const impression = $("final").value.trim();
    if (!impression || !this.read) return;
    try {
      await api.conclude(this.read, { impression });
      $("read-kept").textContent = "Kept";
    } catch (error) {
      this.onProblem(error);
    }
  }
}
