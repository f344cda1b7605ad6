// C for highlighting and indenting, token by token. A grammar of all of C++ is a third of the
// bundle of an editor, and this page shows what a compiler says anyway.

import { LanguageSupport, StreamLanguage } from "@codemirror/language";

const KEYWORDS = new Set(
  `auto bool break case char const continue default do double else enum extern float for goto if
   inline int long register restrict return short signed sizeof static struct switch typedef
   typeof union unsigned void volatile while _Alignas _Alignof _Atomic _Bool _Generic _Noreturn
   _Static_assert __attribute__ __always_inline __asm__ __builtin_preserve_access_index
   __inline __noinline __typeof__ __volatile__ asm`.split(/\s+/),
);
const NUMBER = /^(?:0[xX][\da-fA-F']+|0[bB][01']+|\d[\d']*(?:\.\d*)?(?:[eE][+-]?\d+)?)[uUlLfF]*/;

function comment(stream, state) {
  while (!stream.eol()) {
    if (stream.match("*/")) {
      state.comment = false;
      break;
    }
    stream.next();
  }
  return "comment";
}

function quoted(stream, quote) {
  for (let next = stream.next(); next; next = stream.next()) {
    if (next === "\\") stream.next();
    else if (next === quote) break;
  }
  return "string";
}

function token(stream, state) {
  if (stream.sol()) state.include = false;
  if (state.comment) return comment(stream, state);
  if (stream.eatSpace()) return null;
  if (stream.match("//")) {
    stream.skipToEnd();
    return "comment";
  }
  if (stream.match("/*")) {
    state.comment = true;
    return comment(stream, state);
  }
  const directive = stream.string.slice(0, stream.pos).trim() === "" && stream.match(/^#\s*(\w*)/);
  if (directive) {
    state.include = /^include/.test(directive[1]);
    return "meta";
  }
  if (state.include && stream.match(/^<[^>]*>?/)) return "string";
  if (stream.match(NUMBER)) return "number";
  const word = stream.match(/^[A-Za-z_]\w*/);
  if (word) return KEYWORDS.has(word[0]) ? "keyword" : null;
  const next = stream.next();
  if (next === '"' || next === "'") return quoted(stream, next);
  if ("{([".includes(next)) state.depth += 1;
  else if ("})]".includes(next)) state.depth = Math.max(state.depth - 1, 0);
  return null;
}

const language = StreamLanguage.define({
  name: "c",
  startState: () => ({ comment: false, include: false, depth: 0 }),
  token,
  indent(state, after, { unit }) {
    if (state.comment || /^#/.test(after)) return state.comment ? null : 0;
    return Math.max(state.depth - (/^[})\]]/.test(after) ? 1 : 0), 0) * unit;
  },
  languageData: {
    commentTokens: { line: "//", block: { open: "/*", close: "*/" } },
    indentOnInput: /^\s*\}$/,
  },
});

export const c = () => new LanguageSupport(language);
