// The real verifier: asked from the result without leaving it, followed while it works, its log
// read in place. Every link and form here leads somewhere without this module, too.

import * as links from "./links.js";

const PART = { "HX-Request": "true", "HX-Request-Type": "partial" };
const KINDS = ["planned", "place", "started", "result", "done", "failed", "cancelled"];
const LAST = new Set(["done", "failed", "cancelled"]);
const PAUSE = 250; // milliseconds between two looks at a job under way
const answer = () => document.getElementById("verify-answer");
const embedded = () => Boolean(document.getElementById("run-form"));
let sent = null; // the form as it was when the result was asked for
let stream = null;
let turn = 0; // the latest request; earlier ones that answer later are dropped

function problem(text) {
  const box = document.createElement("p");
  box.className = "failure";
  box.textContent = text;
  return box;
}

async function fetched(url, options = {}) {
  try {
    const response = await fetch(url, { ...options, headers: PART });
    return await response.text();
  } catch {
    return null;
  }
}

// Puts a part in place of the answer and follows the job that it is about.
function put(html, { focus = false } = {}) {
  const box = answer();
  if (!box) return;
  if (html === null) box.replaceChildren(problem("The server did not answer. Ask again."));
  else box.innerHTML = html; // from our own server, escaped there
  box.removeAttribute("aria-busy");
  settle(focus);
}

function settle(focus) {
  links.index();
  follow();
  const box = answer();
  const line = box?.querySelector(".log-line[aria-current]") ?? box?.querySelector(".is-error");
  if (line) center(line);
  if (!focus) return;
  const head = box.querySelector(".log-scroll") ?? box.querySelector(".verify-job a, .verify-job button");
  head?.focus({ preventScroll: true });
}

// Scrolls the log alone; the page stays where it is.
function center(line) {
  const box = line.closest(".log-scroll");
  if (!box) return;
  const top = line.getBoundingClientRect().top - box.getBoundingClientRect().top;
  box.scrollTop += top - box.clientHeight / 2;
}

async function load(url, options, { focus = true } = {}) {
  const mine = (turn += 1);
  answer().setAttribute("aria-busy", "true");
  const html = await fetched(url, options);
  if (mine === turn) put(html, { focus });
}

function stop() {
  stream?.close();
  stream = null;
}

// Looks again whenever something happened; the server draws what is seen.
function follow() {
  stop();
  const job = answer()?.querySelector(".verify-job[data-running]");
  if (!job) return;
  const { url } = job.dataset;
  let timer = 0;
  const look = async (last) => {
    const mine = turn;
    const html = await fetched(url);
    if (mine !== turn || (!last && !stream)) return;
    if (last) stop();
    if (last && !embedded() && url.includes("/log/")) {
      location.reload(); // the log is a page with a title of its own
      return;
    }
    const held = answer()?.contains(document.activeElement);
    const open = stream;
    stream = null; // follow() is not to begin anew
    const box = answer();
    if (html !== null && box) box.innerHTML = html; // from our own server, escaped there
    stream = open;
    if (held && !answer().contains(document.activeElement)) answer().querySelector("button, a")?.focus();
    if (last) settle(false);
  };
  stream = new EventSource(`/api/v1/jobs/${job.dataset.job}/events`);
  for (const kind of KINDS) {
    stream.addEventListener(kind, () => {
      clearTimeout(timer);
      if (LAST.has(kind)) look(true);
      else timer = setTimeout(look, PAUSE, false);
    });
  }
}

async function showState(line) {
  const log = answer().querySelector(".verify-log");
  const row = document.getElementById(`log-${line}`);
  if (!log || !row) return;
  log.querySelector(".log-line[aria-current]")?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  const html = await fetched(`${log.dataset.base}/state/${line}`);
  const panel = document.getElementById("log-state");
  if (html !== null && panel && row.hasAttribute("aria-current")) panel.innerHTML = html; // escaped there
}

// j and k step through the instructions of the log while it has the focus.
function step(event) {
  const box = event.target.closest?.("#log-lines");
  const by = { j: 1, k: -1 }[event.key];
  if (!box || !by || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  const rows = [...box.querySelectorAll(".log-line[data-key]")];
  const at = rows.findIndex((row) => row.hasAttribute("aria-current"));
  const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
  if (!next || next === rows[at]) return;
  showState(next.id.slice(4));
  next.scrollIntoView({ block: "nearest" });
  links.light(next);
}

function submitted(event) {
  const button = event.submitter;
  if (button?.hasAttribute("data-verify")) {
    event.preventDefault();
    const body = new FormData();
    const now = new FormData(event.target);
    for (const [name, value] of sent ?? now) if (!name.startsWith("v-")) body.append(name, value);
    for (const [name, value] of now) if (name.startsWith("v-")) body.append(name, value);
    answer().scrollIntoView({ block: "nearest" });
    load(button.formAction, { method: "POST", body });
  } else if (event.target.matches("[data-cancel]")) {
    event.preventDefault();
    fetched(event.target.action, { method: "POST" });
  } else if (event.target.matches("[data-part]") && embedded()) {
    event.preventDefault();
    const body = new FormData(event.target, button);
    if (event.target.method === "post") load(event.target.action, { method: "POST", body });
    else load(`${event.target.action}?${new URLSearchParams(body)}`);
  }
}

function clicked(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const state = event.target.closest?.("[data-state]");
  if (state) {
    event.preventDefault();
    showState(state.dataset.state);
    return;
  }
  const part = event.target.closest?.("a[data-part]");
  if (!part || !embedded()) return;
  event.preventDefault();
  load(part.href);
}

// Keeps what the result on the page was made from; what is typed later is not asked about.
function remember() {
  const form = document.getElementById("run-form");
  sent = form ? new FormData(form) : null;
}

if (!embedded() && answer()) links.start();
document.addEventListener("submit", submitted, true);
document.addEventListener("click", clicked);
document.addEventListener("keydown", step, true);
document.addEventListener("htmx:before:request", remember);
document.addEventListener("htmx:after:swap", stop);
addEventListener("pagehide", stop);
if (answer()) settle(false);
