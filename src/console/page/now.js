// Now: what this instance is doing, and what it did in the last minutes.

import { KeyedList, element, muted, refresh, terms, toned } from "./dom.js";
import { NOT_KNOWN, dateTime, duration, milliseconds, number, plural, rate } from "./format.js";
import { QueueCharts } from "./queue_charts.js";
import { toDeadLetters } from "./routes.js";
import { onStatus, readStatusAgain } from "./status.js";
import { Table } from "./table.js";
import { foreignText, timeText } from "./text.js";
import { View, section } from "./view.js";

const RECENT_MS = 60_000;
const REASON = { lengthMax: 500 };

// The mean rate of the last minute and its last latencies; null if not known.
function recent(history) {
  if (!history) return { perSecond: null, medianMs: null, p99Ms: null };
  const count = Math.max(1, Math.round(RECENT_MS / history.intervalMs));
  const known = (values) => values.slice(-count).filter((value) => value !== null);
  const rates = known(history.perSecond);
  const sum = rates.reduce((total, value) => total + value, 0);
  return {
    perSecond: rates.length > 0 ? sum / rates.length : null,
    medianMs: known(history.medianMs).at(-1) ?? null,
    p99Ms: known(history.p99Ms).at(-1) ?? null,
  };
}

function conditionCell({ condition, reason, putAside, repliesWaiting }) {
  const lines = [];
  if (reason !== "") lines.push(foreignText(reason, REASON));
  if (putAside > 0) lines.push(`${plural(putAside, "request")} put aside for the database`);
  if (repliesWaiting > 0) {
    const replies = plural(repliesWaiting, "reply", "replies");
    lines.push(`${replies} that clients' queues do not take`);
  }
  const details = lines.map((line) => element("div", { class: "detail" }, line));
  return element("div", {}, toned(condition), ...details);
}

const QUEUE_COLUMNS = [
  {
    name: "Queue",
    isHeader: true,
    isWide: true,
    of: ({ label, name }) => [label, name],
    show: ([label, name]) =>
      element("div", {}, label, element("div", { class: "detail" }, foreignText(name))),
  },
  {
    name: "Condition",
    isWide: true,
    of: ({ condition, reason, putAside, repliesWaiting }) => ({
      condition,
      reason,
      putAside,
      repliesWaiting,
    }),
    show: conditionCell,
  },
  {
    name: "Requests/s",
    isNumber: true,
    of: ({ history }) => recent(history).perSecond,
    show: rate,
  },
  {
    name: "Median, p99",
    isNumber: true,
    of: ({ history }) => {
      const { medianMs, p99Ms } = recent(history);
      return medianMs === null ? null : [medianMs, p99Ms];
    },
    show: (times) => times.map(milliseconds).join(", "),
  },
  {
    name: "Waiting",
    isNumber: true,
    of: ({ waiting }) => waiting,
    show: number,
    none: NOT_KNOWN,
  },
  { name: "In hand", isNumber: true, of: ({ inHand }) => inHand, show: number },
  {
    name: "Consumers",
    isNumber: true,
    of: ({ consumers }) => consumers,
    show: number,
    none: NOT_KNOWN,
  },
  {
    name: "Dead letters",
    isNumber: true,
    of: ({ deadLetters }) => deadLetters,
    show: (count) => (count > 0 ? element("a", { href: toDeadLetters() }, number(count)) : "0"),
    none: NOT_KNOWN,
  },
];

function readinessOf({ isReady, checks }) {
  if (isReady) return { text: "Ready", tone: "good" };
  const failing = checks.filter(({ problem }) => problem !== "").length;
  const verb = failing === 1 ? "fails" : "fail";
  const count = `${failing} of ${plural(checks.length, "check")} ${verb}`;
  return { text: failing > 0 ? `Not ready: ${count}` : "Not ready", tone: "bad" };
}

function checkItem({ name, problem, note }) {
  const tone = problem ? "bad" : note ? "warning" : "good";
  const said = problem || note;
  return element(
    "li",
    {},
    toned({ text: `${name}: `, tone }),
    said ? foreignText(said, REASON) : "ok",
  );
}

function holdTerms(holds) {
  if (!holds) return [["Open", muted(NOT_KNOWN)]];
  const pairs = [
    ["Open", number(holds.open)],
    ["Over, not given back yet", number(holds.due)],
  ];
  if (holds.overdueSeconds > 0) {
    pairs.push(["The oldest is over for", duration(holds.overdueSeconds * 1000)]);
  }
  return pairs;
}

function instanceTerms({ host, process, version, startedAt }, now) {
  const since = startedAt && now ? ` (${duration(now - startedAt)} ago)` : "";
  return [
    ["Host", foreignText(String(host))],
    ["Process", String(process)],
    ["Version", foreignText(String(version))],
    ["Started", timeText(startedAt, dateTime), since],
  ];
}

export class NowView extends View {
  #readiness = element("p", { class: "headline" });
  #checks = element("ul", { class: "checks" });
  #checkList = new KeyedList(this.#checks, checkItem);
  #queues = new Table({
    caption: "Queues",
    columns: QUEUE_COLUMNS,
    none: "There are no queues.",
  });
  #charts = new QueueCharts();
  #holds = element("div");
  #instance = element("div");
  #shown = null;
  #unsubscribe;

  constructor(main) {
    super(main, "Now");
    const scope =
      "Requests/s, median and p99 are of this instance in the last minute. " +
      "Waiting, consumers and dead letters are counted by the broker.";
    const others = "Other instances have pages of their own.";
    this.content.append(
      this.#readiness,
      this.#checks,
      this.#queues.element,
      element("p", { class: "muted" }, scope),
      this.#charts.element,
      element(
        "div",
        { class: "columns" },
        section("Held stock", this.#holds),
        section("This instance", this.#instance, element("p", { class: "muted" }, others)),
      ),
    );
    this.#unsubscribe = onStatus((news) => this.#hear(news));
  }

  stop() {
    super.stop();
    this.#unsubscribe();
    this.#charts.destroy();
  }

  #hear({ value, failure, at }) {
    if (value !== this.#shown) {
      this.#shown = value;
      this.succeed(at);
      this.#show(value);
    }
    if (failure) this.fail(failure, readStatusAgain);
  }

  #show(status) {
    refresh(this.#readiness, toned(readinessOf(status)));
    this.#checkList.show(status.checks, (check) => JSON.stringify(check));
    this.#queues.show(status.queues, ({ name }) => name);
    this.#charts.show(status.queues);
    refresh(this.#holds, terms(holdTerms(status.holds)));
    refresh(this.#instance, terms(instanceTerms(status.instance, status.now)));
  }
}
