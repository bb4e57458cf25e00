// The entries of the ledger as a table.

import { element, toned } from "./dom.js";
import { dateTime, number, signed } from "./format.js";
import { toOrder } from "./routes.js";
import { Table } from "./table.js";
import { foreignTextOrEmpty, idText, timeText } from "./text.js";

function idCell([id, lineId], isOfOrder, productId) {
  const name = isOfOrder
    ? element("a", { href: toOrder({ orderId: id, productId, lineId }) }, idText(id))
    : idText(id);
  if (lineId === null) return name;
  return element("div", {}, name, element("div", { class: "detail" }, "line ", idText(lineId)));
}

export function ledgerTable(productId, { caption, none }) {
  return new Table({
    caption,
    none,
    columns: [
      {
        name: "Time",
        isHeader: true,
        of: ({ time }) => time,
        show: (_written, { time }) => timeText(time, dateTime),
      },
      { name: "Kind", isShort: true, of: ({ kind }) => kind, show: String },
      {
        name: "Id",
        isWide: true,
        of: ({ id, lineId }) => (id === null ? null : [id, lineId]),
        show: (ids, { isOfOrder }) => idCell(ids, isOfOrder, productId),
      },
      { name: "Outcome", isWide: true, of: ({ outcome }) => outcome, show: toned },
      { name: "Quantity", isNumber: true, of: ({ quantity }) => quantity, show: number },
      { name: "Change", isNumber: true, of: ({ delta }) => delta, show: signed },
      { name: "Left", isNumber: true, of: ({ left }) => left, show: number },
      { name: "Reason", isWide: true, of: ({ reason }) => reason, show: foreignTextOrEmpty },
    ],
  });
}
