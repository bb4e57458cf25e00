// QueueCharts: requests per second and latency of one queue, and a choice of the queue.

import { element } from "./dom.js";
import { duration, milliseconds, rate } from "./format.js";
import { LineChart } from "./line_chart.js";
import { serviceNow } from "./status.js";
import { section } from "./view.js";

const EMPTY_MS = 60_000; // the time range of a chart without points

let chosen = null; // the name of the queue; kept when the user leaves the view and returns

const lastOf = (values) => values.findLast((value) => value !== null) ?? null;
const mostOf = (values) => values.reduce((most, value) => Math.max(most, value ?? 0), 0);

export class QueueCharts {
  #queues = [];
  #names = "";
  #choice = element("select", { id: "chart-queue", onchange: () => this.#choose() });
  #rates = new LineChart({
    title: "Requests per second",
    series: [{ label: "requests/s", colour: "--series-1" }],
    write: rate,
  });
  #latency = new LineChart({
    title: "From delivery to acknowledgement",
    series: [
      { label: "median", colour: "--series-1" },
      { label: "p99, dashed: 99 of 100 are faster", colour: "--series-2", isDashed: true },
    ],
    write: milliseconds,
  });

  element = section(
    "The last minutes",
    element(
      "p",
      { class: "field" },
      element("label", { for: "chart-queue" }, "Queue"),
      this.#choice,
    ),
    element("div", { class: "charts" }, this.#rates.element, this.#latency.element),
  );

  show(queues) {
    this.#queues = queues;
    const names = JSON.stringify(queues.map(({ name }) => name));
    if (names !== this.#names) {
      this.#names = names;
      const options = queues.map(({ name, label }) =>
        element("option", { value: name }, `${label} (${name})`),
      );
      this.#choice.replaceChildren(...options);
      if (!queues.some(({ name }) => name === chosen)) chosen = queues[0]?.name ?? null;
      this.#choice.value = chosen;
    }
    this.#draw();
  }

  destroy() {
    this.#rates.destroy();
    this.#latency.destroy();
  }

  #choose() {
    chosen = this.#choice.value;
    this.#draw();
  }

  #draw() {
    const history = this.#queues.find(({ name }) => name === chosen)?.history;
    if (history?.lastAt && history.perSecond.length > 0) this.#drawHistory(history);
    else this.#drawNothing();
  }

  #drawHistory({ lastAt, intervalMs, perSecond, medianMs, p99Ms }) {
    const to = lastAt.getTime();
    const from = to - (perSecond.length - 1) * intervalMs;
    const pointsOf = (values) => values.map((y, index) => ({ x: from + index * intervalMs, y }));
    const time = `in the last ${duration(perSecond.length * intervalMs)}`;
    const isIdle = mostOf(perSecond) === 0;
    const now = rate(lastOf(perSecond));
    this.#rates.show({
      points: [pointsOf(perSecond)],
      from,
      to,
      words: isIdle ? `none ${time}` : `now ${now}, at most ${rate(mostOf(perSecond))} ${time}`,
    });
    const median = lastOf(medianMs);
    const latest = `median ${milliseconds(median)}, p99 ${milliseconds(lastOf(p99Ms))}`;
    this.#latency.show({
      points: [pointsOf(medianMs), pointsOf(p99Ms)],
      from,
      to,
      words:
        median === null
          ? `no request ${time}`
          : `${latest}; p99 at most ${milliseconds(mostOf(p99Ms))} ${time}`,
    });
  }

  #drawNothing() {
    const to = serviceNow().getTime();
    const nothing = { from: to - EMPTY_MS, to, words: "Nothing is known yet." };
    this.#rates.show({ points: [[]], ...nothing });
    this.#latency.show({ points: [[], []], ...nothing });
  }
}
