/**
 * Tests in virtual time that fail if something is left behind.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { assertNoLeaks } from "@ilmek/async/assert-no-leaks";
import { type ExceptionContext, Loop } from "@ilmek/async/loop";
import {
  runVirtual,
  type VirtualLoop,
  type VirtualLoopOptions,
} from "@ilmek/async/virtual";
import { currentFrame } from "../_internal/frame.ts";
import { leftoversBeside, leftoversOf } from "../testing/_leftovers.ts";

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
      await assertNoLeaks();
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
  return labelsOf(leftoversBeside(currentFrame()));
}

/** What is left on a virtual loop whose run has ended. */
export function leftoversAfter({ loop }: VirtualLoop): string[] {
  return labelsOf(leftoversOf(Loop.coreOf(loop)));
}

function labelsOf(left: ReturnType<typeof leftoversOf>): string[] {
  return [...left.values()].map(({ label }) => label);
}

function messagesOf(reports: readonly ExceptionContext[]): string[] {
  return reports.map(({ message }) => message);
}
