// Long programs come by pages. The next one is fetched when the end of the table is near, and put
// below; what is further away is turned to. Rows are taken only from the object that is shown.

import { add, place } from "./links.js";

const PART = { "HX-Request": "true", "HX-Request-Type": "partial" };
const NEAR = 1200; // pixels from the end
const MOST = 12000; // rows in the page; then it is turned like a book
let sent = null; // the form as it was when the result was asked for
let loading = null;
let waiting = null; // a row to go to once its page is there

const pager = () => document.querySelector("#program .pager");
const rows = () => document.getElementById("rows");
export const row = (number) => document.getElementById(`row-${number}`);
export const all = () => [...(rows()?.querySelectorAll(".slot-row") ?? [])];

async function part(turn) {
  if (turn.localName === "a") return fetch(turn.href, { headers: PART });
  const body = sent ?? new FormData(document.getElementById("run-form"));
  const form = new FormData();
  for (const [name, value] of body) form.append(name, value);
  form.append(turn.name, turn.value);
  return fetch("/analyse", { method: "POST", body: form, headers: PART });
}

// Puts the rows of another page of the same program below those that are there.
function take(html) {
  const made = new DOMParser().parseFromString(html, "text/html"); // escaped by our own server
  const mine = document.getElementById("program");
  const theirs = made.getElementById("program");
  if (!theirs || theirs.dataset.object !== mine.dataset.object) return false;
  const fresh = document.createElement("tbody");
  fresh.append(...made.getElementById("rows").children);
  add(fresh);
  rows().append(...fresh.children);
  const records = document.querySelector(".records tbody");
  const more = made.querySelector(".records tbody");
  if (records && more) {
    add(more);
    records.append(...more.children);
    window.htmx?.process(records);
  }
  turned(made.querySelector("#program .pager"));
  return true;
}

function turned(next) {
  const now = pager();
  next.dataset.first = now.dataset.first;
  next.querySelector("span").textContent = next
    .querySelector("span")
    .textContent.replace(/\d+/, now.dataset.first);
  next.querySelector(".earlier")?.remove();
  const earlier = now.querySelector(".earlier");
  if (earlier) next.prepend(earlier);
  now.replaceWith(next);
  window.htmx?.process(next);
}

async function fetched() {
  const turn = pager()?.querySelector(".later");
  if (!turn || all().length > MOST) return false;
  const program = document.getElementById("program");
  turn.setAttribute("aria-busy", "true");
  try {
    const answer = await part(turn);
    if (!answer.ok || document.getElementById("program") !== program) return false;
    return take(await answer.text());
  } catch {
    return false; // the button stays, and says what is wrong when it is pressed
  } finally {
    turn.removeAttribute("aria-busy");
    loading = null;
  }
}

// Fetches the next page; false where there is none.
export function more() {
  loading ??= fetched();
  return loading;
}

// Turns to the page that holds a row, and goes there once it is shown.
function turnTo(number) {
  const turn = pager()?.querySelector(".turn");
  if (!turn) return;
  waiting = number;
  if (turn.localName === "a") {
    const url = new URL(turn.href);
    url.searchParams.set("at", number);
    turn.href = url;
    turn.setAttribute("hx-get", url.pathname + url.search);
    window.htmx?.process(turn);
  } else {
    turn.value = number;
  }
  turn.click();
}

// Gives a row by its number, fetching a page or two for it; null where the page is turned.
export async function reach(number) {
  for (let pages = 0; pages < 3; pages += 1) {
    const found = row(number);
    if (found) return found;
    const last = Number(pager()?.dataset.last ?? -1);
    if (number < last || number > last + 600 || !(await more())) break;
  }
  if (!row(number)) turnTo(number);
  return row(number);
}

function follow() {
  const named = /^#(?:row|old|new)-(\d+)$/.exec(location.hash);
  const total = Number(pager()?.dataset.total ?? 0);
  if (waiting !== null) {
    const number = waiting;
    waiting = null;
    place(`#row-${number}`);
    row(number)?.scrollIntoView({ block: "center" });
  } else if (named && !row(named[1]) && Number(named[1]) < total) {
    reach(Number(named[1])).then((found) => {
      if (!found) return;
      place(location.hash);
      found.scrollIntoView({ block: "center" });
    });
  }
}

function watch() {
  const box = document.getElementById("bytes");
  box?.addEventListener(
    "scroll",
    () => {
      if (box.scrollTop + box.clientHeight > box.scrollHeight - NEAR) more();
    },
    { passive: true },
  );
  follow();
}

export function start() {
  document.addEventListener("htmx:before:request", () => {
    const form = document.getElementById("run-form");
    sent = form ? new FormData(form) : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    loading = null;
    watch();
  });
  window.addEventListener("hashchange", follow);
  watch();
}
