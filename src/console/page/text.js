// Text from others: it cannot affect the text around it, its hidden characters are made visible,
// and it says where it was cut.

import { writeId } from "./ids.js";
import { button, element, muted } from "./dom.js";
import { number } from "./format.js";

const HIDDEN_RANGES = [
  String.raw`\p{Cc}\p{Cs}`, // controls, halves of surrogate pairs
  String.raw`\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069`, // change the order or the lines
  // Invisible characters.
  String.raw`\u00ad\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}`,
];
const HIDDEN = new RegExp(`([${HIDDEN_RANGES.join("")}])`, "u");
const SHORT_NAMES = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const TEXT_LENGTH_MAX = 200;

const hasHidden = (text) => HIDDEN.test(text);

function nameOf(character) {
  const code = character.codePointAt(0).toString(16);
  return (
    SHORT_NAMES[character] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`)
  );
}

function nodesOf(text, keepLines) {
  const isLayout = (part) => keepLines && (part === "\n" || part === "\t");
  return text
    .split(HIDDEN)
    .map((part, index) =>
      index % 2 === 0 || isLayout(part)
        ? part
        : element(
            "span",
            { class: "hidden-character", title: "a character that is not seen" },
            nameOf(part),
          ),
    )
    .filter((part) => part !== "");
}

// Does not cut a surrogate pair in half.
export function cut(text, length) {
  if (text.length <= length) return text;
  const isHalf = /[\ud800-\udbff]/.test(text[length - 1]);
  return text.slice(0, isHalf ? length - 1 : length);
}

// keepLines: shows newlines and tabs as such. lengthMax: a longer text is cut, with a button that
// shows all.
export function foreignText(text, { keepLines = false, lengthMax = TEXT_LENGTH_MAX } = {}) {
  const isolated = element("bdi", { class: keepLines ? "foreign lines" : "foreign" });
  if (text.length <= lengthMax) {
    isolated.append(...nodesOf(text, keepLines));
    return isolated;
  }
  let isWhole = false;
  const toggle = button("", () => {
    isWhole = !isWhole;
    show();
  });
  const show = () => {
    isolated.replaceChildren(
      ...nodesOf(isWhole ? text : cut(text, lengthMax), keepLines),
      ...(isWhole ? [] : ["…"]),
    );
    toggle.textContent = isWhole ? "Show less" : `Show all ${number(text.length)} characters`;
    toggle.setAttribute("aria-expanded", String(isWhole));
  };
  toggle.className = "more";
  show();
  return element("span", { class: "long" }, isolated, " ", toggle);
}

export const foreignTextOrEmpty = (text) => (text === "" ? muted("empty") : foreignText(text));

// An id is short enough to be shown in full, and may be inside a link.
export const idText = (id) => foreignText(writeId(id), { lengthMax: Infinity });

// A time in the browser's time zone; its title is the time in UTC.
export const timeText = (date, write) =>
  date === null
    ? muted("–")
    : element("time", { datetime: date.toISOString(), title: date.toISOString() }, write(date));

// A command line with a button that copies it. Without the button if it has hidden characters.
export function commandLine(command) {
  const code = element("code", { dir: "ltr", tabindex: "0" }, ...nodesOf(command, false));
  if (hasHidden(command)) {
    return element(
      "div",
      { class: "command" },
      code,
      muted("Do not copy: it holds hidden characters."),
    );
  }
  const said = element("span", { role: "status", class: "muted" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      said.textContent = "Copied.";
    } catch {
      // Browsers have no clipboard for pages without TLS, except those from localhost.
      getSelection().selectAllChildren(code);
      said.textContent = "Selected: copy it with the keyboard.";
    }
  };
  return element("div", { class: "command" }, code, button("Copy", copy), said);
}
