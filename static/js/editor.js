// The editor as the rest of the page sees it. Until its bundle is there, and where it does not
// come, the text stays in a textarea with a gutter. Each line of the main file has an element in
// the gutter that stands for it: what is done to its classes is shown on the line.

import * as workspace from "./workspace.js";

const BUNDLE = "../vendor/editor-6.43.15.js";
const box = document.getElementById("editor");
const area = document.getElementById("source");
const gutter = document.getElementById("gutter");
const marks = document.getElementById("marks");
let view = null; // the <c-editor>
let shown = 0;
let diagnostics = new Map(); // file name -> what the compiler says of its lines

// One element per line on each side of the text; both carry the key that links the views.
function fit() {
  const lines = workspace.main().text.split("\n").length;
  while (shown < lines) {
    shown += 1;
    const number = document.createElement("span");
    number.textContent = shown;
    number.dataset.key = `l${shown}`;
    gutter.append(number);
    const mark = document.createElement("span");
    mark.dataset.key = `l${shown}`;
    marks.append(mark);
  }
  while (shown > lines) {
    gutter.lastChild.remove();
    marks.lastChild.remove();
    shown -= 1;
  }
}

function follow() {
  gutter.scrollTop = area.scrollTop;
  marks.scrollTop = area.scrollTop;
}

export const source = () => workspace.main().text;

export const focus = () => (view ?? area).focus();

// Gives the element of the line under the pointer: the textarea lies above the marks.
export function lineAt(event) {
  const style = getComputedStyle(area);
  const top = area.getBoundingClientRect().top + parseFloat(style.paddingTop);
  const line = Math.floor((event.clientY - top + area.scrollTop) / parseFloat(style.lineHeight));
  return gutter.children[line] ?? null;
}

export function goTo(line, column = 1, name = "") {
  const file = workspace.named(name) ?? workspace.main();
  if (view) {
    workspace.show(file.id);
    view.goTo(line, column);
    return;
  }
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const at = start + Math.min(Math.max(column - 1, 0), lines[line - 1]?.length ?? 0);
  area.focus();
  area.setSelectionRange(at, at);
  showLine(line);
}

export function showLine(line, name = "") {
  if (view) {
    workspace.show((workspace.named(name) ?? workspace.main()).id);
    view.showLine(line);
    return;
  }
  const height = parseFloat(getComputedStyle(area).lineHeight);
  const top = (line - 1) * height;
  if (top < area.scrollTop || top > area.scrollTop + area.clientHeight - 2 * height) {
    area.scrollTop = Math.max(top - area.clientHeight / 3, 0);
  }
}

// Shows what the result says of lines: diagnostics, and the colours of the bytecode table.
export function annotate(result) {
  for (const list of [gutter.children, marks.children]) {
    for (const element of list) element.className = "";
  }
  for (const cell of result.querySelectorAll("[data-line]")) {
    gutter.children[cell.dataset.line - 1]?.classList.add("coloured", `k${cell.dataset.colour}`);
  }
  const main = workspace.main().name;
  diagnostics = new Map();
  for (const remark of result.querySelectorAll("[data-mark-line]")) {
    const { markFile: file = main, markLine, markColumn = 1, markText = "" } = remark.dataset;
    const severity = remark.dataset.markKind;
    if (!diagnostics.has(file)) diagnostics.set(file, []);
    const mark = { line: Number(markLine), column: Number(markColumn), severity, text: markText };
    diagnostics.get(file).push(mark);
    if (severity === "note" || file !== main) continue;
    gutter.children[mark.line - 1]?.classList.add(severity);
    marks.children[mark.line - 1]?.classList.add(severity);
  }
  for (const file of workspace.all()) tellMarks(file);
  const first = result.querySelector(".failure [data-mark-line]");
  if (first) showLine(Number(first.dataset.markLine), first.dataset.markFile);
}

function tellMarks(file) {
  view?.mark(file.id, diagnostics.get(file.name) ?? []);
}

const SHADES = ["lit", "pinned", "coloured"];

function shade() {
  const shades = [];
  [...gutter.children].forEach((element, at) => {
    const names = [...element.classList].filter((name) => SHADES.includes(name) || /^k\d$/.test(name));
    if (names.length) shades.push([at + 1, names.join(" ")]);
  });
  view.shade(workspace.main().id, shades);
}

function present() {
  const file = workspace.shown();
  const compiled = file === workspace.main();
  view.open(file.id, file.text, `${file.name}, C source${compiled ? "" : " beside the main file"}`);
  tellMarks(file);
  if (compiled) shade();
}

// The stand-in of a line hears of the pointer, so that one listener lights all views.
function light(line) {
  if (workspace.shown() !== workspace.main()) return;
  const standIn = line === null ? box : gutter.children[line - 1];
  standIn?.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
}

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function watchTheme() {
  const apply = () => {
    view.dark = isDark();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  const filter = { attributes: true, attributeFilter: ["data-theme"] };
  new MutationObserver(apply).observe(document.documentElement, filter);
  apply();
}

function takeOver(element) {
  const caret = document.activeElement === area ? area.selectionStart : null;
  box.append(element);
  view = element;
  watchTheme();
  present();
  box.classList.add("enhanced");
  area.hidden = true;
  if (caret !== null) {
    const before = area.value.slice(0, caret).split("\n");
    view.goTo(before.length, before.at(-1).length + 1);
  }
}

// Loads the editor and puts it in the place of the textarea.
export async function enhance({ leave }) {
  if (!box) return false;
  try {
    await import(BUNDLE);
  } catch {
    return false; // the textarea stays
  }
  const element = document.createElement("c-editor");
  element.addEventListener("edit", ({ detail }) => workspace.write(detail.id, detail.text, true));
  element.addEventListener("line", ({ detail }) => light(detail.line));
  element.addEventListener("caret", ({ detail }) => light(detail.line));
  element.addEventListener("leave", leave);
  takeOver(element);
  // It takes the focus without this, too; with it all see that its scrolling text does.
  element.shadowRoot.querySelector(".cm-content")?.setAttribute("tabindex", "0");
  const options = { subtree: true, attributes: true, attributeFilter: ["class"] };
  new MutationObserver(shade).observe(gutter, options);
  return true;
}

workspace.onChange((what, id) => {
  if (id === workspace.main().id || what === "files") fit();
  if (!view) return;
  if (what === "written") view.write(id, workspace.file(id).text);
  else if (what !== "text") present();
});

if (area) {
  area.addEventListener("input", follow);
  area.addEventListener("scroll", follow, { passive: true });
  fit();
}
