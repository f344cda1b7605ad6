// A relocation in a drawer beside the result. The fragment #why-3 names the one that is open, so
// Back closes it and an address opens it. Without scripts the same links lead to a page of its own.

import { part } from "./parts.js";
import { key, start as startWalk } from "./walk.js";

let dialog = null;
let body = null;
let opener = null;
let pushed = false;
let asked = 0; // the latest request; earlier ones that answer later are dropped

const wanted = () => /^#why-(\d+)$/.exec(location.hash)?.[1];

function make() {
  dialog = document.createElement("dialog");
  dialog.className = "drawer";
  dialog.setAttribute("aria-label", "Relocation step by step");
  const close = document.createElement("button");
  close.type = "button";
  close.className = "turn drawer-close";
  close.textContent = "Close";
  const hint = document.createElement("kbd");
  hint.textContent = "Esc";
  close.append(hint);
  close.addEventListener("click", () => dialog.close());
  const bar = document.createElement("div");
  bar.className = "drawer-bar";
  bar.append(close);
  body = document.createElement("div");
  body.className = "drawer-body";
  dialog.append(bar, body);
  dialog.addEventListener("close", closed);
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.stopPropagation(); // the page behind keeps its pin
    const article = body.querySelector(".walk");
    if (article) key(article, event);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  document.body.append(dialog);
}

function closed() {
  asked += 1;
  if (wanted()) {
    if (pushed) history.back();
    else history.replaceState(history.state, "", location.pathname + location.search);
  }
  pushed = false;
  const back = opener?.isConnected ? opener : document.getElementById(opener?.id ?? "");
  back?.focus();
}

function problem(text) {
  const box = document.createElement("p");
  box.className = "failure";
  box.textContent = text;
  return box;
}

async function fill(element) {
  const mine = (asked += 1);
  dialog.setAttribute("aria-busy", "true");
  const html = await part(element);
  if (mine !== asked) return;
  dialog.removeAttribute("aria-busy");
  const way = element.dataset.way ?? "";
  const article = body.querySelector(".walk");
  const size = article?.dataset.size;
  if (html === null) body.replaceChildren(problem("The server did not answer."));
  else body.innerHTML = html; // from our own server, escaped there
  const next = body.querySelector(".walk");
  if (next && size) next.dataset.size = size;
  startWalk(next);
  if (next && element.dataset.drawer === "inside") remember(next.dataset.relocation);
  const again = way ? [...body.querySelectorAll("[data-way]")].find((e) => e.dataset.way === way) : null;
  (again ?? body.querySelector("#walk-title, .failure h2"))?.focus();
}

function remember(number) {
  history.replaceState(history.state, "", `${location.pathname}${location.search}#why-${number}`);
  opener = document.getElementById(`why-${number}`) ?? opener;
}

function open(element, { push }) {
  if (!dialog) make();
  opener = element;
  pushed = push;
  if (push && element.id) history.pushState(history.state, "", `#${element.id}`);
  body.replaceChildren();
  if (!dialog.open) dialog.showModal();
  fill(element);
}

function follow() {
  const number = wanted();
  const element = number ? document.getElementById(`why-${number}`) : null;
  if (element && !dialog?.open) open(element, { push: false });
  else if (!number && dialog?.open) dialog.close();
}

export function start() {
  document.addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-drawer]");
    if (!element || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (dialog?.open && dialog.contains(element)) fill(element);
    else open(element, { push: true });
  });
  document.addEventListener("htmx:after:swap", follow);
  window.addEventListener("hashchange", follow);
  window.addEventListener("popstate", follow);
  follow();
}
