/**
 * The way out of the ambient scope: work that outlives the caller, and callbacks
 * that belong to a scope.
 *
 * ```ts ignore
 * // The first caller's timeout must not cancel what all callers share.
 * cache.set(id, detach(() => fetchUser(id)));
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import { currentFrame, runIn } from "../_internal/frame.ts";

/**
 * Runs `fn` in the root scope of the loop, whatever the caller's scope is.
 *
 * Context variables keep their values. The work ends with the run.
 *
 * @typeParam T What `fn` returns.
 * @param fn What to run.
 * @returns What `fn` returns.
 * @throws {TypeError} If `fn` is not a function.
 *
 * @example Share work between callers
 * ```ts
 * import { detach } from "@ilmek/async/detach";
 * import { sleep } from "@ilmek/async/sleep";
 * import { timeout } from "@ilmek/async/timeout";
 * import { assertEquals } from "@std/assert";
 *
 * let shared: Promise<string> | undefined;
 * const load = () => shared ??= detach(() => sleep(5, { value: "user" }));
 *
 * await timeout(1, async () => {
 *   load();
 *   await sleep(10);
 * }).catch(() => {});
 *
 * assertEquals(await load(), "user");
 * ```
 */
export function detach<T>(fn: () => T): T {
  checkFunction(fn, "detach");
  const { loop, context } = currentFrame();
  return runIn({ loop, scope: loop.root, actor: undefined, context }, fn);
}

/**
 * Makes a function that always runs in the scope, the task and the context in
 * which `bind` was called.
 *
 * Listeners run in the context of whoever dispatches the event: bind them where
 * they are registered.
 *
 * @typeParam A The arguments of `fn`.
 * @typeParam R What `fn` returns.
 * @param fn The function to bind.
 * @returns A function that calls `fn`.
 * @throws {TypeError} If `fn` is not a function.
 *
 * @example Keep a context variable in a listener
 * ```ts
 * import { ContextVar } from "@ilmek/async/context-var";
 * import { bind } from "@ilmek/async/detach";
 * import { assertEquals } from "@std/assert";
 *
 * const user = new ContextVar("user", { defaultValue: "nobody" });
 * const seen = user.run("ada", () => bind(() => user.get()));
 *
 * assertEquals(seen(), "ada");
 * ```
 */
export function bind<A extends unknown[], R>(
  fn: (...args: A) => R,
): (...args: A) => R {
  checkFunction(fn, "bind");
  const frame = currentFrame();
  return (...args) => runIn(frame, fn, ...args);
}
