// Control-flow graphs: pan and zoom by wheel, touch, keys and buttons; text by distance; PNG.
// A graph is moved by its viewBox alone. Without scripts it stands there in full and scrolls.

import * as links from "./links.js";
import { part } from "./parts.js";
import { png } from "./png.js";

const SMALLEST = 0.02;
const LARGEST = 6;
const STEP = 1.3;
const TALLEST = 620;
const READABLE = 0.4;
const MANY = 80;
const views = new WeakMap(); // .graph-view -> View

class View {
  // `width` is that of the box, measured by the caller: reading it here would lay out all again.
  constructor(box, width) {
    this.box = box;
    this.svg = box.querySelector("svg");
    this.width = this.svg.viewBox.baseVal.width;
    this.height = this.svg.viewBox.baseVal.height;
    this.pointers = new Map();
    this.dragged = false;
    this.level = "auto";
    const tallest = box.closest(".alone") ? Math.max(TALLEST, innerHeight - 250) : TALLEST;
    this.shown = [width, Math.round(Math.min(Math.max(this.height, 160), tallest))];
    this.svg.setAttribute("height", this.shown[1]);
    this.svg.setAttribute("width", "100%");
    this.begin();
  }

  // A graph that fits is shown whole; a tall one from its entry, large enough to be read.
  begin() {
    const [width, height] = this.shown;
    this.scale = Math.min(width / this.width, 1);
    if (this.scale > height / this.height) this.scale = Math.max(this.scale, READABLE);
    const entry = this.svg.querySelector(".cfg-block > rect");
    const [left, broad] = ["x", "width"].map((name) => Number(entry?.getAttribute(name)));
    const wide = this.width * this.scale > width && entry;
    this.x = (wide ? left + broad / 2 : this.width / 2) - width / this.scale / 2;
    this.y = Math.min(0, (this.height - height / this.scale) / 2);
    this.show();
  }

  measure() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (width && height) this.shown = [width, height];
  }

  fit(most = LARGEST) {
    const [width, height] = this.shown;
    this.scale = Math.min(width / this.width, height / this.height, most);
    this.x = (this.width - width / this.scale) / 2;
    this.y = Math.min(0, (this.height - height / this.scale) / 2);
    this.show();
  }

  show() {
    const [width, height] = this.shown;
    const shown = [this.x, this.y, width / this.scale, height / this.scale];
    this.svg.setAttribute("viewBox", shown.map((n) => n.toFixed(2)).join(" "));
    const auto = this.scale >= 0.6 ? "full" : this.scale >= 0.26 ? "short" : "number";
    const level = this.level === "auto" ? auto : this.level;
    if (this.svg.dataset.level !== level) this.svg.dataset.level = level;
  }

  // Zooms; what lies at (px, py) of the box stays there.
  zoom(by, px, py) {
    const [width, height] = this.shown;
    const [ax, ay] = [px ?? width / 2, py ?? height / 2];
    const scale = Math.min(LARGEST, Math.max(SMALLEST, this.scale * by));
    this.x += ax / this.scale - ax / scale;
    this.y += ay / this.scale - ay / scale;
    this.scale = scale;
    this.show();
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.show();
  }

  centre(block) {
    const box = block.getBBox();
    const [width, height] = this.shown;
    this.x = box.x + box.width / 2 - width / this.scale / 2;
    this.y = box.y + box.height / 2 - height / this.scale / 2;
    this.show();
  }
}

function at(view, event) {
  const box = view.svg.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function key(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const far = event.shiftKey ? 240 : 60;
  const acts = {
    "+": () => view.zoom(STEP),
    "=": () => view.zoom(STEP),
    "-": () => view.zoom(1 / STEP),
    0: () => view.fit(),
    ArrowLeft: () => view.pan(far, 0),
    ArrowRight: () => view.pan(-far, 0),
    ArrowUp: () => view.pan(0, far),
    ArrowDown: () => view.pan(0, -far),
  };
  const act = acts[event.key];
  if (!act) return;
  act();
  event.preventDefault();
  event.stopPropagation();
}

function move(view, event) {
  const before = view.pointers.get(event.pointerId);
  if (!before) return;
  const now = at(view, event);
  if (view.pointers.size === 2) {
    const [other] = [...view.pointers].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
    const was = Math.hypot(before[0] - other[0], before[1] - other[1]) || 1;
    const is = Math.hypot(now[0] - other[0], now[1] - other[1]) || 1;
    view.zoom(is / was, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  } else if (view.dragged || Math.hypot(now[0] - before[0], now[1] - before[1]) > 3) {
    view.dragged = true;
    view.pan(now[0] - before[0], now[1] - before[1]);
  } else {
    return;
  }
  view.pointers.set(event.pointerId, now);
}

function listen(view) {
  const { box } = view;
  box.addEventListener("keydown", (event) => key(view, event));
  box.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && document.activeElement !== box) return;
      event.preventDefault();
      view.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, ...at(view, event));
    },
    { passive: false },
  );
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    view.dragged = false;
    view.pointers.set(event.pointerId, at(view, event));
  });
  box.addEventListener("pointermove", (event) => {
    move(view, event);
    if (view.dragged && !box.hasPointerCapture(event.pointerId)) box.setPointerCapture(event.pointerId);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    box.addEventListener(end, (event) => view.pointers.delete(event.pointerId));
  }
  box.addEventListener("click", (event) => {
    if (view.dragged) {
      event.stopPropagation(); // a drag is no click: nothing is pinned
      return;
    }
    const href = event.target.closest("a")?.getAttribute("href");
    if (!href?.startsWith("#")) return;
    event.preventDefault();
    const block = document.getElementById(href.slice(1));
    if (block) view.centre(block);
  });
}

// Blocks take part in what hover and pin light: by their slots, and what the rows of those name.
function connect(root) {
  for (const block of root.querySelectorAll(".cfg-block")) {
    const keys = new Set();
    for (const slot of block.dataset.slots.split(" ").filter(Boolean)) {
      keys.add(`s${slot}`);
      const row = document.getElementById(`row-${slot}`);
      for (const name of (row?.dataset.link ?? "").split(" ")) if (name) keys.add(name);
    }
    block.dataset.key = block.id;
    block.dataset.link = [...keys].join(" ");
  }
  links.add?.(root);
  if (location.hash.startsWith("#cfg-")) links.pinFromAddress();
}

function attach(root) {
  connect(root);
  const boxes = [...root.querySelectorAll(".graph-view")].filter((box) => !views.has(box));
  const widths = boxes.map((box) => box.clientWidth);
  boxes.forEach((box, number) => {
    if (!widths[number] || !box.querySelector("svg")) return;
    const view = new View(box, widths[number]);
    views.set(box, view);
    listen(view);
  });
}

// Many blocks come as numbers first: laying out all their text would take seconds.
function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // from our own server, escaped there
  for (const svg of template.content.querySelectorAll(".cfg")) {
    if (svg.querySelectorAll(".cfg-block").length > MANY) svg.dataset.level = "number";
  }
  return template.content;
}

async function swap(element) {
  const body = document.getElementById("graph-body");
  body.setAttribute("aria-busy", "true");
  const html = await part(element);
  body.removeAttribute("aria-busy");
  if (html === null) return;
  body.replaceChildren(parsed(html));
  attach(body);
  (body.querySelector(".graph-looks [aria-current]") ?? body).focus();
}

function click(event) {
  const button = event.target.closest?.("[data-zoom], [data-png], [data-graphs]");
  if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if ("graphs" in button.dataset) {
    if (!document.getElementById("result")) return; // a page of its own has addresses
    event.preventDefault();
    swap(button);
    return;
  }
  const figure = button.closest(".graph");
  if ("png" in button.dataset) png(button, figure);
  const view = views.get(figure.querySelector(".graph-view"));
  const by = { in: STEP, out: 1 / STEP }[button.dataset.zoom];
  if (by) view?.zoom(by);
  else if (button.dataset.zoom) view?.fit();
}

export function start() {
  const graphs = document.querySelector("details.graphs");
  if (graphs && location.hash.startsWith("#cfg-")) graphs.open = true;
  const settle = () => {
    const body = document.getElementById("graph-body");
    if (body) attach(body);
  };
  settle();
  document.addEventListener("htmx:after:swap", settle);
  // A closed <details> has no size; its graphs are fitted when it opens.
  document.addEventListener("toggle", (event) => event.target.matches?.(".graphs") && settle(), true);
  document.addEventListener("click", click);
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.(".graph .level")) return;
    const view = views.get(event.target.closest(".graph").querySelector(".graph-view"));
    if (!view) return;
    view.level = event.target.value;
    view.show();
  });
  window.addEventListener("resize", () => {
    for (const box of document.querySelectorAll(".graph-view")) {
      views.get(box)?.measure();
      views.get(box)?.show();
    }
  });
}
