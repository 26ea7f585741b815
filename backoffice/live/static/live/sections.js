// Rows as tables show them: those under one word of their keys, and columns for names and numbers.

import { partsOf } from "./keys.js";

export const byName = new Intl.Collator("en", { numeric: true });

export const name = (label) => ({ isHeader: true, text: label });
export const number = (shown, value) => ({ className: "number", text: shown, value });

// The rows under "section/…", each with the parts of its key, in the order of their keys.
export function section(rows, wanted) {
  return [...rows]
    .filter(([key]) => key.startsWith(`${wanted}/`))
    .map(([key, row]) => [key, { ...row, parts: partsOf(key).slice(1) }])
    .sort(([one], [other]) => byName.compare(one, other));
}
