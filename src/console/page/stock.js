// Stock: all products, page by page; the service searches and sorts.

import { SEARCH_LENGTH_MAX, SORTS, readItems } from "./api.js";
import { button, element, setText, toned } from "./dom.js";
import { dateTime, number, plural } from "./format.js";
import { readProductId, toItem, toStock } from "./routes.js";
import { Table } from "./table.js";
import { foreignTextOrEmpty, timeText } from "./text.js";
import { Trail } from "./trail.js";
import { View } from "./view.js";

const INTERVAL_MS = 10_000;
const TYPING_MS = 300;

const COLUMNS = [
  {
    name: "Product",
    isNumber: true,
    isHeader: true,
    of: ({ id }) => id,
    show: (id) => element("a", { href: toItem(id) }, String(id)),
  },
  {
    name: "Description",
    isWide: true,
    of: ({ description }) => description,
    show: foreignTextOrEmpty,
  },
  {
    name: "Stock",
    isNumber: true,
    of: ({ quantity }) => quantity,
    show: number,
    none: "not readable",
  },
  { name: "Level", isShort: true, of: ({ level }) => level, show: toned },
  { name: "Held", isNumber: true, of: ({ held }) => held, show: number },
  { name: "Low at", isNumber: true, of: ({ lowStock }) => lowStock, show: number },
  {
    name: "Added",
    of: ({ createdAt }) => createdAt,
    show: (_written, { createdAt }) => timeText(createdAt, dateTime),
  },
];
const SORTED_COLUMN = { id: "Product", quantity: "Stock", scarcity: "Level" };

const trail = new Trail(); // outlives the view, for the browser's Back button

export class StockView extends View {
  #asked; // { search, sort, after }
  #next = null;
  #typing = 0;
  #table = new Table({ caption: "Products", columns: COLUMNS, none: "No product is found." });
  #where = element("p", { role: "status" });
  #shortcut = element("p");
  #first = button("First page", () => this.#goTo(null));
  #previous = button("Previous page", () => this.#goTo(trail.before));
  #following = button("Next page", () => this.#goOn());
  #search = element("input", {
    type: "search",
    id: "search",
    maxlength: SEARCH_LENGTH_MAX,
    autocomplete: "off",
    dir: "auto",
    oninput: () => this.#type(),
  });
  #sort = element(
    "select",
    { id: "sort", onchange: () => this.#look() },
    ...SORTS.map(({ name, label }) => element("option", { value: name }, label)),
  );

  constructor(main, { search, sort, after }) {
    super(main, "Stock");
    this.#asked = {
      search: search.slice(0, SEARCH_LENGTH_MAX),
      sort: SORTS.some(({ name }) => name === sort) ? sort : "id",
      after,
    };
    this.#search.value = this.#asked.search;
    this.#sort.value = this.#asked.sort;
    const pages = { class: "pager", "aria-label": "Pages" };
    this.controls.append(this.#form(), this.#shortcut);
    this.content.append(
      this.#where,
      this.#table.element,
      element("nav", pages, this.#first, this.#previous, this.#following),
    );
    this.#arrive();
    this.watch({
      read: (signal) => readItems(this.#asked, signal),
      onValue: (page) => this.#show(page),
      intervalMs: INTERVAL_MS,
    });
  }

  stop() {
    super.stop();
    clearTimeout(this.#typing);
  }

  #form() {
    const onsubmit = (event) => {
      event.preventDefault();
      this.#look();
    };
    const field = (label, input) =>
      element("p", { class: "field" }, element("label", { for: input.id }, label), input);
    return element(
      "form",
      { role: "search", class: "fields", onsubmit },
      field("Search descriptions", this.#search),
      field("Order by", this.#sort),
    );
  }

  #type() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#look(), TYPING_MS);
  }

  // Looks for what the fields say.
  #look() {
    clearTimeout(this.#typing);
    const [search, sort] = [this.#search.value, this.#sort.value];
    if (search === this.#asked.search && sort === this.#asked.sort) return;
    this.#asked = { search, sort, after: null };
    history.replaceState(null, "", toStock(this.#asked));
    this.#arrive();
    this.readOther();
  }

  #goOn() {
    trail.add(this.#next);
    this.#goTo(this.#next);
  }

  #goTo(after) {
    this.#asked = { ...this.#asked, after };
    history.pushState(null, "", toStock(this.#asked));
    this.#arrive();
    this.readOther();
    scrollTo(0, 0);
  }

  #arrive() {
    const { search, sort, after } = this.#asked;
    trail.arrive(JSON.stringify([search, sort]), after);
    const id = readProductId(search.trim());
    const link = id && element("a", { href: toItem(id) }, `Go to product ${id}`);
    this.#shortcut.replaceChildren(...(link ? [link] : []));
  }

  #show({ items, next }) {
    this.#next = next;
    this.#table.show(items, ({ id }) => id);
    this.#table.setSorted(SORTED_COLUMN[this.#asked.sort]);
    const page = trail.number ? `Page ${trail.number}` : "A later page";
    const end = next === null ? ", the last page" : "";
    setText(this.#where, `${page}: ${plural(items.length, "product")}${end}`);
    this.#first.disabled = this.#asked.after === null;
    this.#previous.disabled = trail.before === undefined;
    this.#following.disabled = next === null;
  }
}
