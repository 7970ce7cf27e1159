import type { Claim } from "./claim.ts";
import { type Linked, LinkedList } from "./linked_list.ts";

/** One thing to be told when a foreign signal aborts. */
class Listener implements Linked<Listener> {
  prev: Listener | undefined = undefined;
  next: Listener | undefined = undefined;
  readonly onAbort: (reason: unknown) => void;

  constructor(onAbort: (reason: unknown) => void) {
    this.onAbort = onAbort;
  }
}

/** All that listens to one foreign signal, behind one event listener. */
class Hub {
  readonly #signal: AbortSignal;
  readonly #listeners = new LinkedList<Listener>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(listener: Listener): void {
    this.#listeners.push(listener);
    if (this.#listeners.size > 1) return;
    this.#signal.addEventListener("abort", this);
  }

  remove(listener: Listener): void {
    this.#listeners.remove(listener);
    if (this.#listeners.size > 0) return;
    this.#signal.removeEventListener("abort", this);
    hubs.delete(this.#signal);
  }

  handleEvent(): void {
    hubs.delete(this.#signal);
    this.#signal.removeEventListener("abort", this);
    const { reason } = this.#signal;
    for (let l = this.#listeners.shift(); l; l = this.#listeners.shift()) {
      l.onAbort(reason);
    }
  }

  has(listener: Listener): boolean {
    return listener.prev !== undefined || this.#listeners.head === listener;
  }
}

/** Listeners on one signal cost quadratic time: each signal gets a single one. */
const hubs = new WeakMap<AbortSignal, Hub>();

/**
 * Calls `onAbort` when `signal` aborts; the function that comes back ends that.
 * The signal must not be aborted yet.
 */
export function listen(
  signal: AbortSignal,
  onAbort: (reason: unknown) => void,
): () => void {
  let hub = hubs.get(signal);
  if (hub === undefined) {
    hub = new Hub(signal);
    hubs.set(signal, hub);
  }
  const listener = new Listener(onAbort);
  hub.add(listener);
  return () => {
    if (hub.has(listener)) hub.remove(listener);
  };
}

/** Makes a claim fail with the signal's reason when it aborts. */
export function linkSignal(
  claim: Claim<never> | Claim,
  signal: AbortSignal | undefined,
): void {
  if (signal === undefined) return;
  claim.cleanup = listen(signal, (reason) => claim.fail(reason));
}
