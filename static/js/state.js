// A page's whole state as text for an address, and back: JSON, then a zero byte and the object if
// there is one, deflated, in base64url. What comes in is hostile: every size and shape is checked.

const MOST_LETTERS = 400_000;
const MOST_BYTES = 2_000_000;
const VERSION = 1;

const DAMAGED = "This link is damaged: a part of it was lost on the way.";
const TOO_LARGE = "This link holds more than this page takes.";
const NEWER = "This link was made by a newer coreplay.";

export const canShare = () => "CompressionStream" in window && "DecompressionStream" in window;

async function collected(stream, limit) {
  const reader = stream.getReader();
  const parts = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      reader.cancel().catch(() => {});
      throw new RangeError(TOO_LARGE);
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function toLetters(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function toBytes(letters) {
  const binary = atob(letters.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

// state: {main, files: [[name, text]], fields: [[name, value]], hash, object: {name, bytes}}
export async function pack({ object, ...state }) {
  const json = JSON.stringify({ v: VERSION, ...state, ...(object ? { object: object.name } : {}) });
  const parts = object ? [json, new Uint8Array(1), object.bytes] : [json];
  const stream = new Blob(parts).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return toLetters(await collected(stream, MOST_BYTES));
}

const isText = (value, most) => typeof value === "string" && value.length <= most;
const isPairs = (value, most, longest) =>
  Array.isArray(value) &&
  value.length <= most &&
  value.every((pair) => Array.isArray(pair) && pair.length === 2 && isText(pair[0], 100) && isText(pair[1], longest));

function checked(state) {
  if (typeof state !== "object" || state === null) throw new Error(DAMAGED);
  if (Number.isInteger(state.v) && state.v > VERSION) throw new Error(NEWER);
  const { main, files, fields, hash = "", object = "" } = state;
  const names = Array.isArray(files) ? files.map((pair) => pair?.[0]) : [];
  const fine =
    state.v === VERSION &&
    isPairs(files, 64, MOST_BYTES) &&
    names.length > 0 &&
    new Set(names).size === names.length &&
    names.every((name) => /^[A-Za-z0-9_][A-Za-z0-9_.+-]*\.[ch]$/.test(name)) &&
    names.includes(main) &&
    main.endsWith(".c") &&
    isPairs(fields, 100, 200) &&
    isText(hash, 200) &&
    isText(object, 200);
  if (!fine) throw new Error(DAMAGED);
  return { main, files, fields, hash, object };
}

// Gives what `pack` was given; throws an Error whose message is a sentence for the reader.
export async function unpack(letters) {
  if (letters.length > MOST_LETTERS) throw new Error(TOO_LARGE);
  let bytes;
  try {
    const stream = new Blob([toBytes(letters)]).stream();
    bytes = await collected(stream.pipeThrough(new DecompressionStream("deflate-raw")), MOST_BYTES);
  } catch (problem) {
    throw new Error(problem instanceof RangeError ? problem.message : DAMAGED);
  }
  const end = bytes.indexOf(0);
  let state;
  try {
    const text = bytes.subarray(0, end < 0 ? bytes.length : end);
    state = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    throw new Error(DAMAGED);
  }
  const found = checked(state);
  if (Boolean(found.object) !== end >= 0) throw new Error(DAMAGED);
  const object = found.object ? { name: found.object, bytes: bytes.subarray(end + 1) } : null;
  return { ...found, object };
}
