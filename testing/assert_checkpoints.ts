/**
 * Asserting that a call can be cancelled, even if it does not have to wait.
 *
 * ```ts
 * import { assertCheckpoints } from "@ilmek/async/assert-checkpoints";
 * import { Queue } from "@ilmek/async/queue";
 *
 * const queue = new Queue<string>();
 * await assertCheckpoints(() => queue.put("item"));
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import { withScope } from "../primitives/scope.ts";

/** Thrown by {@linkcode assertCheckpoints} if a cancellation did not get through. */
export class NoCheckpointError extends Error {
  static {
    this.prototype.name = "NoCheckpointError";
  }

  /** Creates the error. */
  constructor() {
    super(
      'Cannot cancel the call: "fn" has ended in a cancelled scope without any wait that throws',
    );
  }
}

/**
 * Throws unless `fn` comes to a wait at which it can be cancelled.
 *
 * `fn` is called in a scope that is cancelled already, so that its first wait throws,
 * before it has any effect. A call that waits only sometimes is found out, too: in a
 * loop it could be neither cancelled nor would it let others go on.
 *
 * @param fn What to call.
 * @throws {NoCheckpointError} If `fn` ends without throwing the cancellation.
 * @throws {TypeError} If `fn` is not a function.
 * @throws What `fn` throws, if it is something else.
 *
 * @example Find a fast path that cannot be cancelled
 * ```ts
 * import {
 *   assertCheckpoints,
 *   NoCheckpointError,
 * } from "@ilmek/async/assert-checkpoints";
 * import { checkpoint } from "@ilmek/async/checkpoint";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertRejects } from "@std/assert";
 *
 * const cache = new Map([["key", "value"]]);
 * const look = async (key: string) => {
 *   if (!cache.has(key)) await sleep(10);
 *   return cache.get(key);
 * };
 * await assertRejects(
 *   () => assertCheckpoints(() => look("key")),
 *   NoCheckpointError,
 * );
 *
 * await assertCheckpoints(async () => {
 *   await checkpoint();
 *   return await look("key");
 * });
 * ```
 */
export async function assertCheckpoints(fn: () => unknown): Promise<void> {
  checkFunction(fn, "assert that there are checkpoints");
  await withScope(async (scope) => {
    scope.cancel("assertCheckpoints");
    try {
      await fn();
    } catch (error) {
      if (error === scope.error) return;
      throw error;
    }
    throw new NoCheckpointError();
  }, { name: "assertCheckpoints" });
}
