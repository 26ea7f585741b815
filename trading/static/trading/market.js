// One match with its runners: the real one where there is one, else the busiest of the simulator's.

import { age, clock, count, money, moment, odds, roughMoney, words } from "../live/format.js";
import { keyOf, partsOf } from "../live/keys.js";
import { Journal } from "../live/journal.js";
import { Table, soon, write } from "../live/paint.js";

const byId = new Intl.Collator("en", { numeric: true });
const OVER = ["closed", "settled", "cancelled"];
const STALE_MS = 10_000;
const MARKS = { open: "●", suspended: "■" };

class MarketPanel {
  #root;
  #page;
  #featured = null;
  #prices = null;
  #marketId = "";
  #statuses = new Journal();
  #suspensions = [];
  #runners;
  #picker;

  constructor(root, page) {
    this.#root = root;
    this.#page = page;
    this.#picker = root.querySelector("#market-picker");
    this.#picker.addEventListener("change", () => this.#show(this.#picker.value));
    this.#runners = new Table(root.querySelector("#runners"), this.#columns());
  }

  // The row of the market that is shown.
  #market() {
    return this.#prices?.rows.get(keyOf(this.#marketId));
  }

  // Stay with a match until it is over; but a real one is always worth more than a simulated one.
  feature(row) {
    const market = this.#market();
    const isBetter = row && (!this.#featured || (row.real && !this.#featured.real));
    const isOver = !market || OVER.includes(market.status);
    if (row && row.event === this.#featured?.event) this.#featured = row;
    else if (row && (isBetter || isOver)) this.#turnTo(row);
    soon(this.#paint);
  }

  // How long ago the feed last said something of this market, or null where none is shown.
  fedAt() {
    return this.#market()?.at ?? null;
  }

  #turnTo(featured) {
    for (const kind of this.#featured ? ["prices", "statuses"] : []) this.#page.forget(`${kind}:${this.#featured.event}`);
    this.#featured = featured;
    this.#statuses = new Journal();
    this.#suspensions = [];
    this.#prices = this.#page.watch(`prices:${featured.event}`, () => soon(this.#paint));
    this.#page.watch(`statuses:${featured.event}`, (changes) => this.#note(changes));
    this.#show(featured.market);
  }

  #show(marketId) {
    this.#marketId = marketId;
    soon(this.#paint);
  }

  // Prices only say what is now; that a market was suspended in between stands in the journal of statuses.
  #note(changes) {
    const taken = this.#statuses.take(changes).map(([, row]) => row);
    this.#suspensions.push(...taken.filter((row) => row.status === "suspended"));
    soon(this.#paint);
  }

  #paint = (quiet) => {
    const market = this.#market();
    this.#root.querySelector("#market-body").hidden = !market;
    this.#root.querySelector("#no-market").hidden = Boolean(market);
    if (!market) return;
    const put = (id, shown, value) => write(this.#root.querySelector(`#${id}`), shown, value, quiet);
    put("match-name", this.#featured.name);
    put("match-of", this.#about());
    put("match-source", this.#featured.real ? `real · ${this.#featured.provider}` : "simulated");
    put("market-status", `${MARKS[market.status] ?? "✕"} ${market.status.toUpperCase()}`);
    put("market-play", market.in_play ? `in play · ${market.bet_delay} s delay` : "pre-match");
    put("market-traded", market.traded === null ? "–" : money(market.traded, market.currency), market.traded);
    put("market-currency", market.currency);
    put("market-suspensions", this.#suspended());
    this.#root.querySelector("#market-body").dataset.status = market.status;
    this.#pick();
    this.#runners.show(this.#quotes(market), quiet);
  };

  #about() {
    const { sport, competition, starts_at: starts } = this.#featured;
    return [words(sport), competition, starts === null ? "" : `${moment(starts)} UTC`].filter(Boolean).join(" · ");
  }

  #suspended() {
    const seen = this.#suspensions.filter((row) => row.market === this.#marketId);
    const missed = this.#statuses.missed ? `; ${count(this.#statuses.missed)} changes missed` : "";
    // One that was stored too late happened before others that were told.
    const last = Math.max(...seen.map((row) => row.at));
    return seen.length ? `${count(seen.length)}, last ${clock(last)}${missed}` : `none seen${missed}`;
  }

  #quotes(market) {
    return [...this.#prices.rows]
      .filter(([, row]) => row.market === this.#marketId)
      .sort(([one], [other]) => byId.compare(one, other))
      .map(([key, row]) => [key, { ...row, currency: market.currency, isOpen: market.status === "open" }]);
  }

  // The markets of the match to choose from; rebuilt only when there are others.
  #pick() {
    const markets = [...this.#prices.rows].filter(([, row]) => row.market === undefined);
    const signature = JSON.stringify(markets.map(([key]) => key));
    if (this.#picker.dataset.markets !== signature) {
      markets.sort(([one], [other]) => byId.compare(one, other));
      this.#picker.replaceChildren(
        ...markets.map(([key, row]) => new Option([row.name, row.line].filter(Boolean).join(" "), partsOf(key)[0])),
      );
      this.#picker.dataset.markets = signature;
    }
    if (this.#picker.value !== this.#marketId) this.#picker.value = this.#marketId;
  }

  #columns() {
    const state = (row) => (row.isOpen && row.status === "active" ? "" : "off");
    const price = (field, side) => ({
      className: `number odds ${side}`, text: (row) => odds(row[field]), value: (row) => row[field],
      state,
    });
    const size = (field, side) => ({
      className: `number size ${side}`, text: (row) => roughMoney(row[field], row.currency),
      state,
    });
    return [
      { isHeader: true, text: (row) => (row.status === "active" ? row.name : `${row.name} (${row.status})`) },
      size("back_size", "back"), price("back", "back"), price("lay", "lay"), size("lay_size", "lay"),
      { className: "number odds", text: (row) => odds(row.last), value: (row) => row.last },
    ];
  }
}

// Returns what to call as time goes by: a feed that says nothing ages.
export function panel(root, page) {
  const market = new MarketPanel(root, page);
  const featured = page.watch("featured", () => market.feature(featured.rows.get("market")));
  const element = root.querySelector("#market-age");
  return () => page.showAge(element, market.fedAt(), STALE_MS, (ms) => `updated ${age(ms)} ago`);
}
