// Source that was run and is no example stays in this browser, under the name that the address
// gives it (`draft`, a digest that the server computes). So Reload and Back find it again.

import { drop, isFiles, read, readJson, write } from "./storage.js";
import * as workspace from "./workspace.js";

const PREFIX = "coreplay-draft-";
const ORDER = "coreplay-drafts";
const KEEP = 30;

let sent = null; // what the last request took along
let replaces = ""; // the draft of the run before, when that was no step in the history

const names = () => {
  const order = readJson(ORDER);
  return Array.isArray(order) ? order.filter((name) => typeof name === "string") : [];
};

function keep(id, saved) {
  let order = [...names().filter((name) => name !== id && name !== replaces), id];
  if (replaces && replaces !== id) drop(PREFIX + replaces);
  while (order.length > KEEP) drop(PREFIX + order.shift());
  // Where storage is full the oldest draft makes room, until only this one is left.
  while (!write(PREFIX + id, JSON.stringify(saved)) || !write(ORDER, JSON.stringify(order))) {
    if (order.length <= 1) return;
    drop(PREFIX + order[0]);
    order = order.slice(1);
  }
}

function find(id) {
  const saved = readJson(PREFIX + id);
  if (isFiles(saved)) return saved;
  const text = read(PREFIX + id); // as it was kept before there were several files
  return text ? { main: "main.bpf.c", files: [["main.bpf.c", text]] } : null;
}

const draftOf = (path) => new URL(path, location.href).searchParams.get("draft");

// The draft that this address names, if this browser has it.
export function fromAddress() {
  const id = document.getElementById("source")?.dataset.draft;
  return id ? find(id) : null;
}

export const lastSent = () => sent;

export function start() {
  document.addEventListener("htmx:before:request", () => {
    sent = workspace.snapshot();
  });
  document.addEventListener("htmx:before:history:update", (event) => {
    const { path, type } = event.detail.history;
    const id = draftOf(path);
    if (!id || !sent) return;
    replaces = type === "replace" ? draftOf(location.href) : "";
    keep(id, sent);
  });
}
