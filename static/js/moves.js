// The keys of the bytecode table: from row to row, relocation to relocation, difference to
// difference. Keys without Control or Alt do nothing while typing, and can be switched off.

import { WORDS } from "./cards.js";
import { pinnedRow, toggle } from "./links.js";
import * as rows from "./rows.js";
import { read, write } from "./storage.js";

const OFF = "coreplay-keys-off";
const TYPING = "input, textarea, select, c-editor, dialog, [role=separator], [role=tablist], [contenteditable]";
const PAGE = 12;

const current = () =>
  document.activeElement?.closest?.(".slot-row") ?? pinnedRow();

function focus(row) {
  if (!row) return;
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

async function by(distance) {
  const list = rows.all();
  const now = current();
  if (!now) return focus(distance > 0 ? list[0] : list.at(-1));
  const at = list.indexOf(now) + distance;
  if (at >= list.length && (await rows.more())) return focus(rows.all()[at]);
  return focus(list[Math.min(Math.max(at, 0), list.length - 1)]);
}

// The next row that has a relocation; pages are fetched until one has.
async function relocation(forward) {
  for (;;) {
    const list = rows.all();
    const now = current();
    const at = now ? list.indexOf(now) : forward ? -1 : list.length;
    const rest = forward ? list.slice(at + 1) : list.slice(0, Math.max(at, 0)).reverse();
    const found = rest.find((row) => row.querySelector("td.why a"));
    if (found) return focus(found);
    if (!forward || !(await rows.more())) return undefined;
  }
}

async function difference(forward) {
  const table = document.querySelector("#bytes table");
  const starts = (table?.dataset.differs ?? "").split(" ").filter(Boolean).map(Number);
  const now = current() ? Number(current().id.slice(4)) : forward ? -1 : Infinity;
  const found = forward ? starts.find((slot) => slot > now) : starts.findLast((slot) => slot < now);
  if (found !== undefined) focus(await rows.reach(found));
}

// Words in a row that have a card: left and right go through them.
function word(row, forward) {
  const words = [...row.querySelectorAll(WORDS)].filter((e) => e.checkVisibility());
  const at = words.indexOf(document.activeElement);
  const next = words[at < 0 ? (forward ? 0 : words.length - 1) : at + (forward ? 1 : -1)];
  if (!next) return focus(row);
  next.tabIndex = -1;
  return next.focus();
}

const EVERYWHERE = {
  j: () => by(1),
  k: () => by(-1),
  "]": () => relocation(true),
  "[": () => relocation(false),
  n: () => difference(true),
  N: () => difference(false),
};
const IN_THE_TABLE = {
  ArrowDown: () => by(1),
  ArrowUp: () => by(-1),
  PageDown: () => by(PAGE),
  PageUp: () => by(-PAGE),
  Home: () => focus(rows.all()[0]),
  End: () => focus(rows.all().at(-1)),
};

function inTheTable(event) {
  const row = event.target.closest("#bytes .slot-row");
  if (row && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    return () => word(row, event.key === "ArrowRight");
  }
  if (row === event.target && event.key === "Enter") return () => toggle(row);
  return event.target.closest("#bytes") ? IN_THE_TABLE[event.key] : undefined;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (!rows.all().length || event.target.closest?.(TYPING)) return;
  const everywhere = read(OFF) ? undefined : EVERYWHERE[event.key];
  const action = everywhere ?? inTheTable(event);
  if (!action) return;
  event.preventDefault();
  action();
}

export function start() {
  document.addEventListener("keydown", onKey);
  const choice = document.getElementById("single-keys");
  if (!choice) return;
  choice.checked = !read(OFF);
  choice.addEventListener("change", () => write(OFF, choice.checked ? "" : "1"));
}
