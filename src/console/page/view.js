// View: a heading, controls, what stands in the way, and the content. It may poll for the content.
// A view takes the place of the one before when it is made, and is done with after stop().

import { button, element } from "./dom.js";
import { clockSeconds } from "./format.js";
import { Poll } from "./poll.js";
import { foreignText } from "./text.js";

const REASON_LENGTH_MAX = 500;

export class View {
  #heading;
  #notice = element("div", { class: "notice", role: "status" });
  #loading = element("p", { class: "muted" }, "Reading …");
  #reason = null; // that is shown; null: nothing stands in the way
  #at = null; // when the content was true
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

  // onValue(value) shows it in the content.
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

  // The same for something else: what is shown is no more what is asked for.
  readOther() {
    this.content.setAttribute("aria-busy", "true");
    this.again();
  }

  // Nothing is read.
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

  // The same reason is said once, however often it is tried again.
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
