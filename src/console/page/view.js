// View: a heading, controls, the reason if reading fails, and the content. It may poll for the
// content. A new view replaces the previous one; after stop() it is not used any more.

import { button, element } from "./dom.js";
import { clockSeconds } from "./format.js";
import { Poll } from "./poll.js";
import { foreignText } from "./text.js";

const REASON_LENGTH_MAX = 500;

export class View {
  #heading;
  #notice = element("div", { class: "notice", role: "status" });
  #loading = element("p", { class: "muted" }, "Reading …");
  #reason = null; // the failure on show; null: none
  #at = null; // when the content was read
  #poll = null;

  controls = element("div");
  content = element("div", { hidden: true });

  constructor(main, ...title) {
    this.#heading = element("h1", { tabindex: "-1" }, ...title);
    main.replaceChildren(this.#heading, this.controls, this.#notice, this.#loading, this.content);
  }

  focus() {
    this.#heading.focus();
  }

  stop() {
    this.#poll?.stop();
  }

  // onValue(value) must show the value in the content.
  watch({ read, onValue, intervalMs }) {
    this.#poll = new Poll({
      read,
      intervalMs,
      onValue: (value) => {
        this.succeed(new Date());
        onValue(value);
      },
      onFailure: (failure) => this.fail(failure, () => this.again()),
    });
    this.#poll.start();
  }

  // Reads at once.
  again() {
    this.#poll?.again();
  }

  // Reads something else at once: the content on show is out of date until then.
  readOther() {
    this.content.setAttribute("aria-busy", "true");
    this.again();
  }

  // There is nothing to read.
  idle() {
    this.#loading.hidden = true;
  }

  succeed(at) {
    this.#at = at;
    this.#loading.hidden = true;
    this.content.hidden = false;
    this.content.removeAttribute("aria-busy");
    if (this.#reason === null) return;
    this.#reason = null;
    if (this.#notice.contains(document.activeElement)) this.focus();
    this.#notice.replaceChildren();
  }

  // A repeated failure with the same reason is not announced again.
  fail(failure, tryAgain) {
    this.#loading.hidden = true;
    if (failure.message === this.#reason) return;
    this.#reason = failure.message;
    const isLasting = failure.status >= 400 && failure.status < 500;
    const shown = this.#at
      ? `What is shown is of ${clockSeconds(this.#at)}.`
      : "There is nothing to show yet.";
    this.#notice.replaceChildren(
      element(
        "p",
        { class: "reason" },
        foreignText(failure.message, { lengthMax: REASON_LENGTH_MAX }),
      ),
      element("p", {}, isLasting ? shown : `${shown} This page tries again by itself.`),
      button("Try now", tryAgain),
    );
  }
}

// A section with a heading of its own.
export const section = (title, ...children) =>
  element("section", {}, element("h2", {}, title), ...children);
