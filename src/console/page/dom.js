// Elements of the page. Text is always inserted as text: neither this nor any other module parses
// HTML.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export const muted = (text) => element("span", { class: "muted" }, text);

export const button = (text, onclick, attributes = {}) =>
  element("button", { type: "button", onclick, ...attributes }, text);

// Changes the text only if it differs, so that selections and screen readers are not disturbed.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The same for elements: they are replaced if their text differs.
export function refresh(node, ...content) {
  const made = element("div", {}, ...content);
  if (node.textContent !== made.textContent) node.replaceChildren(...made.childNodes);
}

const MARKS = { good: "●", busy: "◐", warning: "▲", bad: "■", plain: "○" };

// A word with a mark. The colour adds nothing that the word and the mark do not say.
export const toned = ({ text, tone }) =>
  element(
    "span",
    { class: `tone ${tone}` },
    element("span", { class: "mark", "aria-hidden": "true" }, MARKS[tone]),
    text,
  );

// A list of terms and values: [["Held", "3"], …].
export const terms = (pairs) =>
  element(
    "dl",
    { class: "terms" },
    ...pairs.map(([term, ...what]) =>
      element("div", {}, element("dt", {}, term), element("dd", {}, ...what)),
    ),
  );

// KeyedList: the children of an element, one for each item. They are kept by key when the items
// change, so that focus, selection and opened details stay.
export class KeyedList {
  #parent;
  #create;
  #update;
  #known = new Map();

  // create(item) -> element; update(element, item) is called for an item that may have changed.
  constructor(parent, create, update = () => {}) {
    this.#parent = parent;
    this.#create = create;
    this.#update = update;
  }

  // keyOf(item): no two items have the same key.
  show(items, keyOf) {
    const focused = document.activeElement;
    const kept = new Map();
    for (const item of items) {
      const key = keyOf(item);
      const known = this.#known.get(key);
      if (known) this.#update(known, item);
      kept.set(key, known ?? this.#create(item));
    }
    for (const [key, node] of this.#known) if (!kept.has(key)) node.remove();
    let next = this.#parent.firstElementChild;
    for (const node of kept.values()) {
      if (node === next) next = next.nextElementSibling;
      else this.#parent.insertBefore(node, next);
    }
    this.#known = kept;
    // An element that is moved loses the focus.
    if (focused !== document.activeElement && this.#parent.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  }
}
