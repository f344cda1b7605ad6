// The files in the editor: names, texts, which one is compiled (main), which one is shown.
// The form's own fields follow, so that what is sent is always what is seen.

const area = document.getElementById("source");
const others = document.getElementById("other-files");
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$/;
const MOST = 64;

let files = []; // {id, name, text}
let mainId = 0;
let shownId = 0;
let lastId = 0;
const listeners = new Set();

const fresh = (name, text) => ({ id: (lastId += 1), name, text });
const tell = (what, id) => listeners.forEach((listener) => listener(what, id));

export const all = () => files;
export const file = (id) => files.find((one) => one.id === id);
export const named = (name) => files.find((one) => one.name === name);
export const main = () => file(mainId);
export const shown = () => file(shownId);

// `listener(what, id)`: what is "text" (typed), "written" (set by the page), "files" or "shown".
export function onChange(listener) {
  listeners.add(listener);
}

function field(type, name, value) {
  const element = document.createElement(type);
  element.name = name;
  element.value = value;
  element.hidden = true;
  return element;
}

function mirror() {
  if (area.value !== main().text) area.value = main().text;
  const fields = files
    .filter((one) => one.id !== mainId)
    .flatMap((one) => [field("input", "file", one.name), field("textarea", "text", one.text)]);
  others.replaceChildren(field("input", "main", main().name), ...fields);
  for (const element of others.children) element.setAttribute("aria-hidden", "true");
}

// Says what is wrong with a name, or nothing.
export function problem(name, id = 0) {
  if (!NAME.test(name)) return "Letters, digits and _ . + - make a name.";
  if (!/\.[ch]$/.test(name)) return "A name ends in .c or .h.";
  if (files.some((one) => one.name === name && one.id !== id)) return "There is such a file already.";
  if (id === mainId && !name.endsWith(".c")) return "The file that is compiled ends in .c.";
  return "";
}

export function snapshot() {
  return { main: main().name, files: files.map(({ name, text }) => [name, text]) };
}

export function load(saved) {
  files = saved.files.slice(0, MOST).map(([name, text]) => fresh(name, text));
  mainId = (named(saved.main) ?? files[0]).id;
  shownId = mainId;
  mirror();
  tell("files", mainId);
}

export function write(id, text, byHand = false) {
  const found = file(id);
  if (!found || found.text === text) return;
  found.text = text;
  mirror();
  tell(byHand ? "text" : "written", id);
}

export function add(name, text) {
  if (files.length >= MOST) return null;
  const added = fresh(name, text);
  files = [...files, added];
  mirror();
  show(added.id, "files");
  return added;
}

export function rename(id, name) {
  file(id).name = name;
  mirror();
  tell("files", id);
}

// The main file stays: there is always something to compile.
export function remove(id) {
  if (id === mainId) return;
  const at = files.findIndex((one) => one.id === id);
  files = files.filter((one) => one.id !== id);
  mirror();
  show(shownId === id ? files[Math.max(at - 1, 0)].id : shownId, "files");
}

export function compile(id) {
  mainId = id;
  mirror();
  tell("files", id);
}

export function show(id, what = "shown") {
  if (what === "shown" && shownId === id) return;
  shownId = id;
  tell(what, id);
}

if (area) {
  const given = [...others.querySelectorAll("label")].map((label) => [
    label.querySelector("input").value,
    label.querySelector("textarea").value,
  ]);
  const name = others.querySelector("[name=main]").value;
  files = [[name, area.value], ...given].map((one) => fresh(...one));
  mainId = shownId = files[0].id;
  area.addEventListener("input", () => write(mainId, area.value, true));
}
