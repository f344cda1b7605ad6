// Builds the editor into ../vendor and records it there: `npm ci && npm run build`.
// With a folder as its argument it writes there and records nothing.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const VENDOR = join(HERE, "..", "vendor");
const folder = process.argv[2] ?? VENDOR;

// What ends up in the bundle, from the lock: name, version, licence.
const { packages } = JSON.parse(readFileSync(join(HERE, "package-lock.json"), "utf8"));
const parts = Object.entries(packages)
  .filter(([path, entry]) => path && !entry.dev && !entry.devOptional)
  .map(([path, entry]) => ({ name: path.replace("node_modules/", ""), ...entry }));
const { version } = parts.find((part) => part.name === "@codemirror/view");
const name = `editor-${version}.js`;

await build({
  absWorkingDir: HERE,
  entryPoints: ["element.js"],
  outfile: join(folder, name),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/* CodeMirror 6, MIT: see editor.LICENSE. Built from static/src. */" },
});

const licences = parts.map((part) => {
  const home = join(HERE, "node_modules", part.name);
  const file = readdirSync(home).find((entry) => /^licen[cs]e/i.test(entry));
  return `${part.name} ${part.version} (${part.license})\n\n${readFileSync(join(home, file), "utf8").trim()}\n`;
});
writeFileSync(join(folder, "editor.LICENSE"), licences.join(`\n${"-".repeat(72)}\n\n`));

if (folder === VENDOR) {
  const record = join(VENDOR, "vendor.json");
  const entries = JSON.parse(readFileSync(record, "utf8"));
  for (const old of Object.keys(entries)) if (old.startsWith("editor-")) delete entries[old];
  entries[name] = {
    package: "@codemirror/* and what they need",
    version,
    source: "npm, bundled from static/src with the versions of its package-lock.json",
    license: "MIT, see editor.LICENSE",
    sha256: createHash("sha256").update(readFileSync(join(VENDOR, name))).digest("hex"),
    contains: Object.fromEntries(parts.map((part) => [part.name, part.version])),
  };
  writeFileSync(record, `${JSON.stringify(entries, null, 2)}\n`);
}
