/**
 * Several ways to the same goal: the first wins, the others are cancelled.
 *
 * ```ts
 * import { race } from "@ilmek/async/race";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * await race([() => sleep(1), () => sleep(60_000)]); // 1 ms
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import { checkFunction, show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Nursery } from "../_internal/nursery.ts";
import { spawn } from "../_internal/spawn.ts";

/** What a function of a race gives. */
export type Won<F extends readonly (() => unknown)[]> = Awaited<
  ReturnType<F[number]>
>;

/**
 * Runs functions at once, and gives what the first to end gives: its value, or its
 * error. The others are cancelled, and their end is waited for.
 *
 * @typeParam F The functions.
 * @param fns The functions to run. Promises cannot be cancelled, and are refused.
 * @returns What the first function returned.
 * @throws What the first function threw.
 * @throws {TypeError} If `fns` holds anything but functions.
 * @throws {RangeError} If `fns` is empty.
 *
 * @example Take the quicker of two
 * ```ts
 * import { race } from "@ilmek/async/race";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const first = await race([
 *   () => sleep(60_000, { value: "slow" }),
 *   () => sleep(1, { value: "quick" }),
 * ]);
 *
 * assertEquals(first, "quick");
 * ```
 */
export async function race<const F extends readonly (() => unknown)[]>(
  fns: F,
): Promise<Won<F>> {
  const [first] = await compete(fns, "run a race", () => true);
  const { state, value } = (first as Actor).outcome;
  if (state === "done") return value as Won<F>;
  throw value;
}

/**
 * Runs functions at once, and gives the value of the first that succeeds. The
 * others are cancelled, and their end is waited for.
 *
 * @typeParam F The functions.
 * @param fns The functions to run. Promises cannot be cancelled, and are refused.
 * @returns What the first function to succeed returned.
 * @throws {AggregateError} If all have failed; `errors` in the order of failure.
 * @throws {TypeError} If `fns` holds anything but functions.
 * @throws {RangeError} If `fns` is empty.
 *
 * @example Ask two servers, one of which is down
 * ```ts
 * import { any } from "@ilmek/async/race";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const answer = await any([
 *   () => Promise.reject(new TypeError("down")),
 *   () => sleep(1, { value: "up" }),
 * ]);
 *
 * assertEquals(answer, "up");
 * ```
 */
export async function any<const F extends readonly (() => unknown)[]>(
  fns: F,
): Promise<Won<F>> {
  const ended = await compete(
    fns,
    "run any",
    (actor) => actor.outcome.state === "done",
  );
  const winner = ended.find((actor) => actor.outcome.state === "done");
  if (winner !== undefined) return winner.outcome.value as Won<F>;
  throw new AggregateError(
    ended.map((actor) => actor.outcome.value),
    `Cannot give a value: all ${ended.length} functions have failed`,
  );
}

/** Runs all until one decides. Gives those who had ended by then, in order. */
async function compete(
  fns: readonly (() => unknown)[],
  doing: string,
  decides: (actor: Actor) => boolean,
): Promise<Actor[]> {
  checkFunctions(fns, doing);
  const frame = currentFrame();
  const nursery = new Nursery(frame, { name: doing.split(" ").at(-1) });
  const { node, loop } = nursery;
  const ended: Actor[] = [];
  let decided = false;
  const onEnd = (actor: Actor): void => {
    actor.outcome.observe();
    const struck = node.struck !== undefined;
    if (!decided && !struck) {
      ended.push(actor);
      decided = decides(actor);
      if (decided) cancelScope(node, undefined, { kind: "given-up" });
    } else if (actor.outcome.state === "failed") {
      loop.report({
        message: `Cannot end ${actor.label} quietly: it has lost, and failed`,
        exception: actor.outcome.value,
      });
    }
    nursery.left();
  };
  for (const fn of fns) {
    nursery.entered();
    spawn(node, fn, { onEnd });
  }
  await nursery.gone(frame);
  node.exit();
  const { struck } = frame.scope.live();
  if (struck !== undefined && !decided) throw struck;
  return ended;
}

function checkFunctions(fns: unknown, doing: string): void {
  if (!Array.isArray(fns)) {
    throw new TypeError(
      `Cannot ${doing} as "fns" must be a list of functions: current value is ${
        show(fns)
      }`,
    );
  }
  for (const fn of fns) checkFunction(fn, doing);
  if (fns.length > 0) return;
  throw new RangeError(
    `Cannot ${doing} as "fns" must hold at least one function: it is empty`,
  );
}
