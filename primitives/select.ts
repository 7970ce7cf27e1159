/**
 * Waiting for the first of several things, and taking exactly one.
 *
 * ```ts
 * import { Future } from "@ilmek/async/future";
 * import { select } from "@ilmek/async/select";
 * import { sleepOp } from "@ilmek/async/sleep";
 *
 * const answer = new Future<string>();
 * const first = await select({ answer, tooLate: sleepOp(1) });
 * console.log(first.key === "answer" ? first.value : "no answer");
 * ```
 *
 * @module
 */
import { show } from "../_internal/check.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation, type OperationSteps } from "../_internal/operation.ts";
import { type Outcome, outcomeOf } from "../_internal/outcome.ts";
import { refusal } from "../_internal/refuse.ts";
import { type Choice, type Chosen, Selection } from "../_internal/selection.ts";
import { linkSignal } from "../_internal/signal.ts";
import type { Future } from "./future.ts";
import type { Task } from "./task.ts";

export type { Operation } from "../_internal/operation.ts";
export type { Future } from "./future.ts";
export type { Task } from "./task.ts";

/** What {@linkcode select} can wait for. */
export type Selectable<T = unknown> = Operation<T> | Task<T> | Future<T>;

/** Which of the choices it was, and what it gave. */
export type Selected<C extends Readonly<Record<string, Selectable>>> = {
  [K in keyof C & string]: {
    /** The name of the choice. */
    readonly key: K;
    /** What the choice gave. */
    readonly value: C[K] extends Selectable<infer T> ? T : never;
  };
}[keyof C & string];

/** Options of {@linkcode select}. */
export interface SelectOptions {
  /**
   * Prefers choices in the order in which they are written, where several are
   * ready. Otherwise each of them gets its turn.
   *
   * @default {false}
   */
  biased?: boolean;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of {@linkcode trySelect}. */
export type TrySelectOptions = Pick<SelectOptions, "biased">;

/**
 * Waits for the first of several operations, tasks and futures.
 *
 * Exactly one is done. All others are left as if they had never been asked: no
 * item is taken, no permit, no place in line. Tasks and futures that are not the
 * first go on; they are not cancelled. A choice that fails ends the wait with its
 * error.
 *
 * @typeParam C The choices.
 * @param choices What to wait for, by name.
 * @param options Additional options.
 * @returns The name of the choice, and what it gave.
 * @throws {TypeError} If a choice is none, or there are none at all.
 * @throws What the first choice fails with.
 * @throws {CancelledError} If the ambient scope is cancelled before.
 * @throws The reason of `options.signal`, if it aborts before.
 *
 * @example Take what comes first
 * ```ts
 * import { select } from "@ilmek/async/select";
 * import { sleep, sleepOp } from "@ilmek/async/sleep";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const page = createTask(() => sleep(1, { value: "page" }));
 * const first = await select({ page, tooLate: sleepOp(60_000) });
 *
 * assertEquals(first, { key: "page", value: "page" });
 * ```
 */
export function select<
  const C extends Readonly<Record<string, Selectable>>,
>(choices: C, options: SelectOptions = {}): Promise<Selected<C>> {
  const { biased = false, signal } = options;
  const frame = currentFrame();
  try {
    const list = choicesOf(choices);
    const refused = refusal(frame, "select", signal);
    if (refused !== undefined) return refused;
    const ready = attempt(frame, list, biased);
    if (ready !== undefined) {
      return frame.loop.pass(Promise.resolve(ready as Selected<C>), frame);
    }
    // A predicate among the choices is foreign code: it may have ended this wait.
    const ended = refusal(frame, "select", signal);
    if (ended !== undefined) return ended;
    const selection = new Selection(frame, list);
    linkSignal(selection.claim as never, signal);
    const first = selection.claim.wait();
    selection.park();
    return first as Promise<Selected<C>>;
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Does one of several operations, if one need not wait; see {@linkcode select}.
 *
 * @typeParam C The choices.
 * @param choices What to try, by name.
 * @param options Additional options.
 * @returns The name of the choice, and what it gave; `undefined` if all would
 * have to wait.
 * @throws {TypeError} If a choice is none, or there are none at all.
 * @throws What the first choice fails with.
 *
 * @example Look without waiting
 * ```ts
 * import { Future } from "@ilmek/async/future";
 * import { trySelect } from "@ilmek/async/select";
 * import { assertEquals } from "@std/assert";
 *
 * const answer = new Future<number>();
 * assertEquals(trySelect({ answer }), undefined);
 * answer.setResult(42);
 *
 * assertEquals(trySelect({ answer }), { key: "answer", value: 42 });
 * ```
 */
export function trySelect<
  const C extends Readonly<Record<string, Selectable>>,
>(choices: C, options: TrySelectOptions = {}): Selected<C> | undefined {
  const { biased = false } = options;
  const list = choicesOf(choices);
  return attempt(currentFrame(), list, biased) as Selected<C> | undefined;
}

/** Does the first choice that need not wait. */
function attempt(
  frame: Frame,
  choices: readonly Choice[],
  biased: boolean,
): Chosen | undefined {
  const start = biased ? 0 : frame.loop.nextChoice++;
  for (let i = 0; i < choices.length; i++) {
    const { key, steps } = choices[(start + i) % choices.length] as Choice;
    const done = steps.attempt(frame);
    if (done !== undefined) return { key, value: done.value };
  }
  return undefined;
}

function choicesOf(choices: Readonly<Record<string, unknown>>): Choice[] {
  const isRecord = typeof choices === "object" && choices !== null;
  const list = Object.entries(isRecord ? choices : {})
    .map(([key, choice]) => ({ key, steps: stepsOf(key, choice) }));
  if (list.length > 0) return list;
  throw new TypeError(
    `Cannot select as "choices" must be an object with a choice at least: current value is ${
      show(choices)
    }`,
  );
}

function stepsOf(key: string, choice: unknown): OperationSteps<unknown> {
  if (choice instanceof Operation) return Operation.stepsOf(choice);
  const outcome = outcomeOf(choice);
  if (outcome !== undefined) return joining(outcome);
  throw new TypeError(
    `Cannot select as "${key}" must be an operation, a task or a future: current value is ${
      show(choice)
    }`,
  );
}

/** Waits for an outcome; it is never cancelled for that. */
function joining(outcome: Outcome<unknown>): OperationSteps<unknown> {
  return {
    label: outcome.label,
    attempt() {
      if (outcome.pending) return undefined;
      outcome.observe();
      if (outcome.state === "done") return { value: outcome.value };
      throw outcome.value;
    },
    park(claim) {
      outcome.observe();
      outcome.park(claim);
    },
  };
}
