// A dropped log: what it says, in the result pane. With the object or the C beside it, what it
// says is looked up there.

const form = document.getElementById("run-form");
const result = document.getElementById("result");

async function answer(file, withProgram) {
  const body = withProgram ? new FormData(form) : new FormData();
  if (!withProgram) body.delete("source");
  body.set("log", file, file.name);
  const headers = { "HX-Request": "true", "HX-Request-Type": "partial" };
  const response = await fetch("/log", { method: "POST", body, headers });
  return response.text();
}

// Reads a log; `shown` is called once the answer stands in the page.
export async function readLog(file, withProgram, { shown, failed }) {
  result.setAttribute("aria-busy", "true");
  let html;
  try {
    html = await answer(file, withProgram);
  } catch {
    failed();
    return;
  } finally {
    result.removeAttribute("aria-busy");
  }
  const template = document.createElement("template");
  template.innerHTML = html;
  result.replaceChildren(template.content);
  const again = result.querySelector("[data-log-again]");
  if (again) {
    again.hidden = withProgram;
    again.addEventListener("click", () => readLog(file, true, { shown, failed }));
  }
  shown();
}
