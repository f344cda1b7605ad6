// Running while one types: off unless asked for, remembered. The address follows, without a step
// in the history for each run.

import { element } from "./dialog.js";
import { read, write } from "./storage.js";
import * as workspace from "./workspace.js";

const KEY = "coreplay-autorun";
const PAUSE = 900;

let box = null;
let timer = 0;

export const isOn = () => box?.checked ?? false;

export function start(run) {
  const field = document.querySelector(".field.run");
  box = element("input", { type: "checkbox", id: "autorun", checked: read(KEY) === "on" });
  const label = element("label", { className: "autorun", title: "Runs when you stop typing" }, box, "run as I type");
  field.prepend(label);
  const mark = element("input", { type: "hidden", name: "auto", value: "1", disabled: true });
  field.append(mark);
  box.addEventListener("change", () => {
    write(KEY, box.checked ? "on" : "off");
    clearTimeout(timer);
  });
  workspace.onChange((what) => {
    if (what !== "text" && what !== "written") return;
    clearTimeout(timer);
    if (!box.checked) return;
    timer = setTimeout(() => {
      mark.disabled = false;
      run();
      mark.disabled = true;
    }, PAUSE);
  });
}
