// Panes are folded away and made wider. What is folded away stands in the address (`hide`), so a
// link shows the same; widths are kept by this browser.

import { readJson, write } from "./storage.js";

const WIDTHS = "coreplay-widths";
const LEAST = 90; // pixels
const STEP = 16;
const NAMES = { old: "before", c0: "first loader", c1: "second loader", c2: "third loader", c3: "fourth loader" };
const widths = readJson(WIDTHS) ?? {};
let unmeasured = [];

const workbench = () => document.getElementById("workbench");
const program = () => document.getElementById("program");

function keep(name, width) {
  widths[name] = width;
  write(WIDTHS, JSON.stringify(widths));
}

// Widths are read once the page was painted: before that each of them would lay out all rows.
function measureLater(bar, get, most) {
  if (!unmeasured.length) requestAnimationFrame(() => setTimeout(measure, 0));
  unmeasured.push([bar, get, most]);
}

function measure() {
  const found = unmeasured.map(([bar, get, most]) => [bar, Math.round(get()), Math.round(most())]);
  unmeasured = [];
  for (const [bar, now, most] of found) {
    bar.setAttribute("aria-valuenow", now);
    bar.setAttribute("aria-valuemax", most);
  }
}

function handle(label, { get, set, most }) {
  const bar = document.createElement("span");
  bar.className = "separator";
  bar.tabIndex = 0;
  bar.setAttribute("role", "separator");
  bar.setAttribute("aria-orientation", "vertical");
  bar.setAttribute("aria-label", `Width of ${label}`);
  bar.setAttribute("aria-valuemin", LEAST);
  const to = (width) => {
    const next = Math.round(Math.min(Math.max(width, LEAST), most()));
    set(next);
    bar.setAttribute("aria-valuenow", next);
    bar.setAttribute("aria-valuemax", Math.round(most()));
  };
  measureLater(bar, get, most);
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    to(get() + by);
  });
  bar.addEventListener("dblclick", () => set(null));
  bar.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
    const begin = get() - event.clientX;
    const move = (moved) => to(begin + moved.clientX);
    bar.addEventListener("pointermove", move);
    bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), {
      once: true,
    });
  });
  return bar;
}

function setWidth(element, property, name, width) {
  if (width === null) element.style.removeProperty(property);
  else element.style.setProperty(property, `${width}px`);
  keep(name, width);
}

// A handle at the right edge of each column but the last.
function columnHandles() {
  const table = document.querySelector("#bytes table:not(.pairs)");
  for (const name of Object.keys(NAMES)) {
    const head = table?.querySelector(`thead th.${name}`);
    if (!head) continue;
    if (widths[name]) table.style.setProperty(`--w-${name}`, `${widths[name]}px`);
    head.append(
      handle(head.textContent.trim(), {
        get: () => head.getBoundingClientRect().width,
        set: (width) => setWidth(table, `--w-${name}`, name, width),
        most: () => table.getBoundingClientRect().width * 0.6,
      }),
    );
  }
}

function sourceHandle() {
  const bench = workbench();
  const pane = document.getElementById("source-pane");
  if (!bench || !pane) return;
  if (widths.source) bench.style.setProperty("--w-source", `${widths.source}px`);
  const bar = handle("the C source", {
    get: () => pane.getBoundingClientRect().width,
    set: (width) => setWidth(bench, "--w-source", "source", width),
    most: () => bench.getBoundingClientRect().width * 0.6,
  });
  bar.classList.add("beside-source");
  pane.append(bar);
}

// The links of a result keep what is folded away.
function tell(hide) {
  const here = new URL(location.href);
  const write_ = (url) => {
    if (hide) url.searchParams.set("hide", hide);
    else url.searchParams.delete("hide");
    // As the server writes it: commas and slashes stand for themselves.
    return url.pathname + url.search.replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%40", "@");
  };
  if (here.pathname === "/analyse") history.replaceState(history.state, "", write_(here) + here.hash);
  for (const field of document.querySelectorAll("#result input[name=hide]")) field.value = hide;
  for (const link of document.querySelectorAll("#result a.turn[hx-get]")) {
    const path = write_(new URL(link.href));
    link.setAttribute("href", path);
    link.setAttribute("hx-get", path);
  }
}

function spans() {
  const table = document.querySelector("#bytes table:not(.pairs)");
  if (!table) return;
  const shown = [...table.querySelectorAll("thead th")].filter((th) => getComputedStyle(th).display !== "none");
  const lead = shown.filter((th) => th.matches(".line, .old")).length || 1;
  for (const head of table.querySelectorAll(".source-row th")) {
    head.colSpan = head.parentElement.matches(".crossed") ? lead : Math.max(shown.length, 1);
  }
}

function apply() {
  const boxes = [...document.querySelectorAll("#panes [data-pane]")];
  const hidden = boxes.filter((box) => !box.checked).map((box) => box.dataset.pane);
  for (const box of boxes) {
    if (box.dataset.pane === "source") workbench().toggleAttribute("data-hide-source", !box.checked);
    else program().toggleAttribute(`data-hide-${box.dataset.pane}`, !box.checked);
  }
  return hidden.join(",");
}

function filter(input) {
  const word = input.value.trim().toLowerCase();
  const items = [...document.querySelectorAll("#programs li")];
  for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(word);
  const left = items.filter((item) => !item.hidden).length;
  const note = input.closest(".programs").querySelector("[data-filtered]");
  note.textContent = word ? `${left} of ${items.length}` : "";
}

export function settle() {
  columnHandles();
  if (document.getElementById("panes")) apply();
  else workbench()?.removeAttribute("data-hide-source");
  spans();
  const list = document.getElementById("programs"); // scrolled by itself, not with the page
  const chosen = list?.querySelector(".shown");
  if (chosen) list.scrollTop = chosen.offsetTop - list.offsetTop - list.clientHeight / 2;
}

export function start() {
  sourceHandle();
  settle();
  document.addEventListener("change", (event) => {
    if (!event.target.matches("#panes [data-pane]")) return;
    tell(apply());
    spans();
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) filter(event.target);
  });
  document.addEventListener("htmx:after:swap", settle);
}
