// The textarea's line numbers, and marks behind its lines. The text itself stays a textarea's.

const area = document.getElementById("source");
const gutter = document.getElementById("gutter");
const marks = document.getElementById("marks");
let shown = 0;

// One element per line on each side of the text; both carry the key that links the views.
function fit() {
  const lines = area.value.split("\n").length;
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

export function setSource(text, fileName) {
  area.value = text;
  if (fileName) document.querySelector(".file-name").textContent = fileName;
  area.dispatchEvent(new Event("input", { bubbles: true }));
  area.scrollTop = 0;
}

export function source() {
  return area.value;
}

// Gives the element of the line under the pointer: the textarea lies above the marks.
export function lineAt(event) {
  const style = getComputedStyle(area);
  const top = area.getBoundingClientRect().top + parseFloat(style.paddingTop);
  const line = Math.floor((event.clientY - top + area.scrollTop) / parseFloat(style.lineHeight));
  return gutter.children[line] ?? null;
}

export function goTo(line, column) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const at = start + Math.min(Math.max(column - 1, 0), lines[line - 1]?.length ?? 0);
  area.focus();
  area.setSelectionRange(at, at);
  showLine(line);
}

export function showLine(line) {
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
  for (const remark of result.querySelectorAll("[data-mark-line]")) {
    const kind = remark.dataset.markKind === "warning" ? "warning" : "error";
    if (remark.dataset.markKind === "note") continue;
    gutter.children[remark.dataset.markLine - 1]?.classList.add(kind);
    marks.children[remark.dataset.markLine - 1]?.classList.add(kind);
  }
  const first = result.querySelector(".failure [data-mark-line]");
  if (first) showLine(Number(first.dataset.markLine));
}

if (area) {
  area.addEventListener("input", () => {
    fit();
    follow();
  });
  area.addEventListener("scroll", follow, { passive: true });
  fit();
}
