// The state of this instance: read once for all parts of the page that show it.

import { readStatus } from "./api.js";
import { Poll } from "./poll.js";

const INTERVAL_MS = 5_000;

const listeners = new Set();
let value = null; // the last one
let failure = null; // null: the value is current
let at = null; // the browser's time of the last value
let aheadMs = 0; // how far the service's clock is ahead of the browser's

const tell = () => listeners.forEach((listener) => listener({ value, failure, at }));

const poll = new Poll({
  read: readStatus,
  intervalMs: INTERVAL_MS,
  onValue: (status) => {
    value = status;
    failure = null;
    at = new Date();
    if (status.now) aheadMs = status.now - at;
    tell();
  },
  onFailure: (error) => {
    failure = error;
    tell();
  },
});

export const startStatus = () => poll.start();
export const readStatusAgain = () => poll.again();

// Calls the listener now, if something is known, and at each change. Returns a function that
// removes it.
export function onStatus(listener) {
  listeners.add(listener);
  if (value || failure) listener({ value, failure, at });
  return () => listeners.delete(listener);
}

// Now, by the service's clock.
export const serviceNow = () => new Date(Date.now() + aheadMs);
