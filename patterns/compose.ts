/**
 * Several policies as one.
 *
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { Fallback } from "@ilmek/async/fallback";
 * import { Retry } from "@ilmek/async/retry";
 *
 * const policy = compose(new Fallback([() => "cached"]), new Retry());
 * await policy.run(() => "fresh");
 * ```
 *
 * @module
 */
import { show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import type { PolicyCall } from "./_call.ts";
import {
  defineLayers,
  type Layer,
  layersOf,
  runStep,
  type Step,
  type Work,
  type WrapLayer,
} from "./_layers.ts";
import type {
  ContextOf,
  Policy,
  PolicyContext,
  PolicyRunOptions,
  PolicyTypes,
  ValueOf,
} from "./policy.ts";

/** Any policy, whatever its work receives. */
export type AnyPolicy = Policy<PolicyContext, unknown>;

/** What the work receives under all of several policies. */
export type ContextOfAll<P extends readonly unknown[]> = P extends
  readonly [infer First, ...infer Rest] ? ContextOf<First> & ContextOfAll<Rest>
  : PolicyContext;

/** What any of several policies gives in place of a failed result. */
export type ValueOfAll<P extends readonly unknown[]> = P extends
  readonly [infer First, ...infer Rest] ? ValueOf<First> | ValueOfAll<Rest>
  : never;

/**
 * Several policies as one; see {@linkcode compose}.
 *
 * @typeParam C What the work receives.
 * @typeParam V What one of the policies may give in place of a failed result.
 *
 * @example Keep a stack of policies
 * ```ts
 * import { compose, type ComposedPolicy } from "@ilmek/async/compose";
 * import { Retry, type RetryContext } from "@ilmek/async/retry";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 * import { assertEquals } from "@std/assert";
 *
 * const policy: ComposedPolicy<RetryContext> = compose(
 *   new Timeout(1000),
 *   new Retry(),
 * );
 *
 * assertEquals(policy.policies.length, 2);
 * ```
 */
export class ComposedPolicy<C extends PolicyContext, V = never> {
  /** Never there: it carries the types of the policy for the compiler. */
  declare readonly "~types"?: PolicyTypes<C, V>;
  /** The policies, the first of them outermost. */
  readonly policies: readonly AnyPolicy[];
  readonly #step: Step;

  /**
   * It comes from `compose`.
   *
   * @internal
   */
  constructor(policies: readonly AnyPolicy[]) {
    for (const policy of policies) checkPolicy(policy);
    if (policies.length === 0) {
      throw new RangeError(
        "Cannot compose policies: there must be at least one",
      );
    }
    this.policies = policies;
    this.#step = defineLayers(
      this,
      policies.flatMap((policy) => layersOf(policy) ?? [foreignLayer(policy)]),
    );
  }

  /** Whether all of the policies are as they were when they were made. */
  get pristine(): boolean {
    return this.policies.every((it) =>
      "pristine" in it && it.pristine === true
    );
  }

  /**
   * Runs `fn` under all of the policies.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run, in the async context of the caller.
   * @param options Additional options.
   * @returns What `fn` returns, or what a policy gives in its place.
   */
  run<T>(
    fn: (context: C) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T | V> {
    // The layers add to the context what `C` says.
    return runStep<T | V>(this.#step, fn as unknown as Work<T | V>, options);
  }
}

/**
 * Makes one policy of several: the first is outermost, the last is next to the
 * work.
 *
 * They are compiled together: those that only look at a call on its way in and out
 * run in one async function, however many there are. Any object with a `run` of
 * its own takes part, too.
 *
 * @typeParam P The policies.
 * @param policies The policies, outermost first.
 * @returns The policy.
 * @throws {TypeError} If one of them is no policy.
 * @throws {RangeError} If there is none.
 *
 * @example Try again within a total time, each attempt within its own
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { Retry } from "@ilmek/async/retry";
 * import { spaced } from "@ilmek/async/schedule";
 * import { sleep } from "@ilmek/async/sleep";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 * import { assertEquals } from "@std/assert";
 *
 * const policy = compose(
 *   new Timeout(1000, { name: "total" }),
 *   new Retry({ schedule: spaced(1) }),
 *   new Timeout(5, { name: "attempt" }),
 * );
 * const attempt = await policy.run(({ attempt }) =>
 *   sleep(attempt === 1 ? 60_000 : 1, { value: attempt })
 * );
 *
 * assertEquals(attempt, 2);
 * ```
 */
export function compose<const P extends readonly AnyPolicy[]>(
  ...policies: P
): ComposedPolicy<ContextOfAll<P>, ValueOfAll<P>> {
  return new ComposedPolicy<ContextOfAll<P>, ValueOfAll<P>>(policies);
}

/** A policy that knows nothing of layers: its `run` is called around the others. */
function foreignLayer(policy: AnyPolicy): Layer {
  const layer: WrapLayer = {
    kind: "wrap",
    wrap: (next) => (call, work) => runForeign(policy, next, call, work),
    facts: () => ({ policy: "custom", name: nameOf(policy), text: "" }),
  };
  return layer;
}

async function runForeign<T>(
  policy: AnyPolicy,
  next: Step,
  call: PolicyCall,
  work: Work<T>,
): Promise<T> {
  const value = await policy.run(({ signal }) => {
    const inner = call.within(currentFrame(), { signal });
    return next(inner, work);
  });
  // What else it gives, its type has told.
  return value as T;
}

function nameOf(policy: object): string {
  if ("name" in policy && typeof policy.name === "string") return policy.name;
  return policy.constructor.name;
}

function checkPolicy(policy: unknown): void {
  const isPolicy = typeof policy === "object" && policy !== null &&
    "run" in policy && typeof policy.run === "function";
  if (isPolicy) return;
  throw new TypeError(
    `Cannot compose policies as each must have a method "run": current value is ${
      show(policy)
    }`,
  );
}
