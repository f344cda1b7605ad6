// Starts what the page needs. Everything here adds to a page that works without it.

import * as autorun from "./autorun.js";
import * as drafts from "./drafts.js";
import * as editor from "./editor.js";
import * as files from "./files.js";
import * as keys from "./keys.js";
import * as links from "./links.js";
import { readLog } from "./log.js";
import * as share from "./share.js";
import * as tabs from "./tabs.js";
import * as unsaved from "./unsaved.js";
import * as workspace from "./workspace.js";

const form = document.getElementById("run-form");
const result = document.getElementById("result");
const sourceNote = document.getElementById("source-note");

function run() {
  form.requestSubmit(document.getElementById("run"));
}

function note(...parts) {
  sourceNote.replaceChildren(...parts);
}

function noteButton(text, action) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link-button";
  button.textContent = text;
  button.addEventListener("click", action);
  return button;
}

function settle() {
  editor.annotate(result);
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
const MENUS = "details.picker[open], details.examples[open], details.file-menu[open]";

function closeMenus(except) {
  for (const menu of document.querySelectorAll(MENUS)) {
    if (!menu.contains(except)) menu.open = false;
  }
}

function summarise() {
  const chosen = [...form.querySelectorAll("[name=kernel]:checked")].map((box) => box.value);
  const more = chosen.length > 1 ? ` +${chosen.length - 1}` : "";
  document.getElementById("kernels-summary").textContent = (chosen[0] ?? "none") + more;
}

function swapped() {
  settle();
  announce();
  // In the next frame, as then all is laid out once; here it would be twice.
  requestAnimationFrame(() => {
    const box = result.getBoundingClientRect();
    if (box.top > innerHeight * 0.8 || box.top < 0) result.scrollIntoView({ block: "start" });
  });
}

function pin(hash) {
  history.replaceState(history.state, "", location.pathname + location.search + hash);
  links.pinFromAddress();
}

// Puts work that was not run back into the editor, and says so.
function restore(saved) {
  workspace.load(saved);
  note("unsaved work, kept by this browser ", noteButton("Discard", () => {
    unsaved.discard();
    note();
  }));
}

async function offerLost() {
  const found = await unsaved.lost();
  if (!found || !unsaved.isPristine() || sourceNote.textContent) return;
  const when = found.time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  note(noteButton(`Open unsaved work of ${when}`, () => {
    found.take();
    restore(found.saved);
  }));
}

// What the page opens with: a link, a draft, or the server's own; then work that was not run.
async function begin() {
  unsaved.start();
  if (share.isLink(location.hash)) {
    if (await share.openLink(run, pin)) unsaved.settle();
    const saved = unsaved.find();
    if (saved) restore(saved);
  } else {
    const draft = drafts.fromAddress();
    if (draft) workspace.load(draft);
    unsaved.settle();
    const saved = unsaved.find();
    if (draft) {
      run();
      if (saved) document.addEventListener("htmx:after:swap", () => restore(saved), { once: true });
    } else if (saved) restore(saved);
  }
  await unsaved.ready();
  if (location.pathname === "/") offerLost();
}

function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  } else if (event.key === "Escape") {
    const open = document.activeElement?.closest("details[open]");
    closeMenus(null);
    open?.querySelector("summary").focus();
  }
}

function listen() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    if (event.target.closest?.("a[href='#source']:not([data-goto])")) setTimeout(editor.focus, 0);
    const place = event.target.closest?.("[data-goto]");
    if (!place) return;
    event.preventDefault();
    editor.goTo(...place.dataset.goto.split(":").map(Number), place.dataset.file);
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "kernel") summarise();
    if (event.target.matches("[data-submit]")) run();
  });
  document.addEventListener("coreplay:focus-editor", editor.focus);
  workspace.onChange((what) => {
    if (what === "shown") return;
    const stale = result.querySelector(".verdicts") && !autorun.isOn();
    if (stale) note(drafts.lastSent() && same(drafts.lastSent()) ? "" : "edited since this run");
    else if (what === "text") note();
  });
}

const same = (saved) => JSON.stringify(saved) === JSON.stringify(workspace.snapshot());

function listenToHtmx() {
  // The address may hold a whole state behind its #, which is nobody else's business.
  document.addEventListener("htmx:config:request", (event) => {
    const { headers } = event.detail.ctx.request;
    if (headers["HX-Current-URL"]) headers["HX-Current-URL"] = location.origin + location.pathname + location.search;
  });
  document.addEventListener("htmx:after:swap", () => {
    note(drafts.lastSent() && !same(drafts.lastSent()) ? "edited since this run" : "");
    swapped();
  });
  document.addEventListener("htmx:after:history:update", () => {
    if (drafts.lastSent()) unsaved.ran(drafts.lastSent());
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.error?.name !== "AbortError") unreachable();
  });
}

function startFiles() {
  const shown = () => {
    note();
    swapped();
  };
  files.start({
    run,
    note,
    isPristine: unsaved.isPristine,
    readLog: (file, withProgram) => readLog(file, withProgram, { shown, failed: unreachable }),
  });
}

if (form) {
  links.start();
  editor.annotate(result);
  startFiles();
  listen();
  listenToHtmx();
  drafts.start();
  share.start();
  keys.start();
  autorun.start(run);
  addEventListener("hashchange", () => {
    if (share.isLink(location.hash)) location.reload();
  });
  // htmx starts on DOMContentLoaded, after modules; a draft runs once it listens.
  document.addEventListener("DOMContentLoaded", () => setTimeout(begin, 0));
  // The editor's bundle is not asked for before the page was painted.
  requestAnimationFrame(() => {
    setTimeout(async () => {
      if (await editor.enhance({ leave: () => result.focus() })) tabs.start();
      document.documentElement.classList.add("ready");
    }, 0);
  });
}

document.getElementById("log-form")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
});
