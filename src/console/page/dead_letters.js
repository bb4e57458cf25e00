// Dead letters: how many there are, and the newest ones that this instance has published.

import { LIST_DEAD_LETTERS, readDeadLetters } from "./api.js";
import { KeyedList, element, muted, setText, terms } from "./dom.js";
import { NOT_KNOWN, dateTime, number, plural } from "./format.js";
import { Table } from "./table.js";
import { commandLine, cut, foreignText, foreignTextOrEmpty, timeText } from "./text.js";
import { View, section } from "./view.js";

const INTERVAL_MS = 10_000;
const BODY_LENGTH_MAX = 1_000;
const MESSAGE_LENGTH_MAX = 160; // in a letter's summary line

const COUNT_COLUMNS = [
  { name: "Queue", isHeader: true, of: ({ name }) => name, show: (name) => foreignText(name) },
  { name: "Letters", isNumber: true, of: ({ count }) => count, show: number, none: NOT_KNOWN },
];

const HEADER_COLUMNS = [
  {
    name: "Header",
    isHeader: true,
    isWide: true,
    of: ({ name }) => name,
    show: (name) => foreignText(name),
  },
  { name: "Value", isWide: true, of: ({ text }) => text, show: foreignTextOrEmpty },
];

function bodyOf({ body, bodyBytes }) {
  const shownBytes = new TextEncoder().encode(body).length;
  const size = bodyBytes === null ? "" : `, ${plural(bodyBytes, "byte")}`;
  const isCut = bodyBytes !== null && bodyBytes > shownBytes;
  const part = isCut ? `, of which the first ${number(shownBytes)} are shown` : "";
  const options = { keepLines: true, lengthMax: BODY_LENGTH_MAX };
  return [
    element("h3", {}, `Body${size}${part}`),
    body === ""
      ? element("p", {}, muted("empty"))
      : element("div", { class: "body", tabindex: "0" }, foreignText(body, options)),
  ];
}

function detailsOf(letter) {
  const headers = new Table({
    caption: "Headers",
    columns: HEADER_COLUMNS,
    none: "It has no headers.",
  });
  headers.show(letter.headers, ({ name }) => name);
  const isCut = letter.message.length > MESSAGE_LENGTH_MAX;
  const pairs = [
    ...(isCut ? [["What is wrong", foreignText(letter.message)]] : []),
    ...letter.ids.filter(({ id }) => id !== null).map(({ name, id }) => [name, foreignText(id)]),
  ];
  return [
    ...(pairs.length > 0 ? [terms(pairs)] : []),
    ...bodyOf(letter),
    headers.element,
    element("h3", {}, "Send it again"),
    letter.replay === null
      ? element("p", {}, muted("It cannot be sent again."))
      : commandLine(letter.replay),
  ];
}

const beginning = (text) =>
  text.length <= MESSAGE_LENGTH_MAX ? text : `${cut(text, MESSAGE_LENGTH_MAX)}…`;

// The details are created when the letter is first opened.
function letterItem(letter) {
  const ontoggle = () => {
    if (details.open && details.children.length === 1) {
      details.append(element("div", { class: "inside" }, ...detailsOf(letter)));
    }
  };
  const details = element(
    "details",
    { ontoggle },
    element(
      "summary",
      {},
      timeText(letter.at, dateTime),
      " ",
      element("strong", {}, foreignText(letter.reason || "no reason")),
      " ",
      foreignText(letter.queue),
      element("span", { class: "message" }, foreignText(beginning(letter.message))),
    ),
  );
  return element("li", {}, details);
}

function scopeOf({ letters, since }) {
  const start = since ? `since it started (${dateTime(since)})` : "since it started";
  if (letters.length === 0) return `This instance has put none there ${start}.`;
  const count = plural(letters.length, "letter");
  return (
    `${count} that this instance has put there ${start}, the newest first, at most a hundred. ` +
    "They may have been replayed or removed since."
  );
}

export class DeadLettersView extends View {
  #counts = new Table({
    caption: "In the queues now",
    columns: COUNT_COLUMNS,
    none: "There are no such queues.",
  });
  #scope = element("p");
  #letters = element("ol", { class: "letters" });
  #list = new KeyedList(this.#letters, letterItem);

  constructor(main) {
    super(main, "Dead letters");
    const what = "Requests that can never be processed. Their senders were answered.";
    const why =
      "Looking into a queue takes its letters out and returns them, so this page does not look. " +
      "A command does:";
    this.#counts.element.classList.add("narrow");
    this.content.append(
      element("p", {}, what),
      this.#counts.element,
      section("The newest", this.#scope, this.#letters),
      section("All of them", element("p", {}, why), commandLine(LIST_DEAD_LETTERS)),
    );
    this.watch({
      read: readDeadLetters,
      onValue: (answer) => this.#show(answer),
      intervalMs: INTERVAL_MS,
    });
  }

  #show(answer) {
    this.#counts.show(answer.queues, ({ name }) => name);
    setText(this.#scope, scopeOf(answer));
    this.#list.show(answer.letters, ({ key }) => key);
  }
}
