// One hover lights all views. An element's own name is `data-key` (s3 a slot, r1 a relocation,
// l14 a source line), what it belongs to is `data-link`. Lit are the elements that it names, and
// those that name it. One Map holds both directions, so a hover costs what it lights.

import { lineAt, showLine } from "./editor.js";

let related = new Map(); // key -> elements with that key or naming it
const lit = new Set();
const pinned = new Set();
let shown = null; // the element whose relations are lit

function put(key, element) {
  const found = related.get(key);
  if (found) found.push(element);
  else related.set(key, [element]);
}

const keysOf = (element) => (element.dataset.link ?? "").split(" ").filter(Boolean);

function enter(element) {
  put(element.dataset.key, element);
  for (const key of keysOf(element)) if (key !== element.dataset.key) put(key, element);
}

export function index() {
  related = new Map();
  shown = null;
  for (const element of document.querySelectorAll("[data-key]")) enter(element);
}

// Takes in rows that came later.
export function add(root) {
  for (const element of root.querySelectorAll("[data-key]")) enter(element);
}

function relatives(element) {
  const { key } = element.dataset;
  const found = new Set([element]);
  for (const other of related.get(key) ?? []) found.add(other);
  for (const name of keysOf(element)) {
    for (const other of related.get(name) ?? []) if (other.dataset.key === name) found.add(other);
  }
  return found;
}

function show(set, name, elements) {
  for (const element of set) if (!elements.has(element)) element.classList.remove(name);
  for (const element of elements) if (!set.has(element)) element.classList.add(name);
  set.clear();
  for (const element of elements) set.add(element);
}

export function light(element) {
  if (element === shown) return;
  shown = element;
  show(lit, "lit", element ? relatives(element) : new Set());
}

function pin(element) {
  show(pinned, "pinned", element ? relatives(element) : new Set());
  const line = [...pinned].find((other) => other.closest("#gutter"));
  if (line && element && !element.closest("#gutter")) showLine(Number(line.textContent));
}

export const pinnedRow = () => [...pinned].find((element) => element.matches("tr.slot-row")) ?? null;

function decoded(fragment) {
  try {
    return decodeURIComponent(fragment.slice(1));
  } catch {
    return ""; // a stray % sign
  }
}

// The element that a fragment names: #row-3, #reloc-1, a slot in a column; #new-5 is slot 5 after
// relocation in the first column that has it, whatever the loader is called.
export function named(fragment) {
  const id = decoded(fragment);
  const slot = /^new-(\d+)$/.exec(id);
  if (!slot) return id ? document.getElementById(id) : null;
  const cells = document.querySelectorAll(`#rows td.new[id$="-${slot[1]}"]`);
  return cells[0] ?? document.getElementById(`row-${slot[1]}`);
}

// The fragment says what is pinned.
export function pinFromAddress() {
  pin(named(location.hash)?.closest("[data-key]") ?? null);
}

export function place(fragment) {
  history.replaceState(history.state, "", location.pathname + location.search + fragment);
  pinFromAddress();
}

export function toggle(row) {
  place(pinned.has(row) && location.hash === `#${row.id}` ? "" : `#${row.id}`);
}

const keyed = (event) => event.target.closest?.("[data-key]") ?? null;

export function start() {
  index();
  pinFromAddress();
  window.addEventListener("hashchange", pinFromAddress);
  document.addEventListener("pointerover", (event) => light(keyed(event)));
  document.addEventListener("focusin", (event) => light(keyed(event)));
  const area = document.getElementById("source");
  area?.addEventListener("pointermove", (event) => light(lineAt(event)));
  area?.addEventListener("pointerleave", () => light(null));
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("tr[data-key], g[data-key]");
    if (!row?.id || event.target.closest("a, button, summary") || !getSelection().isCollapsed) return;
    toggle(row);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (location.hash && !location.hash.startsWith("#s=")) place("");
  });
}
