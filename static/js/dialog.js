// Dialogs, made of the browser's own <dialog>: modal, closed by Escape, focus goes back.

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Opens a dialog with a title and whatever is in it; gives the element, removed when it closes.
export function open(title, ...children) {
  const heading = element("h2", { id: "dialog-title", textContent: title });
  const close = element("button", { type: "button", className: "quiet close", textContent: "✕" });
  close.setAttribute("aria-label", "Close");
  const dialog = element("dialog", { className: "dialog" }, heading, close, ...children);
  dialog.setAttribute("aria-labelledby", "dialog-title");
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// Asks for one line of text; `problem(text)` says what is wrong with it. Gives null if closed.
export function ask({ title, label, value, button, problem }) {
  return new Promise((resolve) => {
    const input = element("input", { type: "text", value, id: "dialog-input", spellcheck: false });
    input.autocomplete = "off";
    input.setAttribute("aria-describedby", "dialog-problem");
    const wrong = element("p", { id: "dialog-problem", className: "problem" });
    wrong.setAttribute("role", "alert");
    const form = element(
      "form",
      {},
      element("label", { htmlFor: "dialog-input", textContent: label }),
      input,
      element("button", { className: "primary", textContent: button }),
      wrong,
    );
    const dialog = open(title, form);
    let answer = null;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = input.value.trim();
      wrong.textContent = problem(text);
      input.setAttribute("aria-invalid", String(Boolean(wrong.textContent)));
      if (wrong.textContent) return;
      answer = text;
      dialog.close();
    });
    dialog.addEventListener("close", () => resolve(answer));
    input.focus();
    const dot = value.search(/(\.bpf)?\.[ch]$/);
    input.setSelectionRange(0, dot < 0 ? value.length : dot);
  });
}
