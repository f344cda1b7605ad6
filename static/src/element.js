// <c-editor>: CodeMirror in a shadow root, where its styles are adopted sheets and no <style>
// element is made: the page's policy allows none. It holds several files, one of them shown.
//
//   events   edit  {id, text}    the text of a file was changed in the editor
//            leave {}            Escape was pressed with nothing left to close
//            line  {line}        the pointer is over another line; null: over none
//            caret {line}        the caret was moved to another line

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorSelection, EditorState } from "@codemirror/state";
import {
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";

import { c } from "./c.js";
import { marking, nextMark, setMarks, setShades } from "./marks.js";
import { colours, look } from "./theme.js";

const darkness = new Compartment();
const naming = new Compartment();

// As the file is indented so far; the kernel's way where it is not.
function unitOf({ doc }) {
  const text = doc.sliceString(0, 8000);
  return /^\t/m.test(text) || !/^ {2,}\S/m.test(text) ? "\t" : "    ";
}

// What typing takes the place of: the selection, also where the editor has not heard of it yet.
function replaced(event, view) {
  const { main } = view.state.selection;
  if (!main.empty) return main;
  const over = event.getTargetRanges()[0] ?? view.root.getSelection?.();
  const [start, end] = over && "anchorNode" in over
    ? [[over.anchorNode, over.anchorOffset], [over.focusNode, over.focusOffset]]
    : [[over?.startContainer, over?.startOffset], [over?.endContainer, over?.endOffset]];
  if (!view.contentDOM.contains(start[0]) || !view.contentDOM.contains(end[0])) return main;
  const places = [view.posAtDOM(...start), view.posAtDOM(...end)];
  return { from: Math.min(...places), to: Math.max(...places) };
}

class CEditor extends HTMLElement {
  #view = null;
  #states = new Map(); // id -> EditorState, for the files that are not shown
  #shown = null;
  #dark = false;
  #line = null;

  connectedCallback() {
    if (this.#view) return;
    const root = this.attachShadow({ mode: "open" });
    this.#view = new EditorView({ parent: root, root });
    // Keys of the page are off in here; what has Ctrl or Cmd is the page's as well.
    root.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    });
    this.addEventListener("pointerleave", () => this.#over(null));
  }

  // Shows a file; `text` counts where the editor does not have the file yet.
  open(id, text, label) {
    if (this.#shown !== null && this.#shown !== id) this.#states.set(this.#shown, this.#view.state);
    const known = this.#shown === id ? this.#view.state : this.#states.get(id);
    this.#shown = id;
    if (known !== this.#view.state) this.#view.setState(known ?? this.#fresh(text));
    this.#states.delete(id);
    const named = EditorView.contentAttributes.of({ "aria-label": label, "aria-multiline": "true" });
    this.#view.dispatch({
      effects: [naming.reconfigure(named), darkness.reconfigure(EditorView.darkTheme.of(this.#dark))],
    });
  }

  forget(id) {
    this.#states.delete(id);
    if (this.#shown === id) this.#shown = null;
  }

  // Puts other text into a file, as one step that can be undone.
  write(id, text) {
    const state = this.#stateOf(id);
    if (!state || state.doc.toString() === text) return;
    const all = { changes: { from: 0, to: state.doc.length, insert: text }, userEvent: "input.replace" };
    if (id === this.#shown) this.#view.dispatch({ ...all, selection: { anchor: 0 }, scrollIntoView: true });
    else this.#states.set(id, state.update(all).state);
  }

  // marks: {line, column, severity, text} of the compiler, lines and columns from 1.
  mark(id, marks) {
    this.#tell(id, setMarks.of(marks));
  }

  // shades: [line, class names] of what the page says of lines.
  shade(id, shades) {
    this.#tell(id, setShades.of(shades));
  }

  goTo(line, column = 1) {
    const found = this.#lineOf(line);
    const at = Math.min(found.from + Math.max(column - 1, 0), found.to);
    this.#view.dispatch({
      selection: EditorSelection.cursor(at),
      effects: EditorView.scrollIntoView(at, { y: "center" }),
    });
    this.#view.focus();
  }

  showLine(line) {
    const { from } = this.#lineOf(line);
    this.#view.dispatch({ effects: EditorView.scrollIntoView(from, { y: "nearest", yMargin: 54 }) });
  }

  focus() {
    this.#view.focus();
  }

  set dark(dark) {
    this.#dark = dark;
    this.#view.dispatch({ effects: darkness.reconfigure(EditorView.darkTheme.of(dark)) });
  }

  // The line of the caret, from 1.
  get caret() {
    return this.#view.state.doc.lineAt(this.#view.state.selection.main.head).number;
  }

  #stateOf(id) {
    return id === this.#shown ? this.#view.state : this.#states.get(id);
  }

  #tell(id, effect) {
    if (id === this.#shown) this.#view.dispatch({ effects: effect });
    else if (this.#states.has(id)) {
      this.#states.set(id, this.#states.get(id).update({ effects: effect }).state);
    }
  }

  #lineOf(line) {
    const { doc } = this.#view.state;
    return doc.line(Math.min(Math.max(line, 1), doc.lines));
  }

  #over(line) {
    if (line === this.#line) return;
    this.#line = line;
    this.#say("line", { line });
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #fresh(text) {
    const leave = () => {
      this.#say("leave", {});
      return true;
    };
    // The page runs on Ctrl+Enter; CodeMirror would open a line.
    const run = ["Ctrl-Enter", "Cmd-Enter"].map((key) => ({ key, run: () => true }));
    return EditorState.create({
      doc: text,
      extensions: [
        keymap.of([...run, { key: "F8", run: nextMark(1), shift: nextMark(-1) }]),
        lineNumbers(),
        highlightActiveLineGutter(),
        highlightActiveLine(),
        highlightSpecialChars(),
        history(),
        indentOnInput(),
        bracketMatching(),
        highlightSelectionMatches({ minSelectionLength: 2 }),
        search({ top: true }),
        c(),
        syntaxHighlighting(colours),
        look,
        marking,
        EditorState.tabSize.of(4),
        indentUnit.compute(["doc"], unitOf),
        darkness.of(EditorView.darkTheme.of(this.#dark)),
        naming.of([]),
        keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, { key: "Escape", run: leave }]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) this.#say("edit", { id: this.#shown, text: update.state.doc.toString() });
          else if (update.selectionSet && update.view.hasFocus) this.#say("caret", { line: this.caret });
        }),
        EditorView.domEventHandlers({
          // Chromium would keep the look of what is typed over in a style attribute, which the
          // page's policy refuses and reports: the text is put there by hand.
          beforeinput: (event, view) => {
            const text = event.data ?? event.dataTransfer?.getData("text/plain");
            if (event.inputType !== "insertText" || text == null || event.isComposing) return false;
            const { from, to } = replaced(event, view);
            if (from === to) return false;
            event.preventDefault();
            view.dispatch({
              changes: { from, to, insert: view.state.toText(text) },
              selection: { anchor: from + text.replaceAll("\r\n", "\n").length },
              userEvent: "input.type",
              scrollIntoView: true,
            });
            return true;
          },
          pointermove: (event, view) => {
            const block = view.lineBlockAtHeight(event.clientY - view.documentTop);
            this.#over(view.state.doc.lineAt(block.from).number);
          },
        }),
      ],
    });
  }
}

customElements.define("c-editor", CEditor);
