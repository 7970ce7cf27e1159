import { checkFunction } from "./check.ts";
import { callbackFrame, snapshotIn } from "./frame.ts";
import type { DoneCallback, Outcome } from "./outcome.ts";

/** The callbacks that users have added to a task or a future. */
export class DoneCallbacks<S> {
  readonly #byFunction = new Map<unknown, DoneCallback[]>();

  add(
    outcome: Outcome<never> | Outcome<unknown>,
    subject: S,
    fn: (subject: S) => void,
  ): void {
    checkFunction(fn, "add a callback");
    const frame = callbackFrame();
    const enter = snapshotIn(frame);
    const callback = outcome.subscribe(
      frame.loop,
      () => enter(() => fn(subject)),
    );
    const callbacks = this.#byFunction.get(fn);
    if (callbacks === undefined) this.#byFunction.set(fn, [callback]);
    else callbacks.push(callback);
  }

  /** Takes back what was added with `fn`; gives how many those were. */
  remove(
    outcome: Outcome<never> | Outcome<unknown>,
    fn: (subject: S) => void,
  ): number {
    const meant = this.#byFunction.get(fn) ?? [];
    this.#byFunction.delete(fn);
    return outcome.unsubscribe((callback) => meant.includes(callback));
  }
}
