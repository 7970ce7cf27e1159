import { isThenable, show } from "../_internal/check.ts";
import { CancelledError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import { randomKey } from "../_internal/random.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { listen } from "../_internal/signal.ts";
import { withScopeOf } from "../_internal/spawn.ts";
import type {
  Classify,
  OutcomeClass,
  PolicyContext,
  PolicyOutcome,
} from "./policy.ts";

/** What a call begins with, and hands on to the next. */
interface PolicyCallState {
  readonly attempt: number;
  readonly hedge: number;
  readonly lastError: unknown;
  readonly idempotencyKey: string | undefined;
  readonly lingering: Promise<void> | undefined;
  readonly parent: PolicyCall | undefined;
  readonly foreign: AbortSignal | undefined;
}

/** What a layer changes for the layers inside. */
export interface PolicyCallWithin {
  /** The signal of a policy that knows nothing of scopes. */
  readonly signal?: AbortSignal;
  /** Which of several that do the same work it is. */
  readonly hedge?: number;
}

const FIRST: PolicyCallState = {
  attempt: 1,
  hedge: 0,
  lastError: undefined,
  idempotencyKey: undefined,
  lingering: undefined,
  parent: undefined,
  foreign: undefined,
};

const ignore = (): void => {};

/**
 * One attempt on its way through the layers: what the work gets as its context.
 *
 * Its signal, its deadline and its key are found when somebody asks.
 */
export class PolicyCall implements PolicyContext {
  /** Where the work runs: layers take scope, loop and context from here. */
  readonly frame: Frame;
  /** Where the first attempt ran. */
  readonly #base: Frame;
  /** What most calls have in common, so that one of them is cheap to make. */
  readonly #state: PolicyCallState;
  /** What comes into being when somebody asks. */
  #rare: Rare | undefined = undefined;

  constructor(base: Frame, frame: Frame, state: PolicyCallState) {
    this.#base = base;
    this.frame = frame;
    this.#state = state;
  }

  /** The first attempt of a caller. */
  static first(frame: Frame): PolicyCall {
    return new PolicyCall(frame, frame, FIRST);
  }

  get attempt(): number {
    return this.#state.attempt;
  }

  /** Which of several that do the same work this is. */
  get hedge(): number {
    return this.#state.hedge;
  }

  /** What the attempt before has failed with. */
  get lastError(): unknown {
    return this.#state.lastError;
  }

  get signal(): AbortSignal {
    const rare = this.#rarely();
    if (rare.controller !== undefined) return rare.controller.signal;
    const controller = rare.controller = new AbortController();
    const parent = this.#state.foreign ?? this.frame.scope.live().signal;
    if (parent.aborted) controller.abort(parent.reason);
    else rare.unlink = listen(parent, (reason) => controller.abort(reason));
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

  /** The same for all attempts, so that a server can tell them from new calls. */
  get idempotencyKey(): string {
    return this.#state.idempotencyKey ?? (this.#rarely().key ??= randomKey());
  }

  /** How many retries this attempt is one of: its own, and those around it. */
  get retryDepth(): number {
    return retryDepthOf(this.frame.scope);
  }

  /**
   * Settles when work has ended that goes on although the call has: what a
   * timeout has left behind, or a hedge. `undefined` if there is none. Whoever
   * counts what is under way counts it until then.
   */
  get lingering(): Promise<void> | undefined {
    return this.#rare?.lingering ?? this.#state.lingering;
  }

  /** Says that work goes on although the call has ended. */
  linger(work: Promise<unknown>): void {
    const ended = work.then(ignore, ignore);
    // deno-lint-ignore no-this-alias
    let call: PolicyCall | undefined = this;
    for (; call !== undefined; call = call.#state.parent) {
      const before = call.lingering;
      call.#rarely().lingering = before === undefined
        ? ended
        : before.then(() => ended);
    }
  }

  /** The same attempt as layers inside see it, in another frame. */
  within(frame: Frame, changes: PolicyCallWithin = {}): PolicyCall {
    const state = this.#state;
    return new PolicyCall(frame, frame, {
      attempt: state.attempt,
      hedge: changes.hedge ?? state.hedge,
      lastError: state.lastError,
      idempotencyKey: state.idempotencyKey ?? this.#rare?.key,
      lingering: undefined,
      parent: this,
      foreign: changes.signal ?? state.foreign,
    });
  }

  /** Another piece of work for the same caller, after something has failed. */
  fresh(lastError: unknown): PolicyCall {
    const state = { ...this.#kept(), lastError };
    return new PolicyCall(this.#base, this.#base, state);
  }

  /**
   * The next attempt after one that has failed. It runs in a scope of its own, by
   * which retries inside know that they are in one.
   */
  again(lastError: unknown): PolicyCall {
    const base = this.#base;
    const attempt = this.attempt + 1;
    const scope = openRetryScope(base, `attempt ${attempt}`);
    const state = { ...this.#kept(), attempt, lastError };
    return new PolicyCall(base, withScopeOf(base, scope), state);
  }

  /**
   * The attempt is over. Its signal fires unless it has given something that may
   * still be read, such as a response with its body.
   */
  end(ok: boolean): void {
    if (this.frame !== this.#base) this.frame.scope.exit();
    if (this.#rare?.controller === undefined) return;
    const { controller, unlink } = this.#rare;
    unlink?.();
    this.#rare.unlink = undefined;
    if (ok) return;
    controller.abort(
      new DOMException("The attempt is over", "AbortError"),
    );
  }

  /** Whether an error means that the caller was cancelled. */
  isOwnCancellation(error: unknown): boolean {
    const { struck } = this.frame.scope.live();
    const { foreign: signal } = this.#state;
    const foreign = signal?.aborted === true ? signal : undefined;
    if (struck === undefined && foreign === undefined) return false;
    const isStop = (it: unknown) =>
      (struck !== undefined && isCancelledBy(this.frame.scope, it)) ||
      (foreign !== undefined && it === foreign.reason);
    if (isStop(error)) return true;
    if (!(error instanceof Error)) return false;
    return error.name === "AbortError" || isStop(error.cause);
  }

  /**
   * What an outcome says of the work; see `Classify`. Refusals by policies inside
   * are no failures of the work, but a policy that can wait may treat them so.
   */
  classify(
    outcome: PolicyOutcome,
    classify?: Classify,
    refusals: OutcomeClass = "ignore",
  ): OutcomeClass {
    if (!outcome.ok && this.isOwnCancellation(outcome.error)) return "ignore";
    if (classify !== undefined) {
      const told = askClassify(this, outcome, classify);
      if (told !== undefined) return told;
    }
    if (outcome.ok) return "success";
    return classOfError(outcome.error, refusals);
  }

  /** What the next call takes over. */
  #kept(): PolicyCallState {
    const { lingering } = this;
    const idempotencyKey = this.#state.idempotencyKey ?? this.#rare?.key;
    return { ...this.#state, idempotencyKey, lingering };
  }

  #rarely(): Rare {
    return this.#rare ??= new Rare();
  }
}

/** What most calls never need. */
class Rare {
  controller: AbortController | undefined = undefined;
  unlink: (() => void) | undefined = undefined;
  key: string | undefined = undefined;
  lingering: Promise<void> | undefined = undefined;
}

/**
 * Whether an error is the cancellation of a scope or of one above: when several of
 * them are cancelled in one step, the work may have got that of any.
 */
function isCancelledBy(scope: ScopeNode, error: unknown): boolean {
  if (!(error instanceof CancelledError)) return false;
  for (let s: ScopeNode | undefined = scope; s !== undefined; s = s.parent) {
    if (s.cancelledBy === error || s.struck === error) return true;
  }
  return false;
}

const retryDepths = new WeakMap<ScopeNode, number>();

/** How many retries a scope is in. */
function retryDepthOf(scope: ScopeNode): number {
  for (let s: ScopeNode | undefined = scope; s !== undefined; s = s.parent) {
    const depth = retryDepths.get(s);
    if (depth !== undefined) return depth;
  }
  return 0;
}

function openRetryScope({ loop, scope }: Frame, name: string): ScopeNode {
  const node = new ScopeNode(loop, scope, { name });
  retryDepths.set(node, retryDepthOf(scope) + 1);
  return node;
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

/**
 * Whether an error says that the work was never begun: that of a policy, or one
 * that has to be of another class, and says `rejected` like those.
 */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && "rejected" in error &&
    error.rejected === true;
}

function classOfError(error: unknown, refusals: OutcomeClass): OutcomeClass {
  if (isRefusal(error)) return refusals;
  if (error instanceof CancelledError && error.kind !== "deadline") {
    return "ignore";
  }
  return "failure";
}
