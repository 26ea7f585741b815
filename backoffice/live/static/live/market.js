// One match with its runners: the real one where there is one, else the busiest of the simulator's.

import { age, clock, count, money, moment, odds, roughMoney, words } from "./format.js";
import { Table, soon, write } from "./paint.js";

const byId = new Intl.Collator("en", { numeric: true });
const OVER = ["closed", "settled", "cancelled"];
const MARKS = { open: "●", suspended: "■" };

export class MarketPanel {
  #root;
  #watch;
  #featured = null;
  #publication = null;
  #marketId = "";
  #chosen = false;
  #suspensions = 0;
  #lastSuspension = null;
  #runners;
  #picker;

  // `watch(name, onChange)` subscribes to a publication and returns it; `forget(name)` ends that.
  constructor(root, { watch, forget }) {
    this.#root = root;
    this.#watch = { watch, forget };
    this.#picker = root.querySelector("#market-picker");
    this.#picker.addEventListener("change", () => this.#choose(this.#picker.value));
    this.#runners = new Table(root.querySelector("#runners"), this.#columns());
  }

  // Stay with a match until it is over; but a real one is always worth more than a simulated one.
  feature(featured) {
    const row = featured.rows.get("market");
    const market = this.#publication?.rows.get(this.#marketId);
    const isBetter = row && (!this.#featured || (row.real && !this.#featured.real));
    const isOver = !market || OVER.includes(market.status);
    if (row && row.event === this.#featured?.event) this.#featured = row;
    else if (row && (isBetter || isOver)) this.#turnTo(row);
    soon(this.#paint);
  }

  // How long ago the feed last said something of this market, or null where none is shown.
  fedAt() {
    return this.#publication?.rows.get(this.#marketId)?.at ?? null;
  }

  #turnTo(featured) {
    if (this.#publication) this.#watch.forget(this.#publication.name);
    this.#featured = featured;
    this.#chosen = false;
    this.#publication = this.#watch.watch(`prices:${featured.event}`, (changes) => this.#changed(changes));
    this.#show(featured.market);
  }

  #choose(marketId) {
    this.#chosen = true;
    this.#show(marketId);
  }

  #show(marketId) {
    this.#marketId = marketId;
    this.#suspensions = 0;
    this.#lastSuspension = null;
    soon(this.#paint);
  }

  // Every frame is looked at, not only what is left of them at the next paint: no suspension is missed.
  #changed(changes) {
    for (const [key, before, after] of changes) {
      if (key === this.#marketId && before && after?.status === "suspended" && before.status !== "suspended") {
        this.#suspensions += 1;
        this.#lastSuspension = after.at;
      }
    }
    soon(this.#paint);
  }

  #paint = (quiet) => {
    const market = this.#publication?.rows.get(this.#marketId);
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
    if (!this.#suspensions) return "none seen";
    return `${count(this.#suspensions)}, last ${clock(this.#lastSuspension)}`;
  }

  #quotes(market) {
    return [...this.#publication.rows]
      .filter(([, row]) => row.market === this.#marketId)
      .sort(([one], [other]) => byId.compare(one, other))
      .map(([key, row]) => [key, { ...row, currency: market.currency, isOpen: market.status === "open" }]);
  }

  // The markets of the match to choose from; rebuilt only when there are others.
  #pick() {
    const markets = [...this.#publication.rows].filter(([, row]) => row.market === undefined);
    const signature = markets.map(([key]) => key).join(" ");
    if (this.#picker.dataset.markets !== signature) {
      markets.sort(([one], [other]) => byId.compare(one, other));
      this.#picker.replaceChildren(
        ...markets.map(([key, row]) => new Option([row.name, row.line].filter(Boolean).join(" "), key)),
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

export function fedAge(ms) {
  return `updated ${age(ms)} ago`;
}
