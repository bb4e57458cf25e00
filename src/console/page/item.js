// A product: its stock over time, and its ledger.

import { readItem, readLedger } from "./api.js";
import { button, element, muted, refresh, setText, terms, toned } from "./dom.js";
import { Entries } from "./entries.js";
import { dateTime, number, plural } from "./format.js";
import { ledgerTable } from "./ledger_table.js";
import { LineChart } from "./line_chart.js";
import { toStock } from "./routes.js";
import { serviceNow } from "./status.js";
import { foreignText, foreignTextOrEmpty, timeText } from "./text.js";
import { View, section } from "./view.js";

const INTERVAL_MS = 5_000;
const EMPTY_MS = 60_000; // the time range of a chart without points

const numberOr = (value, otherwise) => (value === null ? muted(otherwise) : number(value));

function itemTerms({ quantity, level, held, lowStock, createdAt }) {
  return [
    ["Stock", numberOr(quantity, "not readable"), " ", toned(level)],
    ["Held", numberOr(held, "–")],
    ["Low at", numberOr(lowStock, "–")],
    ["Added", timeText(createdAt, dateTime)],
  ];
}

function descriptionOf(item) {
  if (item.description === null) return muted("No description.");
  return foreignTextOrEmpty(item.description);
}

function wordsFor(points, entries) {
  if (entries.length === 0) return "Nothing is known yet.";
  if (points.length === 0) return "What was left was not kept with these entries.";
  const values = points.map(({ y }) => y);
  const least = number(values.reduce((a, b) => Math.min(a, b)));
  const most = number(values.reduce((a, b) => Math.max(a, b)));
  const since = dateTime(new Date(points[0].x));
  return `since ${since}: now ${number(values.at(-1))}, at least ${least}, at most ${most}`;
}

export class ItemView extends View {
  #productId;
  #item; // undefined: not read yet; null: there is none
  #entries = new Entries();
  #ended = new AbortController();
  #description = element("p", { class: "description" });
  #state = element("div");
  #chart = new LineChart({
    title: "Stock",
    series: [
      { label: "stock", colour: "--series-1", isStepped: true },
      { label: "low, dashed", colour: "--series-2", isDashed: true },
    ],
  });
  #table;
  #older = button("Older entries", () => this.#readOlder());
  #more = element("p", { role: "status" });

  constructor(main, { productId }) {
    super(main, `Product ${productId}`);
    this.#productId = productId;
    this.#table = ledgerTable(productId, {
      caption: "What became of it, the newest first",
      none: "The ledger has no entry for this product.",
    });
    const pager = element("div", { class: "pager" }, this.#older, this.#more);
    this.controls.append(element("p", {}, element("a", { href: toStock() }, "All products")));
    this.content.append(
      this.#description,
      this.#state,
      this.#chart.element,
      section("Ledger", this.#table.element, pager),
    );
    this.watch({
      read: (signal) =>
        Promise.all([readItem(productId, signal), readLedger(productId, null, signal)]),
      onValue: ([item, newest]) => {
        this.#entries.addNewest(newest);
        this.#showItem(item);
        this.#showEntries();
      },
      intervalMs: INTERVAL_MS,
    });
  }

  stop() {
    super.stop();
    this.#ended.abort();
    this.#chart.destroy();
  }

  // The ledger of a deleted product remains.
  #showItem(item) {
    const known = this.#item;
    this.#item = item;
    if (item === null) {
      setText(this.#description, `There is no product ${this.#productId}.`);
      this.#state.replaceChildren();
      return;
    }
    if (!known || known.description !== item.description) {
      this.#description.replaceChildren(descriptionOf(item));
    }
    refresh(this.#state, terms(itemTerms(item)));
  }

  #showEntries() {
    const { list, next, isFull } = this.#entries;
    this.#table.show(list, ({ key }) => key);
    this.#draw();
    this.#older.hidden = next === null || isFull;
    if (next === null) {
      const count = plural(list.length, "entry", "entries");
      setText(this.#more, list.length > 0 ? `These are all: ${count}.` : "");
    } else if (isFull) {
      const command = `inventory-service ledger --product-id ${this.#productId}`;
      refresh(this.#more, "For still older ones: ", element("code", {}, command));
    }
  }

  #draw() {
    const now = serviceNow().getTime();
    const points = this.#entries.points(this.#item?.quantity ?? null, now);
    const to = points.at(-1)?.x ?? now;
    const from = points[0]?.x ?? to - EMPTY_MS;
    const low = this.#item?.lowStock ?? null;
    this.#chart.show({
      points: [points, low === null ? [] : [from, to].map((x) => ({ x, y: low }))],
      from,
      to,
      words: wordsFor(points, this.#entries.list),
    });
  }

  async #readOlder() {
    this.#older.disabled = true;
    setText(this.#more, "Reading …");
    try {
      const { next } = this.#entries;
      const page = await readLedger(this.#productId, next, this.#ended.signal);
      // addNewest() may have dropped the known entries meanwhile.
      if (next === this.#entries.next) this.#entries.addOlder(page);
      setText(this.#more, `${plural(this.#entries.list.length, "entry", "entries")} are shown.`);
      this.#showEntries();
    } catch (failure) {
      const reason = foreignText(failure.message);
      this.#more.replaceChildren("Older entries could not be read. ", reason);
    } finally {
      this.#older.disabled = false;
    }
  }
}
