import { show } from "./check.ts";
import type { CancelledError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { ScopeNode } from "./scope_node.ts";

/** How many refused waits in a row look like a loop that swallows them. */
const MAX_REFUSALS = 100;

/**
 * Why a wait must not begin, as a rejection; `undefined` if it may.
 *
 * It is asked before anything changes: a refused wait has no effect.
 */
export function refusal(
  frame: Frame,
  doing: string,
  signal?: AbortSignal,
): Promise<never> | undefined {
  const scope = frame.scope.live();
  if (scope.struck !== undefined) return refuse(scope, scope.struck, doing);
  if (signal === undefined) return undefined;
  if (!isSignal(signal)) {
    return Promise.reject(
      new TypeError(
        `Cannot ${doing} as "signal" must be an AbortSignal: current value is ${
          show(signal)
        }`,
      ),
    );
  }
  return signal.aborted ? Promise.reject(signal.reason) : undefined;
}

/** Signals of other realms and libraries are as good as the platform's. */
function isSignal(signal: unknown): boolean {
  return typeof signal === "object" && signal !== null && "aborted" in signal &&
    "addEventListener" in signal &&
    typeof signal.addEventListener === "function";
}

/**
 * Refuses a wait, since its scope is struck already.
 *
 * A loop that catches and waits again would spin for ever without giving way:
 * after a number of refusals the rejection takes a real turn, and is reported.
 */
function refuse(
  scope: ScopeNode,
  error: CancelledError,
  doing: string,
): Promise<never> {
  const { loop } = scope;
  const refusals = scope.countRefusal();
  if (loop.debug && refusals === 1) {
    loop.report({
      message:
        `Cannot ${doing} in a cancelled scope: wrap cleanup in uncancellable()`,
      exception: error,
    });
  }
  if (refusals < MAX_REFUSALS) return quietly(Promise.reject(error));
  if (refusals === MAX_REFUSALS) {
    loop.report({
      message: `Cannot ${doing}: the scope ${
        JSON.stringify(scope.title)
      } was cancelled, and ${MAX_REFUSALS} waits in it have swallowed that`,
      exception: error,
    });
  }
  return quietly(
    new Promise((_, reject) => {
      loop.turn({ kind: "turn", label: doing, run: () => reject(error) });
    }),
  );
}

/** A wait that is dropped must not end the process since it was refused. */
function quietly(refused: Promise<never>): Promise<never> {
  refused.catch(() => {});
  return refused;
}
