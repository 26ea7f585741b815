// The rows of one publication as this page knows them: snapshot, numbered changes, and the gap that makes it ask again.

export class Publication {
  constructor(name) {
    this.name = name;
    this.rows = new Map();
    this.seq = null;
    this.at = null;
  }

  // Takes a frame in and returns what changed, as [key, before, after]; null when frames are missing and only a
  // snapshot helps. Frames that a snapshot already held change nothing.
  take(frame) {
    if (frame.type === "snapshot") return this.#replace(frame);
    if (this.seq === null || frame.seq < this.seq) return [];
    const isNext = frame.type === "same" ? frame.seq === this.seq : frame.seq <= this.seq + 1;
    if (!isNext) {
      this.seq = null;
      return null;
    }
    this.at = frame.at;
    if (frame.type === "same" || frame.seq === this.seq) return [];
    this.seq = frame.seq;
    return this.#change(frame);
  }

  // After a lost connection nothing is known of what comes next.
  forgetPlace() {
    this.seq = null;
  }

  #replace(frame) {
    const before = this.rows;
    this.rows = new Map(Object.entries(frame.rows));
    this.seq = frame.seq;
    this.at = frame.at;
    const keys = new Set([...before.keys(), ...this.rows.keys()]);
    return [...keys].map((key) => [key, before.get(key), this.rows.get(key)]);
  }

  #change(frame) {
    const before = new Map();
    for (const key of [...frame.drop, ...Object.keys(frame.set)]) before.set(key, this.rows.get(key));
    for (const key of frame.drop) this.rows.delete(key);
    for (const [key, fields] of Object.entries(frame.set)) this.rows.set(key, { ...this.rows.get(key), ...fields });
    return [...before].map(([key, row]) => [key, row, this.rows.get(key)]);
  }
}
