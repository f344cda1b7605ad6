// Runs before the first paint: the reader's theme, and a class for what needs scripts.
// A classic script, because modules run too late for that.
(() => {
  const root = document.documentElement;
  const KEY = "coreplay-theme";
  root.classList.add("scripted");

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is off
    }
  }

  function apply(choice) {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (choice ?? "auto")));
    }
  }

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => {
    const group = document.getElementById("theme");
    group.hidden = false;
    apply(stored());
    group.addEventListener("click", (event) => {
      const choice = event.target.closest("button")?.dataset.themeChoice;
      if (!choice) return;
      try {
        if (choice === "auto") localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, choice);
      } catch {
        // the choice holds for this page only
      }
      apply(choice === "auto" ? null : choice);
    });
  });
})();
