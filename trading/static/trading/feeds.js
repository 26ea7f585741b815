// When each provider was last heard, and how many of its markets are silent.

import { age, count } from "../live/format.js";
import { Table, soon } from "../live/paint.js";
import { name, number, section } from "../live/sections.js";

// Returns what to call as time goes by: silence grows without any news.
export function panel(root, page) {
  const sources = new Table(root.querySelector("#sources"), [
    name((row) => row.parts[0]),
    { className: "number", text: (row) => age(page.now() - row.heard_at) },
    number((row) => `${count(row.silent)} of ${count(row.watched)}`, (row) => row.silent),
  ]);
  const health = page.watch("health", () => soon(paint));
  const paint = (quiet) => {
    sources.showOrHide(section(health.rows, "sources").filter(([, row]) => "watched" in row), quiet);
  };
  return () => soon(paint);
}
