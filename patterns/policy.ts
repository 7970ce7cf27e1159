/**
 * What all policies share: how work runs under one, how its outcome is classed,
 * and the error that says that it never began.
 *
 * ```ts
 * import type { Policy } from "@ilmek/async/policy";
 *
 * const load = (policy: Policy, id: number) =>
 *   policy.run(({ signal }) => fetch(`https://example.com/${id}`, { signal }));
 * ```
 *
 * @module
 */
import { currentFrame } from "../_internal/frame.ts";

/** What the work of a policy receives. */
export interface PolicyContext {
  /**
   * An abort signal for this attempt. It fires when the caller is cancelled, and
   * when the attempt is over without a result, so that what it has left running
   * stops. Reading it costs something: it comes into being only then.
   */
  readonly signal: AbortSignal;
  /** Which attempt this is: 1 for the first. */
  readonly attempt: number;
  /** The loop's time by which the work has to be done; `Infinity` for none. */
  readonly deadline: number;
}

/** Options of {@linkcode Policy.run}. */
export interface PolicyRunOptions {
  /**
   * Cancels the work when it aborts, besides the ambient scope. The call rejects
   * with its reason.
   */
  signal?: AbortSignal;
}

/**
 * A way to run work: under a limit, again if it fails, or not at all.
 *
 * Whatever has such a `run` is a policy, and takes part in `compose`.
 *
 * @typeParam C What the work receives.
 * @typeParam V What the policy gives in place of a failed result, if it does.
 */
export interface Policy<C extends PolicyContext = PolicyContext, V = never> {
  /** Never there: it carries the types of the policy for the compiler. */
  readonly "~types"?: PolicyTypes<C, V>;
  /**
   * Runs `fn` under this policy.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run, in the async context of the caller.
   * @param options Additional options.
   * @returns What `fn` returns, or what the policy gives in its place.
   */
  run<T>(
    fn: (context: C) => T | PromiseLike<T>,
    options?: PolicyRunOptions,
  ): Promise<T | V>;
}

/** The types of a policy: what the work receives, and what may stand in. */
export interface PolicyTypes<C extends PolicyContext, V> {
  /** What the work receives. */
  readonly context: C;
  /** What the policy gives in place of a failed result. */
  readonly value: V;
}

/** What the work receives under a policy of type `P`. */
export type ContextOf<P> = P extends
  { readonly "~types"?: PolicyTypes<infer C, unknown> } ? C : PolicyContext;

/** What a policy of type `P` gives in place of a failed result. */
export type ValueOf<P> = P extends
  { readonly "~types"?: PolicyTypes<PolicyContext, infer V> } ? V : never;

/** How a call has ended. */
export type PolicyOutcome<T = unknown> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** What an outcome says of the work: `"ignore"` says nothing of it. */
export type OutcomeClass = "success" | "failure" | "ignore";

/**
 * Tells what an outcome says of the work; `undefined` leaves it to the policy.
 *
 * It is not asked about the caller's own cancellation, which is always ignored.
 * By default a refusal by an inner policy and a cancellation that came from
 * within are ignored, a `TimeoutError` and every other error is a failure, and a
 * value is a success.
 */
export type Classify = (
  outcome: PolicyOutcome,
  context: PolicyContext,
) => OutcomeClass | undefined;

/** The option by which policies are told how to class outcomes. */
export interface ClassifyOptions {
  /** Tells what an outcome says of the work. */
  classify?: Classify;
}

/** What is known about a call that a policy did not let through. */
export interface PolicyErrorOptions extends ErrorOptions {
  /** The name of the policy. */
  policy: string;
  /** The key of the instance, if the policy is kept by key. */
  key?: string;
  /**
   * After how many milliseconds another call may succeed; `Infinity` if only
   * somebody's decision can change that.
   */
  retryAfterMs?: number;
  /**
   * Whether the work was never begun.
   *
   * @default {true}
   */
  rejected?: boolean;
}

/**
 * The base of all errors of policies.
 *
 * Refusals come by the thousand when things go wrong, so they are cheap: a
 * refusal has no stack trace unless the loop is in debug mode.
 */
export class PolicyError extends Error {
  static {
    this.prototype.name = "PolicyError";
  }
  /** The name of the policy. */
  readonly policy: string;
  /** The key of the instance, if the policy is kept by key. */
  readonly key: string | undefined;
  /** After how many milliseconds another call may succeed, if that is known. */
  readonly retryAfterMs: number | undefined;
  /** Whether the work was never begun, so that it can safely be tried again. */
  readonly rejected: boolean;

  /** Creates an error of the policy that `options` name. */
  constructor(message: string, options: PolicyErrorOptions) {
    const { policy, key, retryAfterMs, rejected = true } = options;
    const limit = Error.stackTraceLimit;
    if (rejected && !currentFrame().loop.debug) Error.stackTraceLimit = 0;
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    Error.stackTraceLimit = limit;
    this.policy = policy;
    this.key = key;
    this.retryAfterMs = retryAfterMs;
    this.rejected = rejected;
  }
}
