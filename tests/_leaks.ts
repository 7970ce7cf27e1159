/**
 * Tests in virtual time that fail if something is left behind.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type ExceptionContext, Loop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import {
  runVirtual,
  type VirtualLoop,
  type VirtualLoopOptions,
} from "@ilmek/async/virtual";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";

/** What a test of {@linkcode testClean} receives. */
export interface CleanTest {
  readonly virtual: VirtualLoop;
  /** What went to the exception handler. A test takes out what it expects. */
  readonly reports: ExceptionContext[];
}

/**
 * Registers a test that runs in virtual time. It fails if at its end a timer, a
 * scope, a task, a wait or a hold is left, or a report that it did not take out.
 */
export function testClean(
  name: string,
  fn: (test: CleanTest) => unknown,
  options: VirtualLoopOptions = {},
): void {
  Deno.test(name, async () => {
    const reports: ExceptionContext[] = [];
    const exceptionHandler = (context: ExceptionContext): void => {
      reports.push(context);
    };
    await runVirtual(async (virtual) => {
      await fn({ virtual, reports });
      // What was cancelled last is given a turn to go.
      await sleep(0);
      assertEquals(leftovers(), [], "Something is left behind");
    }, { exceptionHandler, ...options });
    assertEquals(messagesOf(reports), [], "Something was reported");
  });
}

/** Takes out all reports, and gives their messages. */
export function takeMessages(reports: ExceptionContext[]): string[] {
  return messagesOf(reports.splice(0));
}

/** What is left on the running loop, besides the task that asks. */
export function leftovers(): string[] {
  const { loop, scope } = currentFrame();
  return leftoversOf(loop).filter((line) => line !== `scope "${scope.title}"`);
}

/** What is left on a virtual loop whose run has ended. */
export function leftoversAfter({ loop }: VirtualLoop): string[] {
  return leftoversOf(Loop.coreOf(loop));
}

function leftoversOf(loop: EventLoop): string[] {
  const left: string[] = [];
  for (const scope of [loop.root, ...loop.root.descendants()]) {
    if (scope !== loop.root) left.push(`scope "${scope.title}"`);
    for (const claim of scope.claims()) left.push(claim.label);
  }
  if (loop.timers.busy > 0) left.push(`${loop.timers.busy} timers`);
  return [...left, ...holdsOf(loop).map((what) => `a hold: ${what}`)];
}

function holdsOf(loop: EventLoop): string[] {
  const { observer } = loop;
  let held: string[] = [];
  loop.observer = {
    parked: () => {},
    unparked: () => {},
    started: () => {},
    ended: () => {},
    held: (holds) => held = [...holds].map(({ what }) => what),
  };
  // The observer is told of all holds, whenever one comes or goes.
  loop.hold("a look at the holds")();
  loop.observer = observer;
  return held;
}

function messagesOf(reports: readonly ExceptionContext[]): string[] {
  return reports.map(({ message }) => message);
}
