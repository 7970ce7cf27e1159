import { CancelledError, type CancelledErrorOptions } from "./errors.ts";
import { enclosingFrame } from "./frame.ts";
import type { ScopeNode } from "./scope_node.ts";

/** A cancellation of `scope`, issued by the code that runs now. */
export function cancellationOf(
  scope: ScopeNode,
  reason: unknown,
  options: CancelledErrorOptions = {},
): CancelledError {
  const by = enclosingFrame()?.actor?.name;
  return new CancelledError(reason, {
    scope: scope.title,
    at: scope.loop.time(),
    ...(by === undefined ? {} : { by }),
    ...options,
  });
}

/** Cancels `scope` with a new cancellation; `false` if it was cancelled before. */
export function cancelScope(
  scope: ScopeNode,
  reason: unknown,
  options: CancelledErrorOptions = {},
): boolean {
  if (scope.exited || scope.cancelledBy !== undefined) return false;
  return scope.cancel(cancellationOf(scope, reason, options));
}
