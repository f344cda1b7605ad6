// One hover lights all views. An element's own name is `data-key` (s3 a slot, r1 a relocation,
// l14 a source line), what it belongs to is `data-link`. Lit are the elements that it names, and
// those that name it.

import { lineAt, showLine } from "./editor.js";

let byKey = new Map(); // key -> elements with that key
let naming = new Map(); // key -> elements whose data-link names it
const lit = new Set();
const pinned = new Set();

function put(map, key, element) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(element);
}

const keysOf = (element) => (element.dataset.link ?? "").split(" ").filter(Boolean);

export function index() {
  byKey = new Map();
  naming = new Map();
  for (const element of document.querySelectorAll("[data-key]")) {
    put(byKey, element.dataset.key, element);
    for (const key of keysOf(element)) put(naming, key, element);
  }
}

function related(element) {
  const found = new Set([element, ...(byKey.get(element.dataset.key) ?? [])]);
  for (const key of keysOf(element)) for (const other of byKey.get(key) ?? []) found.add(other);
  for (const other of naming.get(element.dataset.key) ?? []) found.add(other);
  return found;
}

function show(set, name, elements) {
  for (const element of set) element.classList.remove(name);
  set.clear();
  for (const element of elements) {
    element.classList.add(name);
    set.add(element);
  }
}

function light(element) {
  show(lit, "lit", element ? related(element) : []);
}

function pin(element) {
  show(pinned, "pinned", element ? related(element) : []);
  const line = [...pinned].find((other) => other.closest("#gutter"));
  if (line && element && !element.closest("#gutter")) showLine(Number(line.textContent));
}

// The fragment says what is pinned: #row-3, #reloc-1, or a slot in a loader's column.
export function pinFromAddress() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id ? document.getElementById(id) : null;
  pin(target?.closest("[data-key]") ?? null);
}

function place(fragment) {
  history.replaceState(history.state, "", location.pathname + location.search + fragment);
  pinFromAddress();
}

export function start() {
  index();
  pinFromAddress();
  window.addEventListener("hashchange", pinFromAddress);
  document.addEventListener("pointerover", (event) => {
    light(event.target.closest?.("[data-key]") ?? null);
  });
  document.addEventListener("focusin", (event) => {
    light(event.target.closest?.("[data-key]") ?? null);
  });
  const area = document.getElementById("source");
  area?.addEventListener("pointermove", (event) => light(lineAt(event)));
  area?.addEventListener("pointerleave", () => light(null));
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("tr[data-key]");
    if (!row || event.target.closest("a, button") || !getSelection().isCollapsed) return;
    place(pinned.has(row) && location.hash === `#${row.id}` ? "" : `#${row.id}`);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && location.hash) place("");
  });
}
