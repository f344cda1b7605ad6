// What the page says of lines: diagnostics of the compiler with their words, and shades.

import { EditorSelection, RangeSet, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, WidgetType, gutterLineClass } from "@codemirror/view";

export const setMarks = StateEffect.define();
export const setShades = StateEffect.define();

const RANK = { error: 2, warning: 1, note: 0 };

class Words extends WidgetType {
  constructor(severity, text) {
    super();
    this.severity = severity;
    this.text = text;
  }
  eq(other) {
    return other.severity === this.severity && other.text === this.text;
  }
  toDOM() {
    const words = document.createElement("span");
    words.className = `cm-said cm-said-${this.severity}`;
    words.textContent = this.text;
    words.title = this.text;
    return words;
  }
  ignoreEvent() {
    return false;
  }
}

class Numbered extends GutterMarker {
  constructor(names) {
    super();
    this.elementClass = names;
  }
  eq(other) {
    return other.elementClass === this.elementClass;
  }
}

// What a message underlines: the word at its column, or one character.
function underlined(line, column) {
  const at = Math.min(Math.max(column - 1, 0), line.length);
  const word = /^\w+/.exec(line.text.slice(at));
  return { from: line.from + at, to: Math.min(line.from + at + (word ? word[0].length : 1), line.to) };
}

function decorated(doc, marks) {
  const ranges = [];
  const worst = new Map();
  for (const { line: number, column, severity, text } of marks) {
    if (number < 1 || number > doc.lines) continue;
    const line = doc.line(number);
    const { from, to } = underlined(line, column);
    if (from < to) ranges.push(Decoration.mark({ class: `cm-under cm-under-${severity}` }).range(from, to));
    ranges.push(Decoration.widget({ widget: new Words(severity, text), side: 1 }).range(line.to));
    if ((RANK[severity] ?? 0) >= (RANK[worst.get(line.from)] ?? -1)) worst.set(line.from, severity);
  }
  for (const [from, severity] of worst) {
    ranges.push(Decoration.line({ class: `cm-has-${severity}` }).range(from));
  }
  return { lines: Decoration.set(ranges, true), numbers: numbers(worst, (s) => `cm-has-${s}`) };
}

function numbers(classes, name) {
  const builder = new RangeSetBuilder();
  for (const from of [...classes.keys()].sort((a, b) => a - b)) {
    builder.add(from, from, new Numbered(name(classes.get(from))));
  }
  return builder.finish();
}

function shaded(doc, shades) {
  const classes = new Map();
  for (const [line, names] of shades) {
    if (line >= 1 && line <= doc.lines && names) classes.set(doc.line(line).from, names);
  }
  const builder = new RangeSetBuilder();
  for (const from of [...classes.keys()].sort((a, b) => a - b)) {
    builder.add(from, from, Decoration.line({ class: `cm-shade ${classes.get(from)}` }));
  }
  return { lines: builder.finish(), numbers: numbers(classes, (names) => names) };
}

function field(effect, build) {
  return StateField.define({
    create: () => ({ lines: Decoration.none, numbers: RangeSet.empty }),
    update(value, transaction) {
      const told = transaction.effects.filter((one) => one.is(effect)).at(-1);
      if (told) return build(transaction.newDoc, told.value);
      if (!transaction.docChanged) return value;
      const { changes } = transaction;
      return { lines: value.lines.map(changes), numbers: value.numbers.map(changes) };
    },
    provide: (self) => [
      EditorView.decorations.from(self, (value) => value.lines),
      gutterLineClass.from(self, (value) => value.numbers),
    ],
  });
}

const diagnosed = field(setMarks, decorated);
const shading = field(setShades, shaded);

export const marking = [diagnosed, shading];

// A command: the caret goes to the next diagnostic, or with -1 to the one before.
export function nextMark(step) {
  return (view) => {
    const places = [];
    const { lines } = view.state.field(diagnosed);
    for (const at = lines.iter(); at.value; at.next()) if (at.from < at.to) places.push(at.from);
    if (!places.length) return false;
    const { head } = view.state.selection.main;
    const later = step > 0 ? places.find((at) => at > head) : places.findLast((at) => at < head);
    const to = later ?? (step > 0 ? places[0] : places.at(-1));
    view.dispatch({ selection: EditorSelection.cursor(to), scrollIntoView: true });
    return true;
  };
}
