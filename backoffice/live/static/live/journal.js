// A journal of which nothing is folded: its entries as they come, and how many this page was never shown.

const TOTAL = "total";

export class Journal {
  // Entries since `since` that were too many, or came while this page read too slowly.
  missed = 0;
  since = null;
  #counted = 0;
  #told = 0;

  // Takes in the changes of a frame; returns the entries that are new with it, as [key, row].
  take(changes) {
    const fresh = changes.filter(([key, before, after]) => key !== TOTAL && !before && after);
    const total = changes.find(([key]) => key === TOTAL)?.[2];
    if (total && total.since !== this.since) {
      // The server counts anew; what was there before is not known to be missing.
      Object.assign(this, { since: total.since, missed: 0 });
      this.#counted = total.count;
      this.#told = 0;
    } else {
      this.#told += fresh.length;
      if (total) this.missed = Math.max(0, total.count - this.#counted - this.#told);
    }
    return fresh.map(([key, , after]) => [key, after]);
  }

  entries(rows) {
    return [...rows].filter(([key]) => key !== TOTAL);
  }
}
