// Numbers and times as text.

const integers = new Intl.NumberFormat("en");
const rates = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const smallRates = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const NOT_KNOWN = "not known";

export const number = (value) => (value === null ? NOT_KNOWN : integers.format(value));

// Three significant digits: all of those before the point, at most two after it.
export function rate(value) {
  if (value === null) return "–";
  if (value >= 100) return integers.format(Math.round(value));
  return value >= 1 ? rates.format(value) : smallRates.format(value);
}

export const milliseconds = (value) =>
  value === null ? "–" : value >= 10_000 ? `${rate(value / 1000)} s` : `${rate(value)} ms`;

export const signed = (value) =>
  value > 0 ? `+${integers.format(value)}` : value < 0 ? `−${integers.format(-value)}` : "0";

export const plural = (count, one, many = `${one}s`) =>
  `${number(count)} ${count === 1 ? one : many}`;

const two = (value) => String(value).padStart(2, "0");

export const day = (date) =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
export const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;
export const clockSeconds = (date) => `${clock(date)}:${two(date.getSeconds())}`;
export const dateTime = (date) => `${day(date)} ${clockSeconds(date)}`;

export const timeZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

// Its two largest units: "3 d 4 h".
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const units = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [size, name] = units[first];
  const whole = `${Math.floor(seconds / size)} ${name}`;
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % size) / next[0]) : 0;
  return rest > 0 ? `${whole} ${rest} ${next[1]}` : whole;
}
