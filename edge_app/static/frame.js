// What stands around the room: whether the archive is synthetic, and who is logged in. The foot comes with the page.

import * as api from "./api.js";
import { $, node } from "./dom.js";

// Answers who is logged in.
export async function describe(onProblem) {
  const [about, me] = await Promise.all([api.archive(), api.me()]);
  if (me.login) {
    $("log-out").textContent = `Log out ${me.user}`;
    $("log-out").hidden = false;
    $("log-out").addEventListener("click", () => api.logOut().then(() => location.assign("login"), onProblem));
  }
  $("foot-model").title = `${$("foot-model").textContent} · bundle ${about.model.bundle}`;
  if (about.synthetic) $("badges").append(node("span", "badge", "Synthetic archive"));
  return me;
}
