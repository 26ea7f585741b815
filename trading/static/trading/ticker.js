// The last bets, newest on top. Each is an entry of a journal, so that none is folded into another.

import { clock, count, money, odds, words } from "../live/format.js";
import { Journal } from "../live/journal.js";
import { Table, soon, write } from "../live/paint.js";

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

export function panel(root, page) {
  const table = new Table(root.querySelector("#bets"), COLUMNS);
  const button = root.querySelector("#pause-bets");
  const missed = root.querySelector("#bets-missed");
  const journal = new Journal();
  let paused = null;
  const ticker = page.watch("ticker", (changes) => {
    journal.take(changes);
    soon(paint);
  });
  const paint = (quiet) => {
    if (paused) {
      const fresh = [...journal.entries(ticker.rows)].filter(([key]) => !paused.has(key)).length;
      button.textContent = fresh ? `Go on (${count(fresh)} new)` : "Go on";
      return;
    }
    const entries = journal.entries(ticker.rows);
    table.show(entries.sort(([one, a], [other, b]) => b.at - a.at || (one < other ? 1 : -1)), quiet, { markNew: true });
    missed.hidden = !journal.missed;
    write(missed, `${count(journal.missed)} more not shown since ${clock(journal.since)}`, undefined, true);
  };
  button.addEventListener("click", () => {
    paused = paused ? null : new Set(ticker.rows.keys());
    button.textContent = paused ? "Go on" : "Pause";
    button.setAttribute("aria-pressed", String(Boolean(paused)));
    soon(paint);
  });
}

function selection(bet) {
  const single = [bet.selection, bet.market, bet.event].filter(Boolean).join(" · ") || "single";
  const what = bet.legs === 1 ? single : `${words(bet.kind)} of ${count(bet.legs)} legs`;
  return bet.free ? `free: ${what}` : what;
}

function brand(bet) {
  return `${bet.brand} ${bet.jurisdiction}`;
}
