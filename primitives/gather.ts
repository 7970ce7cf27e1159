/**
 * Running several things at once, and waiting for all of them.
 *
 * ```ts
 * import { gather } from "@ilmek/async/gather";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * const [one, two] = await gather([
 *   () => sleep(1, { value: 1 }),
 *   () => sleep(1, { value: 2 }),
 * ]);
 * ```
 *
 * @module
 */
import {
  beginEntry,
  checkEntry,
  type Entry,
  type EntryValue,
} from "../_internal/entries.ts";
import type { CancelledError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { type Outcome, outcomeOf } from "../_internal/outcome.ts";
import { Future } from "./future.ts";

export type { Entry, EntryValue } from "../_internal/entries.ts";

/** Options of {@linkcode gather}. */
export interface GatherOptions {
  /**
   * Puts errors in their places among the results, and waits for all.
   *
   * @default {false}
   */
  returnExceptions?: boolean;
}

/** Several entries: a list, or a record whose names the results keep. */
export type Entries =
  | readonly Entry<unknown>[]
  | { readonly [name: string]: Entry<unknown> };

/** The results of entries, in their shape. */
export type Gathered<E extends Entries> = {
  -readonly [K in keyof E]: EntryValue<E[K]>;
};

/** The results of entries, in their shape, with errors among them. */
export type GatheredOrError<E extends Entries> = {
  -readonly [K in keyof E]: EntryValue<E[K]> | Error;
};

/**
 * Runs several entries at once, and gives their results in the order given.
 *
 * A function is started as a task; a task, a future or a promise is waited for.
 * The first error comes out at once, while the other entries go on: use
 * `TaskGroup.all` to have them cancelled. When the gathering is cancelled, all
 * entries are, but for promises, which cannot be.
 *
 * @typeParam E The entries.
 * @param entries What to run: a list or a record of functions, tasks, futures and
 * promises.
 * @param options Additional options.
 * @returns A future of the results, in the shape of `entries`.
 * @throws {TypeError} If `entries` is something else.
 *
 * @example Name the results
 * ```ts
 * import { gather } from "@ilmek/async/gather";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const { user, posts } = await gather({
 *   user: () => sleep(1, { value: "ada" }),
 *   posts: () => sleep(2, { value: 7 }),
 * });
 *
 * assertEquals(`${user} has ${posts}`, "ada has 7");
 * ```
 */
export function gather<const E extends Entries>(
  entries: E,
  options?: GatherOptions & { returnExceptions?: false },
): Future<Gathered<E>>;
/**
 * Runs several entries at once; errors take their places among the results.
 *
 * @typeParam E The entries.
 * @param entries What to run.
 * @param options Additional options.
 * @returns A future of the results and errors.
 */
export function gather<const E extends Entries>(
  entries: E,
  options: GatherOptions,
): Future<GatheredOrError<E>>;
export function gather<const E extends Entries>(
  entries: E,
  options: GatherOptions = {},
): Future<Gathered<E>> {
  const { returnExceptions = false } = options;
  const names = namesOf(entries);
  const list = Object.values(entries) as Entry<unknown>[];
  for (const entry of list) checkEntry(entry, "gather");
  const { struck } = currentFrame().scope.live();
  if (struck !== undefined) return giveUp(list, struck) as Future<never>;
  const outcomes = list.map(beginEntry);
  return collect(outcomes, { returnExceptions, names }) as Future<Gathered<E>>;
}

/** How the results are put together. */
interface Shape {
  readonly returnExceptions: boolean;
  /** Set if the results are a record. */
  readonly names: readonly string[] | undefined;
}

function collect(outcomes: Outcome<unknown>[], shape: Shape): Future<unknown> {
  let cancelling: CancelledError | undefined;
  const future = new Future<unknown>({
    name: "gather",
    onCancel: (error) => {
      const asked = outcomes.filter((outcome) => outcome.cancel(error));
      if (asked.length > 0) cancelling ??= error;
      return asked.length > 0;
    },
  });
  let left = outcomes.length;
  const finish = (): void => {
    if (cancelling !== undefined) future.setException(cancelling);
    else future.setResult(assemble(outcomes, shape.names));
  };
  const frame = currentFrame();
  for (const outcome of outcomes) {
    outcome.observe();
    outcome.subscribe(frame.loop, () => {
      left--;
      if (future.done) return;
      if (outcome.state !== "done" && !shape.returnExceptions) {
        future.setException(outcome.value);
      } else if (left === 0) finish();
    });
  }
  if (left === 0) finish();
  return future;
}

/** In a cancelled scope nothing begins, and what is under way is cancelled. */
function giveUp(
  entries: Entry<unknown>[],
  struck: CancelledError,
): Future<unknown> {
  for (const entry of entries) outcomeOf(entry)?.cancel(struck);
  const future = new Future<unknown>({ name: "gather" });
  future.setException(struck);
  return future;
}

function assemble(
  outcomes: Outcome<unknown>[],
  names: readonly string[] | undefined,
): unknown {
  const values = outcomes.map((outcome) => outcome.value);
  if (names === undefined) return values;
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}

function namesOf(entries: unknown): readonly string[] | undefined {
  if (Array.isArray(entries)) return undefined;
  const isRecord = typeof entries === "object" && entries !== null &&
    !("then" in entries) && !(Symbol.iterator in entries);
  if (isRecord) return Object.keys(entries);
  throw new TypeError(
    'Cannot gather as "entries" must be a list or a record: write gather([a, b]) or gather({ a, b })',
  );
}
