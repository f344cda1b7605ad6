// The files as tabs: arrows, Home and End move, F2 renames, Delete removes; a menu has it all.

import { ask, element } from "./dialog.js";
import { focus } from "./editor.js";
import * as workspace from "./workspace.js";

const head = document.getElementById("pane-head");
const list = element("div", { className: "tabs" });
let removed = null; // {at, name, text}: what Undo brings back

const tabId = (id) => `file-${id}`;

function tab(file) {
  const isMain = file === workspace.main();
  const isShown = file === workspace.shown();
  const made = element("button", { type: "button", id: tabId(file.id), className: "tab" }, file.name);
  made.setAttribute("role", "tab");
  made.setAttribute("aria-selected", String(isShown));
  made.setAttribute("aria-controls", "editor");
  made.tabIndex = isShown ? 0 : -1;
  made.dataset.file = file.id;
  if (isMain) {
    made.title = "This file is compiled; it includes the others";
    made.append(" ", element("span", { className: "main-mark", textContent: "main" }));
  }
  return made;
}

function draw() {
  const inside = list.contains(document.activeElement);
  list.replaceChildren(...workspace.all().map(tab));
  const { id } = workspace.shown();
  document.getElementById("editor").setAttribute("aria-labelledby", tabId(id));
  const current = document.getElementById(tabId(id));
  if (inside) current.focus();
  // Only the tabs move: on a narrow screen they stand below the result, and the page stays.
  const [left, right] = [current.offsetLeft - list.offsetLeft, list.clientWidth - current.offsetWidth];
  if (left < list.scrollLeft) list.scrollLeft = left;
  else if (left - right > list.scrollLeft) list.scrollLeft = left - right;
  document.querySelector(".file-name").textContent = workspace.main().name;
  const actions = document.getElementById("file-actions");
  for (const button of actions.querySelectorAll("[data-action]")) {
    const main = workspace.shown() === workspace.main();
    const { action } = button.dataset;
    button.disabled =
      (action === "remove" && main) ||
      (action === "compile" && (main || !workspace.shown().name.endsWith(".c")));
  }
}

async function rename() {
  const { id, name } = workspace.shown();
  const problem = (text) => workspace.problem(text, id);
  const asked = { title: `Rename ${name}`, label: "Name", value: name, button: "Rename", problem };
  const chosen = await ask(asked);
  if (chosen) workspace.rename(id, chosen);
  document.getElementById(tabId(id))?.focus();
}

async function add() {
  let number = 1;
  while (workspace.named(`helpers${number > 1 ? number : ""}.h`)) number += 1;
  const value = `helpers${number > 1 ? number : ""}.h`;
  const { problem } = workspace;
  const asked = { title: "New file", label: "Name", value, button: "Add", problem };
  const chosen = await ask(asked);
  if (!chosen) return;
  workspace.add(chosen, "");
  focus();
}

function remove() {
  const file = workspace.shown();
  if (file === workspace.main()) return;
  removed = { name: file.name, text: file.text };
  workspace.remove(file.id);
  const undo = element("button", { type: "button", className: "link-button", textContent: "Undo" });
  undo.addEventListener("click", () => {
    note.replaceChildren();
    if (removed && !workspace.named(removed.name)) workspace.add(removed.name, removed.text);
    removed = null;
    focus();
  });
  const note = document.getElementById("source-note");
  note.replaceChildren(`${file.name} removed `, undo);
}

const ACTIONS = { add, rename, remove, compile: () => workspace.compile(workspace.shown().id) };

function menu() {
  const items = [
    ["rename", "Rename", "F2"],
    ["compile", "Make it the main file", ""],
    ["remove", "Remove", "Delete"],
  ].map(([action, text, key]) => {
    const button = element("button", { type: "button" }, text);
    if (key) button.append(" ", element("kbd", { textContent: key }));
    button.dataset.action = action;
    return element("li", {}, button);
  });
  const summary = element("summary", { textContent: "⋯", title: "This file" });
  summary.setAttribute("aria-label", "This file: rename, remove, make it the main file");
  return element("details", { className: "file-menu" }, summary, element("ul", {}, ...items));
}

function onKey(event) {
  const tabs = [...list.children];
  const at = tabs.indexOf(event.target.closest(".tab"));
  if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to !== undefined) workspace.show(Number(tabs.at(to % tabs.length).dataset.file));
  else if (event.key === "F2") rename();
  else if (event.key === "Delete") remove();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

export function start() {
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Files");
  const plus = element("button", { type: "button", className: "quiet", textContent: "+", title: "New file" });
  plus.setAttribute("aria-label", "New file");
  plus.dataset.action = "add";
  const actions = element("div", { className: "file-actions", id: "file-actions" }, plus, menu());
  head.prepend(list, actions);
  head.classList.add("has-tabs");
  document.getElementById("editor").setAttribute("role", "tabpanel");
  list.addEventListener("click", (event) => {
    const chosen = event.target.closest(".tab");
    if (chosen) workspace.show(Number(chosen.dataset.file));
  });
  list.addEventListener("dblclick", rename);
  list.addEventListener("keydown", onKey);
  actions.addEventListener("click", (event) => {
    const action = event.target.closest("[data-action]")?.dataset.action;
    if (!action) return;
    actions.querySelector("details").open = false;
    ACTIONS[action]();
  });
  workspace.onChange((what) => {
    if (what !== "text" && what !== "written") draw();
  });
  draw();
}
