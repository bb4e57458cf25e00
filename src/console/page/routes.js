// Addresses of the views: the part of the page's address after the "#".

import { readId, writeId } from "./ids.js";

const write = (parameters) => {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== "");
  const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return text === "" ? "" : `?${text}`;
};

export const toStock = ({ search = "", sort = "id", after = null } = {}) =>
  `#/stock${write({ search, sort: sort === "id" ? "" : sort, after })}`;

export const toItem = (id) => `#/items/${id}`;

export const toOrder = ({ orderId, productId, lineId = null }) =>
  `#/orders/${encodeURIComponent(writeId(orderId))}` +
  write({ product_id: productId, line_id: lineId === null ? null : writeId(lineId) });

export const toDeadLetters = () => "#/dead-letters";

export function readProductId(text) {
  const number = Number(text);
  return /^[0-9]{1,16}$/.test(text) && number >= 1 && Number.isSafeInteger(number) ? number : null;
}

function readParameters(text) {
  const parameters = new Map();
  for (const part of text.split("&").filter((each) => each !== "")) {
    const [name, ...value] = part.split("=");
    parameters.set(name, decodeURIComponent(value.join("=")));
  }
  return parameters;
}

// The view's name and its parameters; null if no view has this address.
export function readRoute(hash) {
  const [path, ...rest] = hash.replace(/^#/, "").split("?");
  let segments;
  let parameters;
  try {
    segments = path.split("/").slice(1).map(decodeURIComponent);
    parameters = readParameters(rest.join("?"));
  } catch {
    return null; // a stray "%"
  }
  const [name = "", id, ...more] = segments;
  if (more.length > 0) return null;
  const given = (parameter) => parameters.get(parameter) ?? "";
  switch (name) {
    case "":
      return id === undefined ? { view: "now" } : null;
    case "stock":
      return {
        view: "stock",
        search: given("search"),
        sort: given("sort") || "id",
        after: parameters.get("after") ?? null,
      };
    case "items": {
      const productId = readProductId(id ?? "");
      return productId && { view: "item", productId };
    }
    case "orders":
      return {
        view: "order",
        orderId: id ? readId(id) : null,
        productId: readProductId(given("product_id")),
        lineId: given("line_id") === "" ? null : readId(given("line_id")),
      };
    case "dead-letters":
      return { view: "dead-letters" };
    default:
      return null;
  }
}
