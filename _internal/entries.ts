import type { Actor } from "./actor.ts";
import { isThenable, show } from "./check.ts";
import type { CancelledError } from "./errors.ts";
import { currentFrame } from "./frame.ts";
import { Outcome, outcomeOf, type Producer } from "./outcome.ts";
import { spawn } from "./spawn.ts";
import { watchFailure } from "./unobserved.ts";

/** What can be waited for together: a function, a task, a future or a promise. */
export type Entry<T> = (() => T | PromiseLike<T>) | PromiseLike<T>;

/** What an entry gives. */
export type EntryValue<E> = E extends () => infer R ? Awaited<R> : Awaited<E>;

/** Throws unless `entry` can be waited for. */
export function checkEntry(entry: unknown, doing: string): void {
  if (typeof entry === "function" || isThenable(entry)) return;
  throw new TypeError(
    `Cannot ${doing} as each entry must be a function, a task, a future or a promise: current value is ${
      show(entry)
    }`,
  );
}

/** The outcome of an entry. A function is started as a task of the run. */
export function beginEntry<T>(entry: Entry<T>): Outcome<T> {
  if (typeof entry === "function") {
    const actor: Actor<T> = spawn(currentFrame().loop.root, entry);
    return actor.outcome;
  }
  return (outcomeOf(entry) ?? new Foreign(entry).outcome) as Outcome<T>;
}

/** A promise that is observed: it cannot be cancelled, only left alone. */
class Foreign<T> implements Producer {
  readonly outcome = new Outcome<T>(this);
  readonly #release: () => void = currentFrame().loop.hold("a promise", {
    bare: true,
  });

  constructor(promise: PromiseLike<T>) {
    const { loop } = currentFrame();
    Promise.resolve(promise).then(
      (value) => this.#settled(() => this.outcome.resolve(value)),
      (error) => {
        this.#settled(() => this.outcome.reject(error));
        if (this.outcome.state === "failed") {
          watchFailure(this.outcome, loop, this.label);
        }
      },
    );
  }

  get label(): string {
    return "a promise";
  }

  cancelWith(error: CancelledError): boolean {
    this.#release();
    return this.outcome.reject(error);
  }

  #settled(settle: () => boolean): void {
    this.#release();
    settle();
  }
}
