/**
 * The functions of the guide's example 14, as the guide has them; see guide.ts.
 *
 * @module
 */
import { gather } from "@ilmek/async/gather";
import { retry, type RetryEvent } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Example } from "./guide.ts";
import { ScenarioError, type Tracer, valueError } from "./harness.ts";

/** Example 14: errors. */
export class Example14 extends Example {
  async failingTask(id: number): Promise<string> {
    await sleep(500);
    if (id % 2 === 0) throw valueError(`Task-${id} başarısız!`);
    return `Task-${id} başarılı`;
  }

  async basicExceptionHandling(): Promise<void> {
    try {
      const result = await this.failingTask(2);
      this.print(result);
    } catch (error) {
      this.print(`Hata yakalandı: ${textOf(error)}`);
    }
  }

  async gatherExceptionHandling(): Promise<void> {
    this.print("=== return_exceptions=False ===");
    const tasks = () => [1, 2, 3].map((id) => () => this.failingTask(id));
    try {
      const results = await gather(tasks());
      this.print(`Sonuçlar: ${results}`);
    } catch (error) {
      this.print(`Gather exception: ${textOf(error)}`);
    }

    this.print("=== return_exceptions=True ===");
    const results = await gather(tasks(), { returnExceptions: true });

    for (const [i, result] of results.entries()) {
      if (result instanceof Error) {
        this.print(`Task ${i} hata: ${result.message}`);
      } else {
        this.print(`Task ${i} başarılı: ${result}`);
      }
    }
  }

  /** What is not done after a fixed time is dropped, as in the guide. */
  async taskExceptionHandling(): Promise<void> {
    const task = createTask(() => this.failingTask(2));

    await sleep(1000);

    if (!task.done) return;
    try {
      this.print(`Task sonucu: ${task.result()}`);
    } catch (error) {
      this.print(`Task exception: ${textOf(error)}`);
    }
  }

  /** The guide's retry in terms of the library's. */
  retryAsync<T>(
    fn: () => Promise<T>,
    maxRetries = 3,
    delayMs = 1000,
  ): Promise<T> {
    const tell = ({ attempt, error }: RetryEvent) => {
      this.print(`Deneme ${attempt}/${maxRetries} başarısız: ${textOf(error)}`);
    };
    return retry(fn, {
      attempts: maxRetries,
      schedule: spaced(delayMs),
      isRetriable: () => true,
      throwLast: true,
      onRetry: tell,
      onGiveUp: tell,
    });
  }

  async level3(): Promise<void> {
    await sleep(100);
    throw new ScenarioError("RuntimeError", "Level 3 hatası!");
  }

  async level2(): Promise<void> {
    await sleep(100);
    await this.level3();
  }

  async level1(): Promise<void> {
    await sleep(100);
    await this.level2();
  }
}

/** A function that fails so many times, and then gives "ok". */
export function flaky(
  t: Tracer,
  failures: number,
  kind = "ConnectionError",
): () => Promise<string> {
  let calls = 0;
  // deno-lint-ignore require-await -- Its errors are rejections.
  return async () => {
    calls++;
    t("f:try", calls);
    if (calls <= failures) throw new ScenarioError(kind, `e${calls}`);
    return "ok";
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
