// What the operator turns over: revenue and mean stake by currency and vertical, deposits by provider.

import { count, figure, share, words } from "../live/format.js";
import { Table, soon } from "../live/paint.js";
import { byName, name, number, section } from "../live/sections.js";

// A line for each currency and a column for each vertical; amounts of two currencies never meet in one line.
class ByCurrency {
  #element;
  #table = null;
  #verticals = "";

  constructor(element) {
    this.#element = element;
  }

  show(entries, amount, quiet) {
    const verticals = [...new Set(entries.map(([, row]) => row.parts[0]))].sort(byName.compare);
    if (this.#table === null || verticals.join() !== this.#verticals) this.#lay(verticals);
    const lines = new Map();
    for (const [, row] of entries) {
      const [vertical, currency] = row.parts;
      lines.set(currency, { ...lines.get(currency), currency, [vertical]: amount(row) });
    }
    this.#table.show([...lines].sort(([one], [other]) => byName.compare(one, other)), quiet);
  }

  #lay(verticals) {
    this.#verticals = verticals.join();
    const heads = ["Currency", ...verticals.map(words)].map((label, place) => {
      const head = document.createElement("th");
      head.scope = "col";
      head.textContent = label;
      if (place) head.className = "number";
      return head;
    });
    this.#element.tHead.rows[0].replaceChildren(...heads);
    this.#element.tBodies[0].replaceChildren();
    this.#table = new Table(this.#element, [
      name((row) => row.currency),
      ...verticals.map((vertical) => number((row) => figure(row[vertical], row.currency), (row) => row[vertical])),
    ]);
  }
}

export function panel(root, page) {
  const element = (id) => root.querySelector(`#${id}`);
  const revenue = new ByCurrency(element("ggr"));
  const stakes = new ByCurrency(element("stake"));
  const payments = new Table(element("payments"), [
    name((row) => row.parts[0]),
    number((row) => share(row.rate), (row) => row.rate),
    number((row) => count(row.succeeded), (row) => row.succeeded),
    number((row) => count(row.failed), (row) => row.failed),
  ]);
  const figures = page.watch("figures", () => soon(paint));
  const paint = (quiet) => {
    revenue.show(section(figures.rows, "ggr"), (row) => row.amount, quiet);
    stakes.show(section(figures.rows, "stake"), (row) => row.mean, quiet);
    payments.show(section(figures.rows, "payments"), quiet);
  };
}
