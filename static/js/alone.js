// A relocation on a page of its own.

import { key, start } from "./walk.js";

const article = document.querySelector(".walk");
start(article);
if (article) document.addEventListener("keydown", (event) => key(article, event));
