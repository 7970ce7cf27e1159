/**
 * How important calls are, and for whom they are made: what is refused first when
 * there is too much to do.
 *
 * ```ts
 * import { withPriority } from "@ilmek/async/call-priority";
 *
 * await withPriority("sheddable", async () => {
 *   // All calls in here are the first to be refused.
 * });
 * ```
 *
 * @module
 */
import { checkChoice, checkFunction } from "../_internal/check.ts";
import { callClass, type CallPriority, PRIORITIES } from "./_call_class.ts";

export type { CallPriority } from "./_call_class.ts";

/**
 * Calls `fn`, and says how important the calls are that it makes.
 *
 * It holds for all that `fn` calls and starts, like a context variable: policies
 * that have to choose look at it. What nobody has said is `"critical"`.
 *
 * @typeParam R What `fn` returns.
 * @param priority `"critical+"`, `"critical"`, `"sheddable+"` or `"sheddable"`.
 * @param fn What to call.
 * @returns What `fn` returns.
 * @throws {TypeError} If `priority` is none of these.
 *
 * @example Mark work that can be done later
 * ```ts
 * import { currentPriority, withPriority } from "@ilmek/async/call-priority";
 * import { assertEquals } from "@std/assert";
 *
 * const inside = withPriority("sheddable", () => currentPriority());
 *
 * assertEquals([inside, currentPriority()], ["sheddable", "critical"]);
 * ```
 */
export function withPriority<R>(priority: CallPriority, fn: () => R): R {
  const doing = "set a priority";
  checkChoice(priority, doing, "priority", PRIORITIES);
  checkFunction(fn, doing);
  return callClass.run({ ...callClass.get(), priority }, fn);
}

/**
 * Calls `fn`, and says for whom the calls are that it makes.
 *
 * Among calls of one priority, those go first whose tenant has the least under way.
 *
 * @typeParam R What `fn` returns.
 * @param tenant A customer, a user, a job: compared as keys of a `Map` are.
 * @param fn What to call.
 * @returns What `fn` returns.
 *
 * @example Keep customers apart
 * ```ts
 * import { currentTenant, withTenant } from "@ilmek/async/call-priority";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(withTenant("acme", () => currentTenant()), "acme");
 * ```
 */
export function withTenant<R>(tenant: unknown, fn: () => R): R {
  checkFunction(fn, "set a tenant");
  return callClass.run({ ...callClass.get(), tenant }, fn);
}

/**
 * How important the calls are that the present code makes.
 *
 * @returns What the nearest `withPriority` around it says, or `"critical"`.
 *
 * @example Tell a server behind this one
 * ```ts
 * import { currentPriority } from "@ilmek/async/call-priority";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = new Headers({ "x-priority": currentPriority() });
 *
 * assertEquals(headers.get("x-priority"), "critical");
 * ```
 */
export function currentPriority(): CallPriority {
  return callClass.get().priority;
}

/**
 * For whom the present code makes its calls.
 *
 * @returns What the nearest `withTenant` around it says, or `undefined`.
 *
 * @example Name the customer in a report
 * ```ts
 * import { currentTenant, withTenant } from "@ilmek/async/call-priority";
 * import { assertEquals } from "@std/assert";
 *
 * const text = withTenant("acme", () => `slow for ${currentTenant()}`);
 *
 * assertEquals(text, "slow for acme");
 * ```
 */
export function currentTenant(): unknown {
  return callClass.get().tenant;
}
