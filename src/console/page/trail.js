// Trail: the pages of one search in one order that were shown, for the way back: the service knows
// the way forward only. A page is the cursor that it is asked for with; the first one is null.

export class Trail {
  #listing = "";
  #pages = [];
  #at = 0;

  // `page` of `listing` is shown, however somebody came there.
  arrive(listing, page) {
    if (listing !== this.#listing) this.#pages = [];
    this.#listing = listing;
    if (!this.#pages.includes(page)) this.#pages = [page];
    this.#at = this.#pages.indexOf(page);
  }

  // `next` follows on the page that is shown.
  add(next) {
    this.#pages = [...this.#pages.slice(0, this.#at + 1), next];
  }

  // The page before; undefined where it is not known.
  get before() {
    return this.#pages[this.#at - 1];
  }

  // Of the page that is shown, from 1; undefined where it is not known.
  get number() {
    return this.#pages[0] === null ? this.#at + 1 : undefined;
  }
}
