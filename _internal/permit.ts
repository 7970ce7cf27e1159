/** Where a permit comes from, and goes back to. */
export interface PermitSource {
  /** Called once for each permit at most. */
  takeBack(permit: Permit): void;
}

/**
 * The right to be where only some may be at once, until it is given back.
 *
 * Every acquisition has a permit of its own. Giving it back twice does nothing:
 * it never frees what somebody else holds by then.
 *
 * @example Give a permit back at the end of a block
 * ```ts
 * import { Lock, type Permit } from "@ilmek/async/lock";
 * import { assert, assertFalse } from "@std/assert";
 *
 * const lock = new Lock();
 * {
 *   using permit: Permit = await lock.acquire();
 *   assert(permit.held && lock.locked);
 * }
 *
 * assertFalse(lock.locked);
 * ```
 */
export class Permit implements Disposable {
  /**
   * A permit is no promise. To say so here saves a look at its prototypes, each
   * time that a promise is resolved with one.
   *
   * @internal
   */
  readonly then: undefined = undefined;
  #source: PermitSource | undefined;

  /**
   * Permits come from what is acquired.
   *
   * @internal
   */
  constructor(source: PermitSource) {
    this.#source = source;
  }

  /** Whether it was not given back yet. */
  get held(): boolean {
    return this.#source !== undefined;
  }

  /** Gives it back. */
  release(): void {
    const source = this.#source;
    if (source === undefined) return;
    this.#source = undefined;
    source.takeBack(this);
  }

  /** Gives it back at the end of a block. */
  [Symbol.dispose](): void {
    this.release();
  }

  /**
   * Makes a permit valid again that was worth nothing.
   *
   * @internal
   */
  static revive(permit: Permit, source: PermitSource): void {
    permit.#source = source;
  }

  /**
   * Makes a permit worth nothing: what it stood for was given back otherwise.
   *
   * @internal
   */
  static revoke(permit: Permit): void {
    permit.#source = undefined;
  }
}
