// Reads the service's answers. Only this module knows their addresses, members and words.
//
// Every read has a deadline, and ends at once when `signal` is aborted.
// Errors: Failure, whose message is a sentence for people. It may contain text from the service.

const ANSWER_MS_MAX = 10_000;
const RETRY_AFTER_MS_MAX = 60_000;
const REASON_LENGTH_MAX = 500;

class Failure extends Error {
  constructor(message, { status = 0, retryAfterMs = 0 } = {}) {
    super(message);
    this.status = status; // of the answer; 0: no answer
    this.retryAfterMs = retryAfterMs;
  }
}

function sentence(text) {
  const line = text.trim().slice(0, REASON_LENGTH_MAX);
  if (line === "") return "";
  const first = String.fromCodePoint(line.codePointAt(0));
  return first.toUpperCase() + line.slice(first.length) + (/[.!?]$/.test(line) ? "" : ".");
}

function refusal(response, text) {
  const seconds = Number(response.headers.get("Retry-After"));
  const retryAfterMs = Number.isFinite(seconds)
    ? Math.min(Math.max(seconds, 0) * 1000, RETRY_AFTER_MS_MAX)
    : 0;
  const isText = (response.headers.get("Content-Type") ?? "").startsWith("text/plain");
  const said = isText ? sentence(text) : "";
  const status = response.status;
  if (status === 401) {
    return new Failure("The service asks for a password. Reload the page to log in.", { status });
  }
  return new Failure(said || `The service answers with status ${status}.`, {
    status,
    retryAfterMs,
  });
}

async function fetchText(path, signal) {
  // Not the path alone: the page's address may contain a password, which fetch() refuses.
  const response = await fetch(location.origin + path, {
    signal,
    cache: "no-store",
    mode: "same-origin",
    redirect: "manual",
    headers: { Accept: "application/json" },
  });
  if (response.type === "opaqueredirect") {
    throw new Failure("A proxy leads elsewhere, perhaps to log in. Reload the page.");
  }
  const text = await response.text();
  if (!response.ok) throw refusal(response, text);
  return text;
}

async function read(path, signal, convert) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    abort();
  }, ANSWER_MS_MAX);
  signal.addEventListener("abort", abort, { once: true });
  let text;
  try {
    text = await fetchText(path, controller.signal);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(
      isLate
        ? `The service did not answer within ${ANSWER_MS_MAX / 1000} seconds.`
        : "The service cannot be reached.",
    );
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener("abort", abort);
  }
  try {
    return convert(JSON.parse(text));
  } catch {
    throw new Failure("The answer is not one that this page understands. Reload the page.");
  }
}

async function readIfThere(path, signal, convert, otherwise) {
  try {
    return await read(path, signal, convert);
  } catch (error) {
    if (error.status === 404) return otherwise;
    throw error;
  }
}

function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== "");
  // Not URLSearchParams, which writes a space as "+".
  const parts = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

// Times are Dates; null if there is none or it cannot be parsed.
function time(text) {
  const date = new Date(text ?? NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}

// Words. The tone of a word is good, busy, warning, bad or plain.

const CONDITIONS = {
  starting: "busy",
  consuming: "good",
  "database unavailable": "bad",
  paused: "bad",
  "broker unavailable": "bad",
  blocked: "bad",
  rejected: "bad",
  stopping: "busy",
  stopped: "bad",
};

const QUEUE_KINDS = {
  order: "Orders",
  item: "New items",
  cancellation: "Cancellations",
  confirmation: "Confirmations",
  adjustment: "Adjustments",
  expiry: "Expiries of holds",
};

const ENTRY_KINDS = {
  order: "Order",
  cancellation: "Cancellation",
  confirmation: "Confirmation",
  expiry: "Expiry",
  adjustment: "Adjustment",
  opening: "Opening",
  balance: "Balance brought forward",
  correction: "Correction",
};
const KINDS_OF_ORDERS = ["order", "cancellation", "confirmation", "expiry"];

const OUTCOMES = {
  accepted: ["Accepted", "good"],
  held: ["Held", "good"],
  confirmed: ["Confirmed", "good"],
  cancelled: ["Cancelled", "plain"],
  expired: ["Expired, given back", "plain"],
  adjusted: ["Adjusted", "good"],
  opening: ["Opening stock", "plain"],
  not_enough_stock: ["Not enough stock", "warning"],
  product_not_found: ["Product not found", "warning"],
  other_item: ["Another item of the order was not available", "warning"],
  cancelled_first: ["Cancelled before it came", "warning"],
  inventory_changed: ["Stock was not as expected", "warning"],
  hold_expired: ["Hold was over", "warning"],
  order_cancelled: ["Order was cancelled", "warning"],
  order_rejected: ["Order was rejected", "warning"],
};

const spaced = (word) => String(word).replaceAll("_", " ");
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function condition(word) {
  const text = spaced(word);
  return { text: capital(text), tone: CONDITIONS[text] ?? "warning" };
}

function outcome(word) {
  const [text, tone] = OUTCOMES[word] ?? [capital(spaced(word)), "plain"];
  return { text, tone };
}

// The state of the instance.

function historyOf(history, queue) {
  const found = history?.queues?.[queue];
  if (!found) return null;
  const seconds = history.interval_seconds;
  return {
    intervalMs: seconds * 1000,
    lastAt: time(history.last_at),
    perSecond: found.decided.map((count) => (count === null ? null : count / seconds)),
    medianMs: found.p50_ms,
    p99Ms: found.p99_ms,
  };
}

function queueOf(queue, history) {
  return {
    name: queue.queue,
    label: QUEUE_KINDS[queue.kind] ?? capital(spaced(queue.kind)),
    condition: condition(queue.condition),
    reason: queue.reason ?? "",
    waiting: queue.ready ?? null, // null: not known yet
    consumers: queue.consumers ?? null,
    inHand: queue.in_flight ?? 0,
    repliesWaiting: queue.replies_waiting ?? 0,
    putAside: queue.put_aside ?? 0,
    deadLetters: queue.dead_letters ?? null,
    history: historyOf(history, queue.queue),
  };
}

export function readStatus(signal) {
  return read("/status", signal, (status) => ({
    instance: {
      version: status.instance.version,
      host: status.instance.host,
      process: status.instance.pid,
      startedAt: time(status.instance.started_at),
      partition: status.instance.partition ?? null, // "3 of 16"
    },
    now: time(status.now),
    isReady: status.ready,
    checks: status.checks.map(({ name, problem, note }) => ({
      name: spaced(name),
      problem: problem ?? "",
      note: note ?? "",
    })),
    queues: status.queues.map((queue) => queueOf(queue, status.history)),
    holds: status.holds && {
      open: status.holds.open,
      due: status.holds.due,
      overdueSeconds: status.holds.overdue_seconds,
    },
  }));
}

// Stock.

const ITEMS_PER_PAGE = 50;
export const SEARCH_LENGTH_MAX = 200;
export const SORTS = [
  { name: "id", label: "Number" },
  { name: "quantity", label: "Quantity, least first" },
  { name: "scarcity", label: "Out and low first" },
];

function levelOf(quantity, lowStock) {
  if (quantity === null) return { text: "Not readable", tone: "bad" };
  if (quantity === 0) return { text: "Out", tone: "bad" };
  if (lowStock !== null && quantity <= lowStock) return { text: "Low", tone: "warning" };
  return { text: "In stock", tone: "good" };
}

function itemOf(item) {
  const quantity = item.quantity ?? null;
  const lowStock = item.low_stock ?? null;
  return {
    id: item.id,
    quantity, // null: it cannot be read
    description: item.description ?? null,
    createdAt: time(item.created_at),
    held: item.held ?? null,
    lowStock,
    level: levelOf(quantity, lowStock),
  };
}

// `after` is the `next` of the previous page; null for the first page.
export function readItems({ search, sort, after }, signal) {
  const parameters = { search, sort: sort === "id" ? "" : sort, after, limit: ITEMS_PER_PAGE };
  return read(`/items${query(parameters)}`, signal, (page) => ({
    items: page.items.map(itemOf),
    next: page.next === null ? null : String(page.next),
  }));
}

// Null if there is no such product.
export function readItem(id, signal) {
  return readIfThere(`/items/${id}`, signal, itemOf, null);
}

// The ledger.

const ENTRIES_PER_PAGE = 100;

function entryOf(entry) {
  const id = entry.id ?? null;
  return {
    key: JSON.stringify([entry.kind, id, entry.line_id ?? null, entry.time]),
    time: time(entry.time),
    kind: ENTRY_KINDS[entry.kind] ?? capital(spaced(entry.kind)),
    isOpening: entry.kind === "opening",
    isOfOrder: KINDS_OF_ORDERS.includes(entry.kind),
    id, // as its sender gave it: 42 and "42" differ; null: none was given
    lineId: entry.line_id ?? null,
    outcome: outcome(entry.outcome),
    quantity: entry.quantity ?? null,
    delta: entry.delta ?? 0,
    left: entry.left ?? null, // null: not kept
    reason: entry.reason ?? null,
  };
}

// `before` is the `next` of the previous page; null for the newest entries. The newest come first.
export function readLedger(productId, before, signal) {
  const path = `/items/${productId}/ledger${query({ before, limit: ENTRIES_PER_PAGE })}`;
  const convert = (page) => ({
    entries: page.entries.map(entryOf),
    next: page.next === null ? null : String(page.next),
  });
  return readIfThere(path, signal, convert, { entries: [], next: null });
}

// An order.

// The outcome of an order line, as a word.
function resultOf({ state, entries }) {
  if (state !== "rejected") return outcome(state);
  return outcome(entries.find(({ kind }) => kind === "order")?.outcome ?? state);
}

const NO_ORDER = { result: null, heldUntil: null, entries: [] };

// An order may have lines. If there are several, only their entries show the outcome of each.
function orderOf(lines, hasMore) {
  if (lines.length === 0) return NO_ORDER;
  const entries = lines.flatMap((line) => line.entries.map(entryOf));
  if (lines.length === 1) {
    const [line] = lines;
    const heldUntil = line.state === "held" ? time(line.held_until) : null;
    return { result: resultOf(line), heldUntil, entries };
  }
  const text = `${lines.length} lines${hasMore ? ", and more" : ""}`;
  return { result: { text, tone: "plain" }, heldUntil: null, entries };
}

// The browser would resolve a path segment "." or ".." as a folder.
function orderPath(id, parameters) {
  const text = String(id);
  return /^\.{1,2}$/.test(text)
    ? `/orders/${query({ order_id: text, ...parameters })}`
    : `/orders/${encodeURIComponent(text)}${query(parameters)}`;
}

// An order id is a number or a string; a line id too, or null for any line. The request has the id
// as text, and the service returns the orders whose id is that text as a number or a string.
export function readOrder({ orderId, productId, lineId }, signal) {
  const parameters = { product_id: productId, line_id: lineId === null ? null : String(lineId) };
  const isAsked = (line) =>
    line.order_id === orderId && (lineId === null || line.line_id === lineId);
  const convert = ({ orders, more }) => orderOf(orders.filter(isAsked), more);
  return readIfThere(orderPath(orderId, parameters), signal, convert, NO_ORDER);
}

// Dead letters.

export const LIST_DEAD_LETTERS = "inventory-service dead-letters list";

function letterOf(letter) {
  return {
    queue: letter.queue,
    at: time(letter.at),
    reason: spaced(letter.reason ?? ""),
    message: letter.message ?? "",
    ids: [
      { name: "message_id", id: letter.message_id ?? null },
      { name: "correlation_id", id: letter.correlation_id ?? null },
    ],
    body: letter.body ?? "",
    bodyBytes: letter.body_bytes ?? null,
    headers: Object.entries(letter.headers ?? {}).map(([name, value]) => ({
      name,
      text: typeof value === "string" ? value : JSON.stringify(value),
    })),
    replay: letter.replay ?? null,
  };
}

// A letter has no unique id. Letters that are equal in all of these members are numbered, oldest
// first, so that keys do not change when newer letters come.
function keyed(letters) {
  const seen = new Map();
  for (const letter of letters.toReversed()) {
    const key = JSON.stringify([letter.queue, letter.at, letter.message, letter.ids, letter.body]);
    const number = seen.get(key) ?? 0;
    seen.set(key, number + 1);
    letter.key = `${number} ${key}`;
  }
  return letters;
}

// The newest letters come first.
export function readDeadLetters(signal) {
  return read("/dead-letters", signal, (answer) => ({
    queues: answer.queues.map(({ queue, count }) => ({ name: queue, count: count ?? null })),
    letters: keyed(answer.letters.map(letterOf)),
    since: time(answer.since),
  }));
}
