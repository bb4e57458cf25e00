// Entries: what a page has read of a product's ledger, without a gap, the newest first.

const ENTRIES_MAX = 5_000;

export class Entries {
  list = [];
  next = null; // where older ones begin; null: there are none

  get isFull() {
    return this.list.length >= ENTRIES_MAX;
  }

  // The newest page. If it does not reach those that are known, there is a gap: they are given up.
  addNewest({ entries, next }) {
    const newest = new Set(entries.map(({ key }) => key));
    const others = this.list.filter(({ key }) => !newest.has(key));
    const reaches = next !== null && others.length < this.list.length;
    if (reaches && entries.length + others.length <= ENTRIES_MAX) {
      this.list = [...entries, ...others];
    } else {
      this.list = entries;
      this.next = next;
    }
  }

  addOlder({ entries, next }) {
    const known = new Set(this.list.map(({ key }) => key));
    this.list = [...this.list, ...entries.filter(({ key }) => !known.has(key))];
    this.next = next;
  }

  // What was left after each entry, the oldest first, up to what there is now: points of a chart.
  // An entry that does not say it, as that of what was archived, left what the next one began with.
  points(quantityNow, now) {
    const points = [];
    let next = quantityNow; // what the entry that comes next began with
    let begins = null; // what the oldest one began with; null: an opening, or nobody knows
    for (const { time, left, delta, isOpening } of this.list) {
      const after = left ?? next;
      next = after === null ? null : after - delta;
      if (time === null || after === null) continue;
      points.unshift({ x: time.getTime(), y: after });
      begins = isOpening ? null : next;
    }
    if (points.length === 0) return [];
    if (begins !== null) points.unshift({ x: points[0].x, y: begins });
    if (quantityNow !== null) {
      points.push({ x: Math.max(now, points.at(-1).x), y: quantityNow });
    }
    return points;
  }
}
