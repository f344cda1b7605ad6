// Files that are dropped anywhere on the page or chosen: C becomes tabs, an object goes with the
// form, a log is read.

import { element } from "./dialog.js";
import { WANTED, kindOf } from "./kinds.js";
import * as workspace from "./workspace.js";

const HEAD = 4096;
const C_BYTES = 512 * 1024;
const MOST = 64;

const pane = document.getElementById("source-pane");
const input = document.getElementById("object");
const chip = document.getElementById("object-chip");
const problemBox = document.getElementById("drop-problem");

export function size(bytes) {
  return bytes < 1000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} kB`;
}

export const object = () => input.files[0] ?? null;

export function dropObject() {
  input.value = "";
  chip.replaceChildren();
  chip.hidden = true;
  pane.classList.remove("using-object");
}

// Makes an object what is sent; the source stays in the editor.
export function useObject(file) {
  const transfer = new DataTransfer();
  transfer.items.add(file);
  input.files = transfer.files;
  const name = element("b", { textContent: file.name });
  const text = element("span", {}, "Showing ", name, ` (${size(file.size)}), not the source.`);
  const back = element("button", { type: "button", textContent: "Use the source" });
  back.addEventListener("click", () => {
    dropObject();
    document.dispatchEvent(new CustomEvent("coreplay:focus-editor"));
  });
  chip.replaceChildren(text, back);
  chip.hidden = false;
  pane.classList.add("using-object");
}

async function sorted(files) {
  const found = { source: [], object: [], log: [], problems: [] };
  for (const file of files.slice(0, MOST)) {
    try {
      const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
      const { kind, problem } = kindOf(file.name, head);
      if (kind === "source" && file.size > C_BYTES) {
        found.problems.push(`${file.name} has ${size(file.size)}; C has at most ${size(C_BYTES)} here.`);
      } else if (kind) found[kind].push(file);
      else found.problems.push(problem);
    } catch {
      found.problems.push(`${file.name} cannot be read; is it a folder? ${WANTED}`);
    }
  }
  if (files.length > MOST) found.problems.push(`Only the first ${MOST} files were taken.`);
  return found;
}

function nameOf(file) {
  const name = file.name.replace(/[^A-Za-z0-9_.+-]/g, "_").slice(-100);
  const ended = /\.[ch]$/.test(name) ? name : `${name.slice(0, 90)}.c`;
  return /^[A-Za-z0-9_]/.test(ended) ? ended : `_${ended.slice(1)}`;
}

// C takes the place of an untouched example, and stands beside one's own work.
async function takeSource(files, isPristine) {
  const texts = [];
  for (const file of files) {
    texts.push([nameOf(file), (await file.text()).replaceAll("\r\n", "\n").replaceAll("\0", "")]);
  }
  dropObject();
  const main = texts.find(([name]) => name.endsWith(".c"))?.[0];
  if (main && isPristine()) {
    workspace.load({ main, files: texts });
    return;
  }
  for (const [name, text] of texts) {
    const there = workspace.named(name);
    if (there) workspace.write(there.id, text);
    else workspace.add(name, text);
  }
  if (main) workspace.compile(workspace.named(main).id);
  workspace.show(workspace.named(main ?? texts[0][0]).id);
}

async function take(files, { run, note, readLog, isPristine }) {
  problemBox.textContent = "";
  const { source, object: objects, log, problems } = await sorted(files);
  if (source.length) {
    await takeSource(source, isPristine);
    note("not run yet");
  }
  if (objects.length) useObject(objects[0]);
  if (objects.length > 1) problems.push(`Of ${objects.length} objects, ${objects[0].name} is shown.`);
  problemBox.textContent = problems.join(" ");
  if (log.length) readLog(log[0], source.length > 0 || objects.length > 0);
  else if (objects.length) run();
}

export function start(page) {
  input.multiple = true;
  input.addEventListener("change", () => {
    const files = [...input.files];
    if (!files.length) {
      dropObject();
      return;
    }
    input.value = "";
    take(files, page);
  });
  const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (is) => document.body.classList.toggle("dropping", is);
  document.addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    over(true);
  }, true);
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    event.stopPropagation();
    over(false);
    take([...event.dataTransfer.files], page);
  }, true);
}
