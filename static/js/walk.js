// The stages of one relocation, stepped through. Without scripts they stand there as a list.

const SIZES = 5;
const KEPT = "coreplay-walk-size";

function size(article, change) {
  let now = 1;
  try {
    now = Number(localStorage.getItem(KEPT) ?? 1);
  } catch {
    // storage is off: every relocation starts with the usual size
  }
  now = Math.min(SIZES - 1, Math.max(0, (Number(article.dataset.size ?? now) || 0) + change));
  article.dataset.size = now;
  for (const button of article.querySelectorAll("[data-size]")) {
    button.disabled = now + Number(button.dataset.size) < 0 || now + Number(button.dataset.size) >= SIZES;
  }
  try {
    localStorage.setItem(KEPT, now);
  } catch {
    // as above
  }
}

// What a stage looks at: a type, or the instruction; other candidates step aside.
function look(article, key) {
  for (const view of article.querySelectorAll("[data-view]")) {
    view.classList.toggle("is-looked-at", view.dataset.view === key);
    if (view.dataset.view.startsWith("candidate") && key.startsWith("candidate")) {
      view.classList.toggle("is-away", view.dataset.view !== key);
    }
  }
}

function show(article, stages, at) {
  stages.forEach((stage, number) => {
    stage.classList.toggle("is-later", number > at);
    if (number === at) stage.setAttribute("aria-current", "step");
    else stage.removeAttribute("aria-current");
  });
  look(article, stages[at].dataset.look);
  const title = stages[at].querySelector("h3").textContent.trim();
  article.querySelector(".walk-count").textContent = `Step ${at + 1} of ${stages.length}: ${title}`;
  for (const button of article.querySelectorAll("[data-step]")) {
    const to = at + Number(button.dataset.step);
    button.setAttribute("aria-disabled", String(to < 0 || to >= stages.length));
  }
  article.dataset.at = at;
}

async function copy(button) {
  const text = button.closest(".copyable").querySelector("pre").textContent.trimEnd();
  try {
    await navigator.clipboard.writeText(`${text}\n`);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.closest(".copyable").querySelector("pre"));
    button.textContent = "Selected: press Ctrl C";
  }
}

export function step(article, by) {
  const stages = [...article.querySelectorAll(".stage")];
  if (!stages.length) return;
  const at = Math.min(stages.length - 1, Math.max(0, Number(article.dataset.at ?? 0) + by));
  show(article, stages, at);
  if (by) stages[at].scrollIntoView({ block: "nearest" });
}

// Arrow keys step, brackets turn to the next relocation; a region that scrolls keeps its arrows.
export function key(article, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const region = event.target.closest?.(".type-scroll, pre, input, select, textarea");
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const way = { "[": "previous", "]": "next" }[event.key];
  if (by && !region) step(article, by);
  else if (way) article.querySelector(`[data-way="${way}"]`)?.click();
  else return;
  event.preventDefault();
}

export function start(article) {
  if (!article) return;
  size(article, 0);
  if (article.querySelector(".stage")) step(article, 0);
  article.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.step) step(article, Number(button.dataset.step));
    else if (button?.dataset.size) size(article, Number(button.dataset.size));
    else if (button && "copy" in button.dataset) copy(button);
    else if (event.target.closest(".stage") && getSelection().isCollapsed) {
      const stages = [...article.querySelectorAll(".stage")];
      step(article, stages.indexOf(event.target.closest(".stage")) - Number(article.dataset.at));
    }
  });
}
