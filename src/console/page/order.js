// An order: its outcome and entries for one product.

import { readOrder } from "./api.js";
import { element, refresh, toned } from "./dom.js";
import { dateTime, duration } from "./format.js";
import { readId, writeId } from "./ids.js";
import { ledgerTable } from "./ledger_table.js";
import { readProductId, toItem, toOrder } from "./routes.js";
import { serviceNow } from "./status.js";
import { idText, timeText } from "./text.js";
import { View } from "./view.js";

const INTERVAL_MS = 5_000;
const ID_LENGTH_MAX = 300; // as written, with quotes

const written = (id) => (id === null ? "" : writeId(id));

function field(label, value, attributes) {
  const input = element("input", {
    maxlength: ID_LENGTH_MAX,
    autocomplete: "off",
    spellcheck: "false",
    ...attributes,
  });
  input.value = value;
  const row = element(
    "p",
    { class: "field" },
    element("label", { for: attributes.id }, label),
    input,
  );
  return { input, row };
}

const idField = (label, id, attributes) =>
  field(label, written(id), { dir: "auto", "aria-describedby": "ids", ...attributes });

const productField = (productId) =>
  field("Product", productId === null ? "" : String(productId), {
    id: "product-id",
    required: true,
    inputmode: "numeric",
    pattern: " *[0-9]{1,16} *",
    title: "the product's number",
  });

// onLookUp({ orderId, productId, lineId })
function lookUpForm({ orderId, productId, lineId }, onLookUp) {
  const order = idField("Order id", orderId, { id: "order-id", required: true });
  const product = productField(productId);
  const line = idField("Line id, if it has one", lineId, { id: "line-id" });
  const onsubmit = (event) => {
    event.preventDefault();
    const lineText = line.input.value.trim();
    const given = {
      orderId: readId(order.input.value),
      productId: readProductId(product.input.value.trim()),
      lineId: lineText === "" ? null : readId(lineText),
    };
    if (given.productId !== null && given.orderId !== "") onLookUp(given);
  };
  const send = element("button", { type: "submit" }, "Look up");
  const hint =
    'An id is a number or a text: 42 and "42" are two orders. Write a text of digits in quotes.';
  return element(
    "form",
    { role: "search", "aria-label": "Look up an order", onsubmit },
    element("div", { class: "fields" }, order.row, product.row, line.row, send),
    element("p", { id: "ids", class: "muted" }, hint),
  );
}

// The same text as the other type (42 for "42"), if it can be one.
function otherType(id) {
  if (typeof id === "number") return String(id);
  const number = readId(id);
  return typeof number === "number" ? number : null;
}

const typeOf = (id) => (typeof id === "number" ? "number" : "text");

function summary({ result, heldUntil }) {
  if (result === null) return ["Nothing is known of this order for this product."];
  if (heldUntil === null) return [toned(result)];
  const leftMs = heldUntil - serviceNow();
  const left = leftMs > 0 ? `, for another ${duration(leftMs)}` : ", which is over";
  return [toned(result), " until ", timeText(heldUntil, dateTime), left];
}

export class OrderView extends View {
  #route;
  #result = element("p", { class: "headline" });
  #hint = element("p");
  #table;

  constructor(main, route) {
    const { orderId, productId, lineId } = route;
    const line = lineId === null ? [] : [", line ", idText(lineId)];
    const isAsked = orderId !== null && productId !== null;
    super(main, ...(isAsked ? ["Order ", idText(orderId), ...line] : ["Order"]));
    this.#route = route;
    this.controls.append(lookUpForm(route, (given) => this.#lookUp(given)));
    if (!isAsked) {
      this.idle();
      return;
    }
    this.#table = ledgerTable(productId, {
      caption: "What became of it, the newest first",
      none: "There is no entry.",
    });
    const product = element("a", { href: toItem(productId) }, `product ${productId}`);
    this.content.append(
      element("p", {}, "For ", product, "."),
      this.#result,
      this.#hint,
      this.#table.element,
    );
    this.watch({
      read: (signal) => readOrder(route, signal),
      onValue: (order) => this.#show(order),
      intervalMs: INTERVAL_MS,
    });
  }

  #lookUp(given) {
    const address = toOrder(given);
    if (address === location.hash) this.again();
    else location.hash = address;
  }

  #show(order) {
    const isKnown = order.result !== null;
    refresh(this.#result, ...summary(order));
    refresh(this.#hint, ...(isKnown ? [] : this.#otherLink()));
    this.#table.show(order.entries, ({ key }) => key);
    this.#table.element.hidden = !isKnown;
  }

  #otherLink() {
    const orderId = otherType(this.#route.orderId);
    if (orderId === null) return [];
    const href = toOrder({ ...this.#route, orderId });
    return [element("a", { href }, `Look for the ${typeOf(orderId)} `, idText(orderId))];
  }
}
