// The browser's own storage, which may be full or off: nothing here throws.

export function read(key, session = false) {
  try {
    return (session ? sessionStorage : localStorage).getItem(key);
  } catch {
    return null;
  }
}

export function readJson(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

// Says whether it was kept.
export function write(key, text, session = false) {
  try {
    (session ? sessionStorage : localStorage).setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

export function drop(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // storage is off
  }
}

export function keys(prefix) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}

// Whether this is a set of files as `workspace.snapshot` gives it.
export function isFiles(value) {
  return (
    typeof value?.main === "string" &&
    Array.isArray(value.files) &&
    value.files.length > 0 &&
    value.files.every((pair) => Array.isArray(pair) && pair.every((text) => typeof text === "string"))
  );
}
