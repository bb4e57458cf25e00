// LineChart: lines over time, and a summary in words. Chart.js draws the lines; the service serves
// it beside these modules. Without it, only the words are shown.

import { element, setText } from "./dom.js";
import { clock, clockSeconds, dateTime, day, number } from "./format.js";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const STEPS_MS = [
  ...[1, 5, 15, 30].map((n) => n * SECOND_MS),
  ...[1, 2, 5, 10, 30].map((n) => n * MINUTE_MS),
  ...[1, 3, 6, 12].map((n) => n * HOUR_MS),
  ...[1, 2, 7, 14, 30, 90, 180, 365, 730, 1825].map((n) => n * DAY_MS),
];
const PIXELS_PER_TICK = 90;

// Ticks at whole minutes, hours or days in the browser's time zone.
function ticksOf(min, max, width) {
  const count = Math.max(2, Math.floor(width / PIXELS_PER_TICK));
  const step = STEPS_MS.find((ms) => (max - min) / ms <= count) ?? STEPS_MS.at(-1);
  const zone = new Date(min).getTimezoneOffset() * MINUTE_MS;
  const ticks = [];
  for (let at = Math.ceil((min - zone) / step) * step + zone; at <= max; at += step) {
    ticks.push({ value: at, label: labelOf(new Date(at), step) });
  }
  return ticks;
}

function labelOf(date, step) {
  if (step >= DAY_MS) return day(date);
  const time = step < MINUTE_MS ? clockSeconds(date) : clock(date);
  return date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0
    ? day(date)
    : time;
}

const darkness = matchMedia("(prefers-color-scheme: dark)");

export class LineChart {
  #title;
  #canvas;
  #words;
  #chart = null;
  #series = [];
  #onDarkness = () => this.#paint();

  // series: [{ label, colour: a property of the style sheet, isDashed, isStepped }]
  constructor({ title, series, write = number }) {
    this.#title = title;
    this.#series = series;
    this.#canvas = element("canvas", { role: "img" });
    this.#words = element("p", { class: "words" });
    const plot = element("div", { class: "plot" }, this.#canvas);
    this.element = element(
      "figure",
      {},
      element("figcaption", {}, element("strong", {}, title), this.#words),
      plot,
    );
    if (typeof Chart === "undefined") {
      plot.replaceChildren(
        element("p", { class: "muted" }, "The script that draws charts was not loaded."),
      );
      return;
    }
    this.#chart = new Chart(this.#canvas, this.#configuration(write));
    this.#paint();
    darkness.addEventListener("change", this.#onDarkness);
  }

  // points: for each series [{ x: milliseconds, y: number or null }], sorted by x.
  show({ points, from, to, words }) {
    setText(this.#words, words);
    if (!this.#chart) return;
    this.#canvas.setAttribute("aria-label", `${this.#title}: ${words}`);
    const { data, options } = this.#chart;
    points.forEach((list, index) => (data.datasets[index].data = list));
    options.scales.x.min = from;
    options.scales.x.max = Math.max(to, from + SECOND_MS);
    this.#chart.update();
  }

  destroy() {
    darkness.removeEventListener("change", this.#onDarkness);
    this.#chart?.destroy();
  }

  #configuration(write) {
    const datasets = this.#series.map(({ label, isDashed = false, isStepped = false }) => ({
      label,
      data: [],
      borderWidth: 2,
      borderDash: isDashed ? [6, 4] : [],
      stepped: isStepped,
      pointRadius: 0,
      pointHitRadius: 8,
    }));
    const written = (item) => ` ${item.dataset.label}: ${write(item.parsed.y)}`;
    return {
      type: "line",
      data: { datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        parsing: false,
        interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: {
          x: {
            type: "linear",
            afterBuildTicks: (axis) => (axis.ticks = ticksOf(axis.min, axis.max, axis.width)),
            ticks: {
              autoSkip: false,
              maxRotation: 0,
              callback: (_value, index, ticks) => ticks[index].label,
            },
          },
          y: {
            beginAtZero: true,
            suggestedMax: 1,
            ticks: { maxTicksLimit: 5, callback: (value) => write(value) },
          },
        },
        plugins: {
          legend: {
            display: this.#series.length > 1,
            align: "end",
            onClick: null,
            labels: {
              usePointStyle: true,
              pointStyle: "line",
              boxWidth: 32,
              filter: ({ datasetIndex }, data) => data.datasets[datasetIndex].data.length > 0,
            },
          },
          tooltip: {
            displayColors: false,
            callbacks: {
              title: (items) => (items.length > 0 ? dateTime(new Date(items[0].parsed.x)) : ""),
              label: written,
            },
          },
        },
      },
    };
  }

  // Takes the colours from the style sheet; dark mode has others.
  #paint() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const { data, options } = this.#chart;
    options.color = colour("--muted");
    options.font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
    for (const scale of [options.scales.x, options.scales.y]) {
      scale.ticks.color = colour("--muted");
      scale.grid = { color: colour("--line"), borderColor: colour("--line") };
    }
    Object.assign(options.plugins.tooltip, {
      backgroundColor: colour("--text"),
      titleColor: colour("--surface"),
      bodyColor: colour("--surface"),
    });
    options.plugins.legend.labels.color = colour("--muted");
    this.#series.forEach((series, index) => {
      data.datasets[index].borderColor = colour(series.colour);
    });
    this.#chart.update();
  }
}
