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
  points(quantityNow, now) {
    const kept = this.list.filter(({ time, left }) => time !== null && left !== null).toReversed();
    if (kept.length === 0) return [];
    const points = kept.map(({ time, left }) => ({ x: time.getTime(), y: left }));
    points.unshift({ x: points[0].x, y: kept[0].left - kept[0].delta });
    if (quantityNow !== null) {
      points.push({ x: Math.max(now, points.at(-1).x), y: quantityNow });
    }
    return points;
  }
}
