// What a word is, beside it: an operation, a register, a helper, a kind of relocation, a loader.
// A card comes on hover or focus, stays while the pointer is on it, and goes with Escape.

const DELAY = 350; // milliseconds before a hover counts; a focus counts at once
const LEAVE = 250;
export const WORDS =
  "#result [data-card], #result td[data-op] :is(.register, .mnemonic, .operator, .call)";

const kept = new Map(); // path -> promise of its HTML, null where there is none
let card = null;
let owner = null;
let timer = 0;
let dismissed = null; // the word whose card was closed from within, and which gets the focus back

// Says where the card of a word is found.
export function pathOf(word) {
  const { card: named } = word.dataset;
  if (named?.startsWith("helper/")) {
    const kernels = document.getElementById("program")?.dataset.kernels ?? "";
    const asked = kernels.split(" ").filter(Boolean).map((name) => ["kernel", name]);
    return `/cards/${named}?${new URLSearchParams(asked)}`;
  }
  if (named) return `/cards/${named}`;
  const operation = word.closest("td").dataset.op;
  if (word.classList.contains("register")) return `/cards/register/r${word.textContent.slice(1)}`;
  return operation ? `/cards/opcode/${operation}` : "";
}

async function fetched(path) {
  try {
    const answer = await fetch(path, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } });
    return answer.ok ? await answer.text() : null;
  } catch {
    kept.delete(path); // the next hover tries again
    return null;
  }
}

function ask(path) {
  if (!kept.has(path)) kept.set(path, fetched(path));
  return kept.get(path);
}

function make() {
  card = document.createElement("div");
  card.id = "card";
  card.className = "card";
  card.popover = "manual";
  card.addEventListener("pointerenter", () => clearTimeout(timer));
  card.addEventListener("pointerleave", () => later(close, LEAVE));
  card.addEventListener("focusout", (event) => {
    if (!card.contains(event.relatedTarget) && event.relatedTarget !== owner) close();
  });
  document.body.append(card);
}

function later(action, wait) {
  clearTimeout(timer);
  timer = setTimeout(action, wait);
}

function put(word) {
  const at = word.getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  const below = at.bottom + 6 + height <= innerHeight;
  const top = below ? at.bottom + 6 : Math.max(at.top - height - 6, 4);
  const left = Math.min(Math.max(at.left - 8, 4), Math.max(innerWidth - width - 4, 4));
  card.style.setProperty("--x", `${left}px`);
  card.style.setProperty("--y", `${top}px`);
}

export function close() {
  clearTimeout(timer);
  owner?.removeAttribute("aria-describedby");
  owner = null;
  if (card?.matches(":popover-open")) card.hidePopover();
}

async function open(word) {
  if (word === owner) return;
  close();
  owner = word;
  const path = pathOf(word);
  const html = path ? await ask(path) : null;
  if (owner !== word || html === null || !word.isConnected) return;
  if (!card) make();
  card.innerHTML = html; // from our own server, escaped there
  word.setAttribute("aria-describedby", "card");
  card.showPopover();
  put(word);
}

const wordOf = (event) => event.target.closest?.(WORDS) ?? null;

function onKey(event) {
  if (!owner || !card?.matches(":popover-open")) return;
  if (event.key === "Escape") {
    event.preventDefault(); // the pin stays
    dismissed = owner;
    if (card.contains(document.activeElement)) owner.focus();
    close();
  } else if (event.key === "Tab" && document.activeElement === owner && !event.shiftKey) {
    event.preventDefault(); // from the word into its card
    card.querySelector("a")?.focus();
  }
}

export function start() {
  document.addEventListener("pointerover", (event) => {
    if (card?.contains(event.target)) return;
    const word = wordOf(event);
    if (word) later(() => open(word), DELAY);
    else if (owner && owner !== document.activeElement) later(close, LEAVE);
    else if (!owner) clearTimeout(timer);
  });
  document.addEventListener("focusin", (event) => {
    if (card?.contains(event.target)) return;
    const word = wordOf(event);
    if (word && event.target === word && word !== dismissed) open(word);
    else close();
    dismissed = null;
  });
  document.addEventListener("pointerdown", (event) => {
    if (!card?.contains(event.target)) close();
  });
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("htmx:before:swap", close);
  addEventListener("scroll", close, { passive: true, capture: true });
}
