import { Claim, ClaimList } from "./claim.ts";
import { currentFrame } from "./frame.ts";

/** Something that is done once, and that others can wait for. */
export class Once<T> {
  readonly #what: string;
  readonly #waiters = new ClaimList();
  readonly #outcome = Promise.withResolvers<T>();
  #state: "new" | "begun" | "over" = "new";

  /** `what` is what those who join wait for. */
  constructor(what: string) {
    this.#what = what;
    // Whoever begins is told; nobody else needs to ask.
    this.#outcome.promise.catch(() => {});
  }

  get begun(): boolean {
    return this.#state !== "new";
  }

  /** Does it. From here on it has begun, also for what `fn` calls. */
  async begin(fn: () => Promise<T>): Promise<T> {
    this.#state = "begun";
    this.#outcome.resolve(
      (async () => {
        try {
          return await fn();
        } finally {
          this.#state = "over";
          this.#wake();
        }
      })(),
    );
    return await this.#outcome.promise;
  }

  /** Waits until it is done, and gives what came of it. */
  async join(): Promise<T> {
    if (this.#state !== "over") {
      // A promise of the platform is nothing that a loop can see.
      const claim = new Claim<void>(currentFrame(), this.#what);
      this.#waiters.push(claim as Claim);
      await claim.wait();
    }
    return await this.#outcome.promise;
  }

  #wake(): void {
    for (let c = this.#waiters.shift(); c; c = this.#waiters.shift()) {
      c.grant(undefined);
    }
  }
}
