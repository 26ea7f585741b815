// Puts numbers on the screen: only text nodes change, only once a frame, and a number that moved says so.

const painters = new Set();
const LATE_MS = 2_000;
let requested = false;
let lastPaint = 0;

// Have `painter` called with the next frame, once however often it is asked for. A hidden tab has no frames, so that
// nothing queues up there; `quiet` tells the painter that so much time went by that flashes would say nothing.
export function soon(painter) {
  painters.add(painter);
  if (requested) return;
  requested = true;
  requestAnimationFrame(() => {
    requested = false;
    const due = [...painters];
    const quiet = performance.now() - lastPaint > LATE_MS;
    lastPaint = performance.now();
    painters.clear();
    for (const each of due) each(quiet);
  });
}

const shown = new WeakMap();

// Writes `text` into the element; where `value` is greater or smaller than before, the cell flashes with an arrow.
export function write(element, text, value, quiet) {
  const before = shown.get(element);
  if (before === undefined) element.replaceChildren(document.createTextNode(text));
  else if (before.text !== text) element.firstChild.nodeValue = text;
  const comparable = typeof value === "number" && typeof before?.value === "number";
  if (comparable && value !== before.value && before.text !== text && !quiet) {
    flash(element, value > before.value ? "up" : "down");
  }
  shown.set(element, { text, value });
}

// Alternating names start an animation anew that may still be running.
function flash(element, move) {
  element.dataset.move = element.dataset.move === `${move}-a` ? `${move}-b` : `${move}-a`;
}

// A table whose rows have keys. `columns` say for a row what each cell shows: its text, the number that it moves by,
// what it says to a pointer that rests on it, the state that its style follows.
export class Table {
  #body;
  #columns;
  #rows = new Map();

  constructor(element, columns) {
    this.#body = element.tBodies[0];
    this.#columns = columns;
  }

  // Shows these [key, row] in this order; rows that are new are announced by a mark when `markNew`.
  show(entries, quiet, { markNew = false } = {}) {
    const wanted = new Set(entries.map(([key]) => key));
    const isFirst = this.#rows.size === 0;
    for (const [key, line] of this.#rows) {
      if (!wanted.has(key)) {
        line.remove();
        this.#rows.delete(key);
      }
    }
    let place = this.#body.firstElementChild;
    for (const [key, row] of entries) {
      const line = this.#rows.get(key) ?? this.#add(key);
      if (line === place) place = place.nextElementSibling;
      else this.#body.insertBefore(line, place);
      if (markNew && !quiet && !isFirst && !line.dataset.seen) flash(line, "new");
      line.dataset.seen = "yes";
      this.#columns.forEach((column, index) => this.#cell(line.cells[index], column, row, quiet));
    }
  }

  // The same; where there is nothing to show, the whole panel is out of sight.
  showOrHide(entries, quiet) {
    this.#body.closest(".panel").hidden = entries.length === 0;
    this.show(entries, quiet);
  }

  #add(key) {
    const line = document.createElement("tr");
    for (const column of this.#columns) {
      const cell = document.createElement(column.isHeader ? "th" : "td");
      if (column.isHeader) cell.scope = "row";
      if (column.className) cell.className = column.className;
      line.append(cell);
    }
    this.#rows.set(key, line);
    return line;
  }

  #cell(cell, column, row, quiet) {
    write(cell, column.text(row), column.value?.(row), quiet);
    const hint = column.hint?.(row) ?? "";
    if (cell.title !== hint) cell.title = hint;
    const state = column.state?.(row) ?? "";
    if ((cell.dataset.state ?? "") !== state) cell.dataset.state = state;
  }
}
