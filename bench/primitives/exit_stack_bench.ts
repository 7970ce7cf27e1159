/**
 * What exits of a stack cost, each of which may wait, and is kept from being
 * cancelled.
 *
 * @module
 */
import { AsyncExitStack } from "@ilmek/async/exit-stack";
import { type Question, registerBenches } from "../question.ts";

const EXITS = 1000;

async function leaveOurs(items: number): Promise<void> {
  const stack = new AsyncExitStack();
  for (let i = 0; i < items; i++) stack.callback(() => {});
  await stack.aclose();
}

/** The limit: the stack of the platform, whose exits a cancellation cuts short. */
async function leaveNative(items: number): Promise<void> {
  const stack = new AsyncDisposableStack();
  for (let i = 0; i < items; i++) stack.defer(() => {});
  await stack.disposeAsync();
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  callbacks: {
    kind: "speed",
    group: "push and leave",
    items: EXITS,
    cases: [
      { name: "AsyncDisposableStack", kind: "limit", run: leaveNative },
      { name: "AsyncExitStack", kind: "ours", run: leaveOurs },
    ],
  },

  growth: {
    kind: "growth",
    group: "push and leave",
    cases: [
      { name: "AsyncDisposableStack", kind: "limit", run: leaveNative },
      { name: "AsyncExitStack", kind: "ours", run: leaveOurs },
    ],
  },
};

registerBenches(questions);
