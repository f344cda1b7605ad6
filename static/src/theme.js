// The look of the editor. Every colour is a custom property of the page, which has a light and
// a dark value.

import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const word = { color: "var(--t-word)" };
const number = { color: "var(--t-number)" };
const string = { color: "var(--t-string)" };

export const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.controlKeyword, tags.standard(tags.typeName)], ...word },
  { tag: [tags.processingInstruction, tags.meta, tags.macroName], ...number },
  { tag: [tags.number, tags.bool, tags.null], ...number },
  { tag: [tags.string, tags.character, tags.special(tags.string), tags.escape], ...string },
  { tag: tags.comment, color: "var(--t-comment)" },
]);

const lines = {};
for (let colour = 1; colour <= 9; colour += 1) {
  lines[`.cm-gutterElement.coloured.k${colour}`] = {
    background: `var(--line-${colour})`,
    color: "var(--ink)",
  };
}

export const look = EditorView.theme({
  "&": { height: "100%", background: "var(--surface)", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { font: "12px/18px var(--mono)", overflow: "auto" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 10px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": {
    background: "var(--surface)",
    color: "var(--ink-2)",
    fontSize: "11.5px",
    border: "0",
    borderRight: "1px solid var(--rule)",
  },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "34px", padding: "0 7px 0 5px" },
  "& .cm-activeLine": { background: "color-mix(in srgb, var(--raised) 55%, transparent)" },
  "& .cm-activeLineGutter": { background: "var(--raised)" },
  ...lines,
  "& .cm-shade.lit, & .cm-gutterElement.lit": { background: "var(--lit)", color: "var(--ink)" },
  "& .cm-shade.pinned, & .cm-gutterElement.pinned": { background: "var(--pinned)", color: "var(--ink)" },
  "& .cm-has-error": { background: "var(--red-bg)" },
  "& .cm-has-warning": { background: "var(--amber-bg)" },
  "& .cm-gutterElement.cm-has-error": { background: "var(--red)", color: "var(--surface)", fontWeight: "700" },
  "& .cm-gutterElement.cm-has-warning": { background: "var(--amber)", color: "var(--surface)" },
  ".cm-under": { textDecoration: "underline wavy 1px", textUnderlineOffset: "3px" },
  ".cm-under-error": { textDecorationColor: "var(--red)" },
  ".cm-under-warning": { textDecorationColor: "var(--amber)" },
  ".cm-under-note": { textDecorationColor: "var(--ink-2)" },
  ".cm-said": { marginLeft: "2em", font: "11.5px/18px var(--sans)", color: "var(--ink-2)" },
  ".cm-said-error": { color: "var(--red)" },
  ".cm-said-warning": { color: "var(--amber)" },
  "& .cm-selectionMatch, & .cm-searchMatch": { background: "var(--lit)" },
  "& .cm-searchMatch-selected": { background: "var(--pinned)" },
  "&.cm-focused .cm-matchingBracket": { background: "none", outline: "1px solid var(--edge)" },
  "&.cm-focused .cm-nonmatchingBracket": { background: "var(--red-bg)" },
  "& .cm-panels": { background: "var(--raised)", color: "var(--ink)", font: "12.5px var(--sans)" },
  "& .cm-panels.cm-panels-top": { borderBottom: "1px solid var(--rule)" },
  "& .cm-textfield, & .cm-button": {
    minHeight: "26px",
    border: "1px solid var(--edge)",
    borderRadius: "4px",
    background: "var(--surface)",
    color: "var(--ink)",
    fontSize: "12.5px",
  },
  "& .cm-button": { backgroundImage: "none" },
  "& .cm-panel.cm-search button[name=close]": { width: "26px", height: "26px", color: "var(--ink)" },
  "& .cm-panel.cm-search label": { fontSize: "12.5px" },
  "@media (forced-colors: active)": {
    "& .cm-has-error, & .cm-shade.pinned": { borderLeft: "3px solid Highlight" },
    "& .cm-gutterElement.cm-has-error, & .cm-gutterElement.cm-has-warning": {
      forcedColorAdjust: "none",
      background: "Highlight",
      color: "HighlightText",
    },
  },
  "@media print": {
    "&": { height: "auto" },
    ".cm-scroller": { overflow: "visible" },
    ".cm-content": { whiteSpace: "pre-wrap" },
  },
});
