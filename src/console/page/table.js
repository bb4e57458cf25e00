// Table: keeps rows by key and cells by value, and updates only what has changed. On a narrow
// screen each row is a card; the roles are set because that CSS removes the implicit ones.

import { KeyedList, element, muted, setText } from "./dom.js";

export class Table {
  #columns;
  #rows;
  #cells = new WeakMap(); // the cells of a row, each with the value that it shows
  #headers;
  #table;
  #none;

  // A column:
  //   name
  //   of(item)            -> value, compared as JSON; null: there is none
  //   show(value, item)   -> node or text
  //   none                shown for null; empty by default
  //   isHeader            of the row
  //   isNumber, isShort   on one line; isWide: room for some words
  constructor({ caption, columns, none }) {
    this.#columns = columns;
    const body = element("tbody", { role: "rowgroup" });
    this.#headers = columns.map(({ name, isNumber }) =>
      element(
        "th",
        { scope: "col", role: "columnheader", class: isNumber ? "number" : null },
        name,
      ),
    );
    this.#table = element(
      "table",
      { role: "table" },
      element("caption", {}, caption),
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...this.#headers)),
      body,
    );
    this.#none = element("p", { class: "muted", hidden: true }, none);
    this.element = element("div", { class: "table" }, this.#table, this.#none);
    this.#rows = new KeyedList(
      body,
      (item) => this.#createRow(item),
      (row, item) => this.#fill(row, item),
    );
  }

  show(items, keyOf) {
    this.#rows.show(items, keyOf);
    this.#table.hidden = items.length === 0;
    this.#none.hidden = items.length > 0;
  }

  setCaption(text) {
    setText(this.#table.caption, text);
  }

  // Marks the column by which the rows are sorted.
  setSorted(name) {
    this.#columns.forEach((column, index) => {
      if (column.name === name) this.#headers[index].setAttribute("aria-sort", "ascending");
      else this.#headers[index].removeAttribute("aria-sort");
    });
  }

  #createRow(item) {
    const cells = this.#columns.map(({ name, isNumber, isShort, isWide, isHeader }) =>
      element(isHeader ? "th" : "td", {
        role: isHeader ? "rowheader" : "cell",
        scope: isHeader ? "row" : null,
        class: (isNumber && "number") || (isShort && "short") || (isWide && "wide") || null,
        "data-name": name,
      }),
    );
    const row = element("tr", { role: "row" }, ...cells);
    this.#cells.set(
      row,
      cells.map((cell) => ({ cell, shown: "" })),
    );
    this.#fill(row, item);
    return row;
  }

  #fill(row, item) {
    this.#cells.get(row).forEach((state, index) => {
      const { of, show, none = null } = this.#columns[index];
      const value = of(item);
      const written = JSON.stringify(value);
      if (state.shown === written) return;
      state.shown = written;
      const focused = document.activeElement;
      const hadFocus = state.cell.contains(focused);
      const what = value === null ? none && muted(none) : show(value, item);
      state.cell.replaceChildren(...(what === null ? [] : [what]));
      if (hadFocus) state.cell.querySelector("a, button")?.focus({ preventScroll: true });
    });
  }
}
