// Entries: the part of a product's ledger that was read, without a gap, the newest first.

const ENTRIES_MAX = 5_000;

export class Entries {
  list = [];
  next = null; // where older entries begin; null: there are none

  get isFull() {
    return this.list.length >= ENTRIES_MAX;
  }

  // Adds the newest page. If there is a gap between it and the known entries, these are dropped.
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

  // The points of a chart: the quantity after each entry, the oldest first, and the quantity now.
  // If an entry does not say what it left (a balance for archived entries, say), that is the
  // quantity with which the next entry began.
  points(quantityNow, now) {
    const points = [];
    let next = quantityNow; // the quantity before the next entry
    let begins = null; // the quantity before the oldest entry; null: an opening, or not known
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
