// What a file is, by its first bytes; its name decides only where those leave it open.

export const WANTED =
  "Drop C (.c, .h), a compiled BPF object (.o), a verifier’s or loader’s log (.log, .txt), or BTF (.btf).";

const EM_BPF = 247;
const C_SIGNS = /^\s*#\s*(include|define|pragma)\b|\bSEC\s*\(|^\s*(struct|enum|union|typedef|static)\s/m;

const starts = (bytes, ...wanted) => wanted.every((byte, at) => bytes[at] === byte);

function machine(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length < 20 ? 0 : view.getUint16(18, bytes[5] !== 2);
}

function isText(bytes) {
  if (starts(bytes, 0xff, 0xfe) || starts(bytes, 0xfe, 0xff)) return true; // UTF-16, as Windows writes logs
  let odd = 0;
  for (const byte of bytes) {
    if (byte === 0) return false;
    if (byte < 32 && ![9, 10, 12, 13, 27].includes(byte)) odd += 1;
  }
  return odd <= bytes.length / 100;
}

// Gives {kind} as "source", "object" or "log", or {problem}, a sentence.
export function kindOf(name, bytes) {
  const said = `${name.length > 80 ? `${name.slice(0, 79)}…` : name}`;
  if (!bytes.length) return { problem: `${said} is empty.` };
  if (starts(bytes, 0x7f, 0x45, 0x4c, 0x46)) {
    if (machine(bytes) === EM_BPF) return { kind: "object" };
    return {
      problem: `${said} is an ELF file, but not for BPF. A kernel or a module is added with: coreplay kernels add FILE`,
    };
  }
  if (starts(bytes, 0x9f, 0xeb) || starts(bytes, 0xeb, 0x9f)) {
    return {
      problem: `${said} is BTF, types of a kernel without a program. Add it on the machine of this server with: coreplay kernels add ${said}; then it stands under Kernels.`,
    };
  }
  if (!isText(bytes)) return { problem: `${said} is neither text nor BPF. ${WANTED}` };
  if (/\.[ch]$/.test(name)) return { kind: "source" };
  if (/\.(log|txt|out|err)$/.test(name)) return { kind: "log" };
  return { kind: C_SIGNS.test(new TextDecoder().decode(bytes)) ? "source" : "log" };
}
