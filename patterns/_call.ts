import { CancelledError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import { isThenable, show } from "../_internal/check.ts";
import { listen } from "../_internal/signal.ts";
import {
  type Classify,
  type OutcomeClass,
  type PolicyContext,
  PolicyError,
  type PolicyOutcome,
} from "./policy.ts";

/** What a call hands from one attempt to the next. */
export interface PolicyCallState {
  readonly attempt: number;
  /** How many retries it runs within. */
  readonly retryDepth: number;
  readonly lastError: unknown;
}

/** What every call begins with. */
export const FIRST_ATTEMPT: PolicyCallState = {
  attempt: 1,
  retryDepth: 0,
  lastError: undefined,
};

/**
 * One attempt on its way through the layers: what the work gets as its context.
 *
 * Its signal and its deadline are found when somebody asks.
 */
export class PolicyCall implements PolicyContext, PolicyCallState {
  /** The frame of the caller, as far as layers outside have not changed it. */
  readonly frame: Frame;
  readonly attempt: number;
  readonly retryDepth: number;
  readonly lastError: unknown;
  #foreign: AbortSignal | undefined;
  #controller: AbortController | undefined = undefined;
  #unlink: (() => void) | undefined = undefined;

  constructor(
    frame: Frame,
    state: PolicyCallState,
    foreign?: AbortSignal,
  ) {
    this.frame = frame;
    this.attempt = state.attempt;
    this.retryDepth = state.retryDepth;
    this.lastError = state.lastError;
    this.#foreign = foreign;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = this.#controller = new AbortController();
    const parent = this.#foreign ?? this.frame.scope.live().signal;
    if (parent.aborted) controller.abort(parent.reason);
    else {
      this.#unlink = listen(parent, (reason) => controller.abort(reason));
    }
    return controller.signal;
  }

  get deadline(): number {
    return this.frame.scope.live().effectiveDeadline;
  }

  /** How many milliseconds are left until the deadline. */
  get remainingMs(): number {
    const { deadline } = this;
    if (deadline === Infinity) return Infinity;
    return Math.max(0, deadline - this.frame.loop.time());
  }

  /** The same attempt in another frame, or under another policy's signal. */
  within(frame: Frame, foreign?: AbortSignal): PolicyCall {
    return new PolicyCall(frame, this, foreign ?? this.#foreign);
  }

  /** A new attempt under the same caller. */
  again(state: PolicyCallState): PolicyCall {
    return new PolicyCall(this.frame, state, this.#foreign);
  }

  /**
   * The attempt is over. Its signal fires if that left nothing behind that may
   * still be read, such as the body of a response.
   */
  end(ok: boolean): void {
    if (this.#controller === undefined) return;
    this.#unlink?.();
    this.#unlink = undefined;
    if (!ok) {
      this.#controller.abort(
        new DOMException("The attempt is over", "AbortError"),
      );
    }
  }

  /** Whether an error means that the caller was cancelled. */
  isOwnCancellation(error: unknown): boolean {
    const { struck } = this.frame.scope.live();
    const foreign = this.#foreign;
    if (struck === undefined && foreign?.aborted !== true) return false;
    const isStop = (it: unknown) =>
      it === struck || (foreign?.aborted === true && it === foreign.reason);
    if (isStop(error)) return true;
    if (!(error instanceof Error)) return false;
    return error.name === "AbortError" || isStop(error.cause);
  }

  /** What an outcome says of the work; see `Classify`. */
  classify(outcome: PolicyOutcome, classify?: Classify): OutcomeClass {
    if (!outcome.ok && this.isOwnCancellation(outcome.error)) return "ignore";
    if (classify !== undefined) {
      const told = askClassify(this, outcome, classify);
      if (told !== undefined) return told;
    }
    return outcome.ok ? "success" : classOfError(outcome.error);
  }
}

/** Calls a hook of a policy; what it throws must not break the call. */
export function callHook<E>(
  loop: EventLoop,
  policy: string,
  hook: ((event: E) => unknown) | undefined,
  event: E,
): void {
  if (hook === undefined) return;
  const report = (exception: unknown): void => {
    loop.report({ message: `A hook of "${policy}" has thrown`, exception });
  };
  try {
    const result = hook(event);
    if (isThenable(result)) result.then(undefined, report);
  } catch (error) {
    report(error);
  }
}

function askClassify(
  call: PolicyCall,
  outcome: PolicyOutcome,
  classify: Classify,
): OutcomeClass | undefined {
  let told: unknown;
  try {
    told = classify(outcome, call);
  } catch (exception) {
    const message = 'Cannot class an outcome: "classify" has thrown';
    call.frame.loop.report({ message, exception });
    return undefined;
  }
  if (told === undefined || told === "success") return told;
  if (told === "failure" || told === "ignore") return told;
  call.frame.loop.report({
    message:
      `Cannot class an outcome as "classify" must return "success", "failure", "ignore" or undefined: current value is ${
        show(told)
      }`,
  });
  return undefined;
}

function classOfError(error: unknown): OutcomeClass {
  if (error instanceof PolicyError && error.rejected) return "ignore";
  if (error instanceof CancelledError && error.kind !== "deadline") {
    return "ignore";
  }
  return "failure";
}
