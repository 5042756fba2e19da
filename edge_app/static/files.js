// Files opened or dropped on the page.

import { $ } from "./dom.js";

// `onFile(file)` is called with the first one.
export function bindFiles(onFile) {
  $("file").addEventListener("change", () => {
    onFile($("file").files[0]);
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
    onFile(event.dataTransfer.files[0]);
  });
}
