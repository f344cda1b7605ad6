// The matrix: a loader too many cannot be ticked, and a choice is shown at once.

const form = document.getElementById("matrix-form");
const MOST = Number(/\d+/.exec(form?.querySelector("fieldset:nth-of-type(2) legend")?.textContent)?.[0] ?? 4);

function bound() {
  const boxes = [...form.querySelectorAll("[name=by]")];
  const full = boxes.filter((box) => box.checked).length >= MOST;
  for (const box of boxes) box.disabled = full && !box.checked;
}

if (form) {
  bound();
  form.addEventListener("change", (event) => {
    if (event.target.name === "by") bound();
    if (event.target.name === "differs") form.requestSubmit(form.querySelector(".primary"));
  });
}
