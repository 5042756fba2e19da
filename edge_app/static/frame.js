// What stands around the room: which model and archive answer, and who is logged in.

import * as api from "./api.js";
import { $, node } from "./dom.js";
import { number } from "./words.js";

// Answers who is logged in.
export async function describe(onProblem) {
  const [about, me] = await Promise.all([api.archive(), api.me()]);
  if (me.login) {
    $("log-out").textContent = `Log out ${me.user}`;
    $("log-out").hidden = false;
    $("log-out").addEventListener("click", () => api.logOut().then(() => location.assign("login"), onProblem));
  }
  $("foot-model").textContent = `Model ${about.model.id} · ${about.model.training_data}`;
  $("foot-archive").textContent = `Archive ${about.name} · ${number(about.studies)} studies${about.synthetic ? " · synthetic phantoms, no patients" : ""}`;
  $("foot-model").title = `${$("foot-model").textContent} · bundle ${about.model.bundle}`;
  if (about.synthetic) $("badges").append(node("span", "badge", "Synthetic archive"));
  return me;
}
