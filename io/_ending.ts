import { Future } from "../primitives/future.ts";

/**
 * The end of something that goes on when those who wait for it are cancelled.
 *
 * Unlike with a future, the last one to leave cancels nothing: each waits on a
 * future of its own.
 */
export class Ending implements PromiseLike<void> {
  readonly #name: string;
  readonly #waiters = new Set<Future<void>>();
  #isReached = false;

  constructor(name: string) {
    this.#name = name;
  }

  reach(): void {
    this.#isReached = true;
    for (const waiter of this.#waiters) {
      if (!waiter.done) waiter.setResult();
    }
    this.#waiters.clear();
  }

  then<A = void, B = never>(
    onDone?: (() => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#wait().then(onDone, onError);
  }

  async #wait(): Promise<void> {
    if (this.#isReached) return;
    const waiter = new Future<void>({ name: this.#name });
    this.#waiters.add(waiter);
    try {
      await waiter;
    } finally {
      this.#waiters.delete(waiter);
    }
  }
}
