// Source that is no example stays in this browser, under the name that the address gives it
// (`draft`, a digest that the server computes). So Reload and Back find it again.

import { setSource, source } from "./editor.js";

const PREFIX = "coreplay-draft-";
const ORDER = "coreplay-drafts";
const KEEP = 30;

function names() {
  try {
    return JSON.parse(localStorage.getItem(ORDER) ?? "[]");
  } catch {
    return [];
  }
}

function keep(id, text) {
  let order = [...names().filter((name) => name !== id), id];
  for (;;) {
    while (order.length > KEEP) localStorage.removeItem(PREFIX + order.shift());
    try {
      localStorage.setItem(PREFIX + id, text);
      localStorage.setItem(ORDER, JSON.stringify(order));
      return;
    } catch {
      // Storage is full: the oldest draft makes room, until only this one is left.
      if (order.length <= 1) return;
      localStorage.removeItem(PREFIX + order[0]);
      order = order.slice(1);
    }
  }
}

function find(id) {
  try {
    return localStorage.getItem(PREFIX + id);
  } catch {
    return null;
  }
}

const draftOf = (path) => new URL(path, location.href).searchParams.get("draft");

export function start(run) {
  let sent = "";
  document.addEventListener("htmx:before:request", () => {
    sent = source();
  });
  document.addEventListener("htmx:before:history:update", (event) => {
    const id = draftOf(event.detail.history.path);
    if (!id) return;
    try {
      keep(id, sent);
    } catch {
      // storage is off: the address then leads to the choices alone
    }
  });
  const id = document.getElementById("source")?.dataset.draft;
  const text = id ? find(id) : null;
  if (text !== null) {
    setSource(text);
    run();
  }
}
