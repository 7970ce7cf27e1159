import { isThenable } from "./check.ts";
import { type Frame, runIn } from "./frame.ts";
import { outcomeOf } from "./outcome.ts";
import type { ScopeNode } from "./scope_node.ts";
import { withScopeOf } from "./spawn.ts";

/**
 * Runs `fn` in `scope` and leaves the scope when it has ended. A task or future
 * that `fn` returns is joined inside.
 */
export async function openScope<A, T>(
  frame: Frame,
  scope: ScopeNode,
  fn: (argument: A) => T | PromiseLike<T>,
  argument: A,
): Promise<T> {
  try {
    return await callJoined(withScopeOf(frame, scope), fn, argument);
  } finally {
    scope.exit();
  }
}

/** Calls `fn` in `inner`, where a task or future that it returns is joined. */
export function callJoined<A, T>(
  inner: Frame,
  fn: (argument: A) => T | PromiseLike<T>,
  argument: A,
): T | PromiseLike<T> {
  return runIn(
    inner,
    joinResult,
    inner,
    fn as (argument: unknown) => unknown,
    argument,
  ) as T;
}

function joinResult(
  inner: Frame,
  fn: (argument: unknown) => unknown,
  argument: unknown,
): unknown {
  const result = fn(argument);
  if (result instanceof Promise || !isThenable(result)) return result;
  const outcome = outcomeOf(result);
  if (outcome !== undefined) return outcome.join(inner);
  // Anything else that is lazy begins in here as well.
  return new Promise((resolve, reject) => result.then(resolve, reject));
}
