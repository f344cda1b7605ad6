// Starts what the page needs. Everything here adds to a page that works without it.

import * as drafts from "./drafts.js";
import { annotate, goTo } from "./editor.js";
import * as files from "./files.js";
import * as links from "./links.js";

const form = document.getElementById("run-form");
const result = document.getElementById("result");

function run() {
  form.requestSubmit(document.getElementById("run"));
}

function settle() {
  annotate(result);
  links.index();
  links.pinFromAddress();
}

function announce() {
  const text = result.querySelector("[data-announce]")?.dataset.announce;
  if (!text) return;
  document.getElementById("announcer").textContent = text;
  document.title = `${text.trim()} · coreplay`;
}

function unreachable() {
  const box = document.createElement("div");
  box.className = "failure";
  box.dataset.announce = "The server did not answer.";
  const title = document.createElement("h2");
  title.textContent = "The server did not answer";
  const hint = document.createElement("p");
  hint.textContent = "Is it still running? Your source is untouched; press Run to try again.";
  box.append(title, hint);
  result.replaceChildren(box);
  announce();
}

// Menus made of <details> close like menus.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.picker[open], details.examples[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}

function summarise() {
  const chosen = [...form.querySelectorAll("[name=kernel]:checked")].map((box) => box.value);
  const more = chosen.length > 1 ? ` +${chosen.length - 1}` : "";
  document.getElementById("kernels-summary").textContent = (chosen[0] ?? "none") + more;
}

if (form) {
  links.start();
  annotate(result);
  files.start(run);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    } else if (event.key === "Escape") {
      const open = document.activeElement?.closest("details[open]");
      closeMenus(null);
      open?.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    const place = event.target.closest?.("[data-goto]");
    if (!place) return;
    event.preventDefault();
    goTo(...place.dataset.goto.split(":").map(Number));
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "kernel") summarise();
    if (event.target.matches("[data-submit]")) run();
  });
  const note = document.getElementById("source-note");
  document.getElementById("source").addEventListener("input", () => {
    if (result.querySelector(".verdicts")) note.textContent = "edited since this run";
  });
  document.addEventListener("htmx:after:swap", () => {
    note.textContent = "";
    settle();
    announce();
    const box = result.getBoundingClientRect();
    if (box.top > innerHeight * 0.8 || box.top < 0) result.scrollIntoView({ block: "start" });
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.error?.name !== "AbortError") unreachable();
  });
  // htmx starts on DOMContentLoaded, after modules; a draft runs once it listens.
  document.addEventListener("DOMContentLoaded", () => setTimeout(() => drafts.start(run), 0));
}
