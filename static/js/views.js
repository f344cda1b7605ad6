// The result: one module for each thing that it can do beyond being read.

import * as busy from "./busy.js";
import * as cards from "./cards.js";
import * as moves from "./moves.js";
import * as panes from "./panes.js";
import * as rows from "./rows.js";

// Back or Forward pressed before htmx listens changes the address and nothing else.
function catchUp() {
  const [arrived] = performance.getEntriesByType("navigation");
  const bare = (address) => address.split("#")[0];
  if (arrived && bare(arrived.name) !== bare(location.href)) location.reload();
}

catchUp();
document.addEventListener("DOMContentLoaded", catchUp);

if (document.getElementById("result")) {
  rows.start();
  moves.start();
  panes.start();
  cards.start();
  busy.start();
}
