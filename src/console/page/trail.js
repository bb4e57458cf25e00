// Trail: the pages that were shown of one search, for going back: the service only gives the next
// page. A page is represented by its cursor; that of the first page is null.

export class Trail {
  #listing = "";
  #pages = [];
  #at = 0;

  // `page` of `listing` is now shown, whichever way the user took.
  arrive(listing, page) {
    if (listing !== this.#listing) this.#pages = [];
    this.#listing = listing;
    if (!this.#pages.includes(page)) this.#pages = [page];
    this.#at = this.#pages.indexOf(page);
  }

  // `next` follows the page that is shown.
  add(next) {
    this.#pages = [...this.#pages.slice(0, this.#at + 1), next];
  }

  // The previous page; undefined if not known.
  get before() {
    return this.#pages[this.#at - 1];
  }

  // The number of the page that is shown, from 1; undefined if not known.
  get number() {
    return this.#pages[0] === null ? this.#at + 1 : undefined;
  }
}
