import { cancellationOf } from "../_internal/cancellation.ts";
import { checkFunction } from "../_internal/check.ts";
import { currentFrame, type Frame, runIn } from "../_internal/frame.ts";
import { openScope } from "../_internal/open_scope.ts";
import { refusal } from "../_internal/refuse.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { listen } from "../_internal/signal.ts";
import { PolicyCall } from "./_call.ts";
import type { PolicyOutcome, PolicyRunOptions } from "./policy.ts";

/** The work at the end of all layers. */
export type Work<T> = (context: PolicyCall) => T | PromiseLike<T>;

/** What a layer calls to go on: the layers inside, and at last the work. */
export type Step = <T>(
  call: PolicyCall,
  work: Work<T>,
) => T | PromiseLike<T>;

/**
 * What a guard makes of an outcome: nothing, another outcome, or another attempt.
 * The call of another attempt is a new one.
 */
export type Verdict = undefined | PolicyOutcome | PolicyCall;

/**
 * A layer that looks at a call on its way in and on its way out, and needs no
 * function around it: limiters, breakers, bulkheads, retries, fallbacks.
 */
export interface GuardLayer<S = unknown> {
  readonly kind: "guard";
  /**
   * Lets the call in, at once or when the promise resolves. What it gives comes
   * back in `exit`. If it throws, the call is refused, and `exit` is not called.
   */
  enter(call: PolicyCall): S | Promise<S>;
  /**
   * Called once for each call that was let in. Without a verdict, or if there is
   * none yet to be waited for, it is synchronous and costs no turn.
   */
  exit(
    call: PolicyCall,
    state: S,
    outcome: PolicyOutcome,
  ): Verdict | Promise<Verdict>;
  facts(): LayerFacts;
}

/** A layer that needs a function around the call: timeouts, hedges. */
export interface WrapLayer {
  readonly kind: "wrap";
  wrap(next: Step): Step;
  facts(): LayerFacts;
}

/** One policy among others that are compiled together. */
export type Layer = GuardLayer<never> | GuardLayer | WrapLayer;

/** How long a call may take at worst, and how often its work may be begun. */
export interface WorstCase {
  readonly ms: number;
  readonly attempts: number;
}

/** What `explain` tells of a layer. */
export interface LayerFacts {
  /** What it is, in kebab-case: `"retry"`, `"circuit-breaker"`. */
  readonly policy: string;
  readonly name: string;
  /** How it is set, in a few words: `"at most 3 attempts"`. */
  readonly text: string;
  /** The limit of time that it sets, if it sets one. */
  readonly limitMs?: number;
  /** The worst case of a call through this layer, given that of those inside. */
  worst?(inner: WorstCase): WorstCase;
}

/** What each policy of this package is made of. */
const layersByPolicy = new WeakMap<object, readonly Layer[]>();

/**
 * Says what a policy is made of, so that `compose` can compile it together with
 * others: called once, in its constructor. The step that comes back is what its
 * `run` hands to {@linkcode runStep}.
 */
export function defineLayers(
  policy: object,
  layers: readonly Layer[],
): Step {
  layersByPolicy.set(policy, layers);
  return compile(layers);
}

/** What a policy is made of; `undefined` for one that is not of this package. */
export function layersOf(policy: object): readonly Layer[] | undefined {
  return layersByPolicy.get(policy);
}

/** The innermost step. */
const callWork: Step = (call, work) => work(call);

/** Makes one step of many layers, the first of them outermost. */
export function compile(layers: readonly Layer[]): Step {
  let next = callWork;
  let guards: GuardLayer[] = [];
  for (const layer of layers.toReversed()) {
    if (layer.kind === "guard") {
      guards.unshift(layer as GuardLayer);
      continue;
    }
    next = layer.wrap(guarded(guards, next));
    guards = [];
  }
  return guarded(guards, next);
}

/** Runs work through a compiled step, for a caller who waits in its own scope. */
export function runStep<T>(
  step: Step,
  work: Work<T>,
  options: PolicyRunOptions,
): Promise<T> {
  const { signal } = options;
  if (typeof work !== "function") {
    try {
      checkFunction(work, "run a policy");
    } catch (error) {
      return Promise.reject(error);
    }
  }
  const frame = currentFrame();
  const refused = refusal(frame, "run a policy", signal);
  if (refused !== undefined) return refused;
  if (signal !== undefined) return runLinked(frame, signal, step, work);
  return step(PolicyCall.first(frame), work) as Promise<T>;
}

/** The signal cancels the work by a scope of its own, and tells its reason. */
async function runLinked<T>(
  frame: Frame,
  signal: AbortSignal,
  step: Step,
  work: Work<T>,
): Promise<T> {
  const node = new ScopeNode(frame.loop, frame.scope);
  const unlisten = listen(signal, (cause) => {
    node.cancel(cancellationOf(node, undefined, { kind: "signal", cause }));
  });
  const begin = () => step(PolicyCall.first(currentFrame()), work);
  try {
    return await openScope(frame, node, begin, undefined);
  } catch (error) {
    if (error === undefined || error !== node.cancelledBy) throw error;
    throw frame.scope.live().struck ?? signal.reason;
  } finally {
    unlisten();
  }
}

function guarded(guards: readonly GuardLayer[], next: Step): Step {
  if (guards.length === 0) return next;
  const [first] = guards;
  if (first !== undefined && guards.length === 1) {
    return (call, work) => driveOne(first, next, call, work);
  }
  return (call, work) => drive(guards, next, call, work);
}

/** What {@linkcode drive} does, for a single guard: most policies stand alone. */
async function driveOne<T>(
  guard: GuardLayer,
  next: Step,
  first: PolicyCall,
  work: Work<T>,
): Promise<T> {
  const entered = guard.enter(first);
  const state = entered instanceof Promise ? await entered : entered;
  let call = first;
  for (;;) {
    let outcome: PolicyOutcome<T>;
    try {
      const value = call.frame === first.frame
        ? next(call, work)
        : runIn(call.frame, () => next(call, work));
      outcome = { ok: true, value: await value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    try {
      const asked = guard.exit(call, state, outcome);
      const verdict = asked instanceof Promise ? await asked : asked;
      if (verdict instanceof PolicyCall) {
        call.end(false);
        call = verdict;
        continue;
      }
      if (verdict !== undefined) outcome = verdict as PolicyOutcome<T>;
    } catch (error) {
      outcome = { ok: false, error };
    }
    call.end(outcome.ok);
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }
}

/**
 * Takes a call through guards, in and out, as often as one of them wants: one
 * async function for however many guards.
 */
async function drive<T>(
  guards: readonly GuardLayer[],
  next: Step,
  first: PolicyCall,
  work: Work<T>,
): Promise<T> {
  const states = new Array<unknown>(guards.length);
  let call = first;
  // Invariant: the guards below `depth` have let the call in, the others not.
  let depth = 0;
  for (;;) {
    let outcome: PolicyOutcome<T>;
    try {
      for (; depth < guards.length; depth++) {
        const state = (guards[depth] as GuardLayer).enter(call);
        states[depth] = state instanceof Promise ? await state : state;
      }
      const value = call.frame === first.frame
        ? next(call, work)
        : runIn(call.frame, () => next(call, work));
      outcome = { ok: true, value: await value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    let again = false;
    while (depth > 0 && !again) {
      depth--;
      try {
        const guard = guards[depth] as GuardLayer;
        const asked = guard.exit(call, states[depth], outcome);
        const verdict = asked instanceof Promise ? await asked : asked;
        if (verdict === undefined) continue;
        if (verdict instanceof PolicyCall) {
          call.end(false);
          call = verdict;
          depth++;
          again = true;
        } else outcome = verdict as PolicyOutcome<T>;
      } catch (error) {
        outcome = { ok: false, error };
      }
    }
    if (again) continue;
    call.end(outcome.ok);
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }
}
