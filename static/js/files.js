// A file dropped on the editor or chosen: C goes into the editor, an object goes with the form.

import { setSource } from "./editor.js";

const pane = document.getElementById("source-pane");
const input = document.getElementById("object");
const chip = document.getElementById("object-chip");

const isSource = (file) => /\.[ch]$/.test(file.name);

function size(bytes) {
  return bytes < 1000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} kB`;
}

function dropObject() {
  input.value = "";
  chip.replaceChildren();
  chip.hidden = true;
  pane.classList.remove("using-object");
}

function showObject(file) {
  const name = document.createElement("b");
  name.textContent = file.name;
  const text = document.createElement("span");
  text.append("Showing ", name, ` (${size(file.size)}), not the source.`);
  const back = document.createElement("button");
  back.type = "button";
  back.textContent = "Use the source";
  back.addEventListener("click", () => {
    dropObject();
    document.getElementById("source").focus();
  });
  chip.replaceChildren(text, back);
  chip.hidden = false;
  pane.classList.add("using-object");
}

async function take(file, run) {
  if (isSource(file)) {
    dropObject();
    setSource(await file.text(), file.name);
  } else {
    showObject(file);
  }
  run();
}

export function start(run) {
  if (!pane) return;
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0], run);
    else dropObject();
  });
  const editor = document.getElementById("editor");
  const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    editor.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) editor.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    editor.classList.remove("dropping");
    const file = event.dataTransfer.files[0];
    if (!file) return;
    if (!isSource(file)) {
      const transfer = new DataTransfer();
      transfer.items.add(file);
      input.files = transfer.files;
    }
    take(file, run);
  });
}
