// The arrow keys in a list of names: down from the field, up and down in the list, and back.

const field = document.getElementById("type-query");
const list = document.getElementById("type-hits");

function links() {
  return [...list.querySelectorAll(".hits a")];
}

function move(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  const all = links();
  const here = all.indexOf(document.activeElement);
  if (!all.length || (here < 0 && (document.activeElement !== field || step < 0))) return;
  event.preventDefault();
  (all[here + step] ?? (step < 0 ? field : all[here])).focus();
}

// Enter in the field goes to a name that fits exactly, or else to the list.
function enter(event) {
  if (event.key !== "Enter" || event.isComposing) return;
  const [first] = links();
  if (first?.textContent !== field.value.trim()) return;
  event.preventDefault();
  location.assign(first.href);
}

if (field && list) {
  document.addEventListener("keydown", move);
  field.addEventListener("keydown", enter);
  // What was typed stays in the address, so that Back and a reload find it again.
  document.addEventListener("htmx:after:swap", () => {
    const address = new URL(location.href);
    const kind = document.getElementById("type-kind").value;
    address.searchParams.delete("at");
    for (const [name, value] of [["q", field.value], ["kind", kind]]) {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    history.replaceState(history.state, "", address);
  });
}
