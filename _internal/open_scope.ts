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
  const inner = withScopeOf(frame, scope);
  try {
    return await runIn(inner, callJoined, inner, fn, argument) as T;
  } finally {
    scope.exit();
  }
}

function callJoined(
  inner: Frame,
  fn: (argument: never) => unknown,
  argument: unknown,
): unknown {
  const result = fn(argument as never);
  const outcome = outcomeOf(result);
  return outcome === undefined ? result : outcome.join(inner);
}
