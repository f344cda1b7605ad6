// Work that was not run yet stays in this browser, for each browser tab on its own and for each
// address: a reload finds it again, and two tabs don't write over each other.

import { isLink } from "./share.js";
import { drop, isFiles, keys, read, readJson, write } from "./storage.js";
import * as workspace from "./workspace.js";

const PREFIX = "coreplay-work-";
const TAB = "coreplay-tab";
const ADDRESSES = 8;
const TABS = 20;
const PAUSE = 300;
const PATIENCE = 400; // ms until the lock of the page before a reload must be free

let tab = "";
let here = ""; // the address whose work is kept
let pristine = ""; // what the page came with
let timer = 0;
let claimed = false;

const fresh = () => crypto.getRandomValues(new Uint32Array(2)).join("");
const stored = () => readJson(PREFIX + tab)?.pages ?? {};

// A long link is named by a digest (FNV-1a): it is only told from other links.
function addressNow() {
  const { pathname, search, hash } = location;
  if (!isLink(hash)) return pathname + search;
  let digest = 0x811c9dc5;
  for (let at = 0; at < hash.length; at += 1) {
    digest = Math.imul(digest ^ hash.charCodeAt(at), 0x01000193) >>> 0;
  }
  return `${pathname}${search}#${digest.toString(16)}.${hash.length}`;
}

function save(pages) {
  const kept = Object.entries(pages).slice(-ADDRESSES);
  if (!kept.length) {
    drop(PREFIX + tab);
    return;
  }
  const text = JSON.stringify({ time: Date.now(), pages: Object.fromEntries(kept) });
  const others = keys(PREFIX)
    .filter((key) => key !== PREFIX + tab)
    .sort((a, b) => (readJson(a)?.time ?? 0) - (readJson(b)?.time ?? 0));
  while (others.length >= TABS) drop(others.shift());
  while (!write(PREFIX + tab, text)) {
    if (!others.length) return;
    drop(others.shift());
  }
}

function flush() {
  clearTimeout(timer);
  timer = 0;
  if (!claimed) return;
  const { [here]: _, ...pages } = stored();
  const now = workspace.snapshot();
  if (JSON.stringify(now) !== pristine) pages[here] = now;
  save(pages);
}

// Takes a name as this tab's own. A duplicated tab comes with the name of the first one.
function hold(name, signal) {
  return new Promise((resolve) => {
    const forever = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(PREFIX + name, { signal }, forever).catch(() => resolve(false));
  });
}

async function claim() {
  if (navigator.locks && !(await hold(tab, AbortSignal.timeout(PATIENCE)))) {
    const pages = stored();
    tab = fresh();
    await hold(tab);
    save(pages);
  }
  write(TAB, tab, true);
  claimed = true;
}

// What the page came with, or was set to by something other than typing: nothing to keep.
export function settle() {
  pristine = JSON.stringify(workspace.snapshot());
  here = addressNow();
}

export const isPristine = () => JSON.stringify(workspace.snapshot()) === pristine;

// After a run the work is a draft; it is kept no more under the address before.
export function ran(sent) {
  const { [here]: _, ...pages } = stored();
  if (claimed) save(pages);
  here = addressNow();
  pristine = JSON.stringify(sent);
  if (!isPristine()) flush();
}

export function discard() {
  workspace.load(JSON.parse(pristine));
  flush();
}

// The work of this tab at this address, if there is any.
export function find() {
  const saved = stored()[here];
  return isFiles(saved) ? saved : null;
}

// The newest work of a tab that is closed: {time, saved, take}.
export async function lost() {
  if (!navigator.locks) return null;
  const { held } = await navigator.locks.query();
  const open = new Set(held.map((lock) => lock.name));
  const closed = keys(PREFIX).filter((key) => key !== PREFIX + tab && !open.has(key));
  const found = closed
    .map((key) => ({ key, ...readJson(key) }))
    .filter(({ time, pages }) => Number.isFinite(time) && pages)
    .sort((a, b) => b.time - a.time)[0];
  const saved = found && Object.values(found.pages).at(-1);
  if (!isFiles(saved)) return null;
  return { time: new Date(found.time), saved, take: () => drop(found.key) };
}

export function start() {
  tab = read(TAB, true) ?? fresh();
  settle();
  workspace.onChange((what) => {
    if (what === "shown") return;
    clearTimeout(timer);
    timer = setTimeout(flush, PAUSE);
  });
  addEventListener("pagehide", () => {
    if (timer) flush();
  });
}

export const ready = claim;
