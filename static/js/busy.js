// While an answer is made: the old one stays, paler, and a line over it says so, with a way out.

const running = new Set(); // htmx's contexts
let bar = null;

function make(result) {
  bar = document.createElement("div");
  bar.className = "busy";
  bar.hidden = true;
  const text = document.createElement("span");
  text.textContent = "Compiling and relocating …";
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.className = "turn";
  cancel.textContent = "Cancel";
  cancel.addEventListener("click", () => {
    for (const { request } of running) request.abort();
  });
  bar.append(text, cancel);
  result.before(bar);
}

export function start() {
  const result = document.getElementById("result");
  make(result);
  const show = () => {
    bar.hidden = running.size === 0;
    result.toggleAttribute("data-waiting", running.size > 0);
    if (running.size) result.setAttribute("aria-busy", "true");
    else result.removeAttribute("aria-busy");
  };
  document.addEventListener("htmx:before:request", (event) => {
    running.add(event.detail.ctx);
    show();
  });
  document.addEventListener("htmx:finally:request", (event) => {
    running.delete(event.detail.ctx);
    show();
  });
}
