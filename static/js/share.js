// Copy link: everything that the page shows, in the address itself. Nothing is stored anywhere.

import { element, open } from "./dialog.js";
import * as files from "./files.js";
import { canShare, pack, unpack } from "./state.js";
import * as workspace from "./workspace.js";

const PREFIX = "#s=";
const LONG = 8000;
const OBJECT_BYTES = 1_000_000;
const form = document.getElementById("run-form");
const result = document.getElementById("result");

// What never goes through a link: files travel on their own, drafts belong to one browser.
const OWN = new Set("source main file text object kept kept_name auto example draft log".split(" "));
const isField = ([name, value]) => typeof value === "string" && !OWN.has(name) && /^[a-z_]{1,20}$/.test(name);

export const isLink = (hash) => hash.startsWith(PREFIX);

function fields() {
  const sent = [...new FormData(form)].filter(isField);
  const names = new Set(sent.map(([name]) => name));
  const seen = [...new URLSearchParams(location.search)].filter(isField);
  return [...sent, ...seen.filter(([name]) => !names.has(name))].filter(([, value]) => value.length <= 200);
}

async function address() {
  const file = files.object();
  const object = file && { name: file.name.slice(-200), bytes: new Uint8Array(await file.arrayBuffer()) };
  const hash = isLink(location.hash) ? "" : location.hash.slice(0, 200);
  const state = { ...workspace.snapshot(), fields: fields(), hash, object };
  return `${location.origin}/${PREFIX}${await pack(state)}`;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or not a secure context: the field is there to copy from
  }
}

function lengthWords(length) {
  const letters = `${length.toLocaleString("en")} characters.`;
  if (length <= LONG) return letters;
  return `${letters} Many chats and issue trackers cut an address of more than ${LONG.toLocaleString("en")}: attach the files there.`;
}

async function copy() {
  const file = files.object();
  if (file && file.size > OBJECT_BYTES) {
    const text = `${file.name} has ${files.size(file.size)}, too much for an address: send the file.`;
    open("No link", element("p", { textContent: text }));
    return;
  }
  const link = await address();
  const done = await copied(link);
  const field = element("input", { type: "text", readOnly: true, value: link, id: "link-field" });
  const status = element("p", { id: "link-status" });
  status.textContent = `${done ? "Copied: " : "Copy it with Ctrl+C: "}${lengthWords(link.length)}`;
  status.setAttribute("role", "status");
  const about = "The link itself holds the files and every choice. Nothing was sent to the server.";
  const label = element("label", { htmlFor: "link-field", className: "sr", textContent: "Link" });
  open("Link to this page", label, field, status, element("p", { className: "muted", textContent: about }));
  field.focus();
  field.select();
}

function choose(name, values, missing) {
  const boxes = [...form.querySelectorAll(`input[type=checkbox][name="${name}"]`)];
  const selects = [...form.querySelectorAll(`select[name="${name}"]`)];
  if (boxes.length) {
    for (const box of boxes) box.checked = values.includes(box.value);
    // The form sends kernels as they stand in the list, and the first one gives vmlinux.h.
    const list = boxes[0].closest("ul");
    for (const value of [...values].reverse()) {
      const item = boxes.find((box) => box.value === value)?.closest("li");
      const first = list.querySelector("li:has(input)");
      if (item && item !== first) first.before(item);
    }
    missing.push(...values.filter((value) => value && !boxes.some((box) => box.value === value)));
    boxes[0].dispatchEvent(new Event("change", { bubbles: true }));
  }
  selects.forEach((select, at) => {
    const value = values[at] ?? "";
    if ([...select.options].some((option) => option.value === value)) select.value = value;
    else if (value) missing.push(value);
  });
  return boxes.length + selects.length > 0;
}

function setFields(pairs) {
  const groups = new Map();
  for (const [name, value] of pairs.filter(isField)) {
    groups.set(name, [...(groups.get(name) ?? []), value]);
  }
  const missing = [];
  for (const old of document.querySelectorAll(".from-link")) old.remove();
  for (const [name, values] of groups) {
    if (choose(name, values, missing)) continue;
    for (const value of values) {
      form.append(element("input", { type: "hidden", className: "from-link", name, value }));
    }
  }
  return missing;
}

function sentence(title, text) {
  const box = element("div", { className: "failure" }, element("h2", { textContent: title }));
  box.append(element("p", { textContent: text }));
  box.setAttribute("role", "alert");
  result.replaceChildren(box);
}

function offer(state, missing, run) {
  const lines = state.files.reduce((sum, [, text]) => sum + text.trimEnd().split("\n").length, 0);
  const what = state.object
    ? `${state.object.name} (${files.size(state.object.bytes.length)})`
    : `${state.files.map(([name]) => name).join(", ")} (${lines} lines)`;
  const button = element("button", { type: "button", className: "primary", textContent: "Run" });
  button.append(element("kbd", { textContent: "Ctrl Enter" }));
  button.addEventListener("click", run);
  const box = element(
    "div",
    { className: "start", id: "from-link" },
    element("h2", { textContent: "Opened from a link" }),
    element("p", { textContent: `${what}, with all choices as they were. Nothing was sent yet: Run shows the result.` }),
    element("p", {}, button),
  );
  if (missing.length) {
    const words = `This server does not have ${missing.slice(0, 5).join(", ")}: choose another above.`;
    box.append(element("p", { className: "problem", textContent: words }));
  }
  result.replaceChildren(box);
  button.focus({ preventScroll: true });
}

// Restores what the fragment holds and offers to run it; once it ran, the same slot is pinned.
export async function openLink(run, pin) {
  let state;
  try {
    state = await unpack(location.hash.slice(PREFIX.length));
  } catch (problem) {
    sentence("This link cannot be opened", problem.message);
    return false;
  }
  files.dropObject();
  workspace.load(state);
  if (state.object) files.useObject(new File([state.object.bytes], state.object.name));
  offer(state, setFields(state.fields), run);
  const settle = () => {
    for (const old of document.querySelectorAll(".from-link")) old.remove();
    if (/^#[\w.@:-]+$/.test(state.hash)) pin(state.hash);
  };
  document.addEventListener("htmx:after:history:update", settle, { once: true });
  return true;
}

export function start() {
  const tools = document.getElementById("tools");
  if (!tools || !canShare()) return;
  const button = element("button", { type: "button", className: "plain", id: "copy-link", textContent: "Copy link" });
  button.addEventListener("click", copy);
  tools.prepend(button);
}
