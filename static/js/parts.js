// Parts of pages, asked for by the links and buttons that lead to them.

const PART = { "HX-Request": "true", "HX-Request-Type": "partial" };
let sent = null; // the form as it was when the result was asked for

document.addEventListener("htmx:before:request", () => {
  const form = document.getElementById("run-form");
  sent = form ? new FormData(form) : null;
});

export function ask(element, headers = {}) {
  if (element.localName === "a") return fetch(element.href, { headers });
  const name = element.getAttribute("form");
  const form = document.getElementById(name);
  const body = name === "run-form" && sent ? sent : new FormData(form);
  return fetch(element.formAction, { method: "POST", body, headers });
}

// Gives the HTML, also that of an error; null if the server did not answer.
export async function part(element) {
  try {
    return await (await ask(element, PART)).text();
  } catch {
    return null;
  }
}
