// Reads something repeatedly: one read at a time, none while the page is hidden, less often while
// reads fail, and at most a tenth of the time.
//
//   read(signal)        -> a promise of the value
//   onValue(value)
//   onFailure(failure)  the last value stays on show, with its time

const FAILED_MS_MIN = 1_000;
const FAILED_MS_MAX = 30_000;
const SLOW_MS_MAX = 120_000;

export class Poll {
  #read;
  #onValue;
  #onFailure;
  #intervalMs;
  #controller = null; // of the read under way
  #timer = 0;
  #failures = 0;
  #isStopped = true;

  constructor({ read, onValue, onFailure, intervalMs }) {
    this.#read = read;
    this.#onValue = onValue;
    this.#onFailure = onFailure;
    this.#intervalMs = intervalMs;
  }

  start() {
    this.#isStopped = false;
    document.addEventListener("visibilitychange", this.#onVisible);
    window.addEventListener("online", this.#onVisible);
    this.again();
    return this;
  }

  stop() {
    this.#isStopped = true;
    document.removeEventListener("visibilitychange", this.#onVisible);
    window.removeEventListener("online", this.#onVisible);
    this.#end();
  }

  // Reads at once. A read under way is aborted.
  async again() {
    if (this.#isStopped) return;
    this.#end();
    const controller = new AbortController();
    this.#controller = controller;
    const began = performance.now();
    let value;
    let failure = null;
    try {
      value = await this.#read(controller.signal);
    } catch (error) {
      failure = error;
    }
    if (this.#controller !== controller) return;
    this.#controller = null;
    this.#failures = failure === null ? 0 : this.#failures + 1;
    const tookMs = performance.now() - began;
    this.#wait(failure === null ? this.#pauseMs(tookMs) : this.#backoffMs(failure));
    if (failure === null) this.#onValue(value);
    else this.#onFailure(failure);
  }

  #end() {
    clearTimeout(this.#timer);
    this.#controller?.abort();
    this.#controller = null;
  }

  #wait(pauseMs) {
    if (document.hidden) return; // #onVisible continues
    this.#timer = setTimeout(() => this.again(), pauseMs);
  }

  #pauseMs(tookMs) {
    return Math.min(Math.max(this.#intervalMs, 10 * tookMs), SLOW_MS_MAX);
  }

  // Random, so that pages that saw the same outage do not all retry at once.
  #backoffMs(failure) {
    const doubled = Math.min(FAILED_MS_MIN * 2 ** (this.#failures - 1), FAILED_MS_MAX);
    return Math.max(doubled * (0.75 + Math.random() / 2), failure.retryAfterMs ?? 0);
  }

  #onVisible = () => {
    if (document.hidden) clearTimeout(this.#timer);
    else if (this.#controller === null) this.again();
  };
}
