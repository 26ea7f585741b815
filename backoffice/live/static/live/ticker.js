// The last bets, newest on top. Each is a row of its own from the server, so none is folded into another.

import { clock, count, money, odds, words } from "./format.js";
import { Table, soon } from "./paint.js";

const COLUMNS = [
  { className: "number", text: (bet) => clock(bet.at) },
  { className: "what", text: selection, hint: selection },
  { text: (bet) => (bet.in_play ? "in play" : "") },
  { className: "number", text: (bet) => odds(bet.odds) },
  { className: "number stake", text: (bet) => money(bet.stake, bet.currency) },
  { text: (bet) => bet.currency },
  { className: "number", text: (bet) => money(bet.payout, bet.currency) },
  { className: "what", text: brand, hint: brand },
];

export function tickerPanel(root, publication) {
  const table = new Table(root.querySelector("#bets"), COLUMNS);
  const button = root.querySelector("#pause-bets");
  let paused = null;
  const paint = (quiet) => {
    if (paused) {
      const fresh = [...publication.rows.keys()].filter((key) => !paused.has(key)).length;
      button.textContent = fresh ? `Go on (${count(fresh)} new)` : "Go on";
      return;
    }
    const newestFirst = [...publication.rows].sort(([one, a], [other, b]) => b.at - a.at || (one < other ? 1 : -1));
    table.show(newestFirst, quiet, { markNew: true });
  };
  button.addEventListener("click", () => {
    paused = paused ? null : new Set(publication.rows.keys());
    button.textContent = paused ? "Go on" : "Pause";
    button.setAttribute("aria-pressed", String(Boolean(paused)));
    soon(paint);
  });
  return () => soon(paint);
}

function selection(bet) {
  const single = [bet.selection, bet.market, bet.event].filter(Boolean).join(" · ") || "single";
  const what = bet.legs === 1 ? single : `${words(bet.kind)} of ${count(bet.legs)} legs`;
  return bet.free ? `free: ${what}` : what;
}

function brand(bet) {
  return `${bet.brand} ${bet.jurisdiction}`;
}
