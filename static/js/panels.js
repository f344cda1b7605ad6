// What a result has beside its table: relocations step by step, graphs, ways to other pages.

import * as drawer from "./drawer.js";
import * as graph from "./graph.js";

// A button with an address of its own leaves this page: htmx must not take the form.
document.addEventListener(
  "submit",
  (event) => {
    if (event.submitter?.hasAttribute("formaction")) event.stopPropagation();
  },
  true,
);

if (document.getElementById("result")) drawer.start();
if (document.getElementById("result") ?? document.getElementById("graph-body")) graph.start();
