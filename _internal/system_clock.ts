import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock, ClockClient } from "./event_loop.ts";

/**
 * Calls a function in no async context: a native timer would keep that of whoever
 * happened to set it alive, tasks and all.
 */
const outside = AsyncLocalStorage.snapshot();

// Captured once: the loop goes on in real time where a test fakes the globals.
const { setTimeout, clearTimeout, setImmediate, setInterval, clearInterval } =
  globalThis;
const now = performance.now.bind(performance);

/** Calls `fn` after real time; the function that comes back takes it back. */
export function afterRealTime(ms: number, fn: () => void): () => void {
  const native = setTimeout(fn, ms);
  return () => clearTimeout(native);
}

/** Calls `fn` in the next turn of the platform, when I/O has been served. */
export function nextRealTurn(fn: () => void): void {
  setImmediate(fn);
}

/** What Node and Deno have in common, to tell that nothing is left to do. */
interface ExitEmitter {
  on(event: "beforeExit", fn: () => void): void;
  off(event: "beforeExit", fn: () => void): void;
}

/** How long those who never wait may go on without a turn. */
const MAX_TURN_MS = 2;

/** How often a run is looked at, whether it can go on. */
const LOOK_MS = 5000;

/** The longest wait that a native timer can do; longer ones go in pieces. */
const MAX_NATIVE_MS = 2 ** 31 - 1;

/**
 * Real time: all timers of a loop on one native timer.
 *
 * The native timer is set at the end of a turn, so that timers which come and go
 * within one (a timeout around a quick call) never cost one.
 */
export class SystemClock implements Clock {
  #client: ClockClient | undefined;
  #native: ReturnType<typeof setTimeout> | undefined;
  /** Invariant: when the native timer fires; `Infinity` if there is none. */
  #armed = Infinity;
  #adjusting = false;
  /** When a turn was due for the last time. */
  #turnAt = 0;

  attach(client: ClockClient): void {
    this.#client = client;
  }

  now(): number {
    return now();
  }

  requestTurn(): void {
    setImmediate(() => this.#client?.runTurn());
  }

  requestFence(fn: () => void): void {
    setImmediate(fn);
  }

  turnIsDue(): boolean {
    const time = now();
    if (time - this.#turnAt < MAX_TURN_MS) return false;
    this.#turnAt = time;
    return true;
  }

  timersChanged(): void {
    if (this.#adjusting) return;
    this.#adjusting = true;
    setImmediate(() => {
      this.#adjusting = false;
      this.#adjust();
    });
  }

  keepAlive(look: () => void = () => {}): () => void {
    const native = outside(() => setInterval(look, LOOK_MS));
    return () => clearInterval(native);
  }

  beforeExit(fn: () => void): () => void {
    const { process } = globalThis as unknown as { process?: ExitEmitter };
    process?.on("beforeExit", fn);
    return () => process?.off("beforeExit", fn);
  }

  #adjust(): void {
    if (this.#client === undefined) return;
    const { next, busy } = this.#client.timers;
    if (next === Infinity) return this.#disarm();
    if (next < this.#armed) {
      this.#disarm();
      const ms = Math.min(Math.ceil(next - now()), MAX_NATIVE_MS);
      this.#armed = next;
      this.#native = outside(() =>
        setTimeout(() => this.#fire(), Math.max(ms, 1))
      );
    }
    // Only idle timers are left: the process need not wait for them.
    const native = this.#native as { ref?(): void; unref?(): void } | undefined;
    if (busy > 0) native?.ref?.();
    else native?.unref?.();
  }

  #disarm(): void {
    if (this.#native !== undefined) clearTimeout(this.#native);
    this.#native = undefined;
    this.#armed = Infinity;
  }

  #fire(): void {
    this.#native = undefined;
    this.#armed = Infinity;
    this.#client?.runTimers();
    this.#adjust();
  }
}
