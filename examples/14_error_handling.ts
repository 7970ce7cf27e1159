/**
 * Errors: where they come out, how they are kept and told, when work is tried
 * again, and what is cleaned up on the way.
 *
 * Run it: `deno run examples/14_error_handling.ts`
 */
import { withContext } from "@ilmek/async/context-manager";
import { gather } from "@ilmek/async/gather";
import { retry, type RetryEvent } from "@ilmek/async/retry";
import { run } from "@ilmek/async/run";
import { spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { leafErrors } from "@ilmek/async/task-group-error";
import { formatExc, repr } from "./_python.ts";

/** An error of this program, as Python has them. */
export class ValueError extends RangeError {
  static {
    this.prototype.name = "ValueError";
  }
}

/** A server that could not be reached. */
export class ConnectionError extends RangeError {
  static {
    this.prototype.name = "ConnectionError";
  }
}

/** An error of no particular kind. */
export class RuntimeError extends RangeError {
  static {
    this.prototype.name = "RuntimeError";
  }
}

export async function failingTask(taskId: number): Promise<string> {
  await sleep(500);
  if (taskId % 2 === 0) throw new ValueError(`Task-${taskId} başarısız!`);
  return `Task-${taskId} başarılı`;
}

export async function basicExceptionHandling(): Promise<void> {
  try {
    const result = await failingTask(2);
    console.log(result);
  } catch (error) {
    console.log(`Hata yakalandı: ${textOf(error)}`);
  }
}

/**
 * Fails with the first error, or takes each error for a result.
 *
 * In the guide the functions beside the one that fails go on, and nobody waits for
 * them. In a group they are cancelled, and gone before the error comes out.
 */
export async function gatherExceptionHandling(): Promise<void> {
  const functions = [1, 2, 3].map((id) => () => failingTask(id));

  console.log("=== return_exceptions=False ===");
  try {
    const results = await TaskGroup.all(functions);
    console.log(`Sonuçlar: ${repr(results)}`);
  } catch (error) {
    const [first] = leafErrors(error);
    console.log(`Gather exception: ${textOf(first)}`);
  }

  console.log("\n=== return_exceptions=True ===");
  const results = await gather(functions, { returnExceptions: true });

  for (const [i, result] of results.entries()) {
    if (result instanceof Error) {
      console.log(`Task ${i} hata: ${result.message}`);
    } else {
      console.log(`Task ${i} başarılı: ${result}`);
    }
  }
}

/**
 * A task that fails before it is awaited keeps its error.
 *
 * The guide looks at the task after a fixed time, and says nothing if it needs
 * longer: here it is awaited.
 */
export async function taskExceptionHandling(
  work: () => Promise<string> = () => failingTask(2),
): Promise<void> {
  const task = createTask(work);

  // The error is there before anybody waits for it.
  await sleep(1000);

  try {
    const result = await task;
    console.log(`Task sonucu: ${result}`);
  } catch (error) {
    console.log(`Task exception: ${textOf(error)}`);
  }
}

export async function loggedTask(taskId: number): Promise<string> {
  try {
    await sleep(500);
    if (taskId % 2 === 0) throw new ValueError(`Task-${taskId} hatası`);
    return `Task-${taskId} başarılı`;
  } catch (error) {
    console.log(`[ERROR] Task-${taskId}: ${textOf(error)}`);
    console.log(`[TRACE] ${formatExc(error, loggedTask)}`);
    throw error;
  }
}

export async function exceptionLogging(): Promise<void> {
  await gather([1, 2, 3].map((id) => () => loggedTask(id)), {
    returnExceptions: true,
  });
}

/** Options of {@linkcode retryAsync}. */
export interface RetryAsyncOptions {
  /**
   * How many attempts there are at most.
   *
   * @default {3}
   */
  maxRetries?: number;
  /**
   * How long to wait in between.
   *
   * @default {1000}
   */
  delayMs?: number;
}

/**
 * Tries again, and tells of each failure.
 *
 * The guide's tries again whatever went wrong, and with 0 attempts throws `None`.
 * The library's refuses 0, and does not repeat a mistake of the program.
 */
export function retryAsync<T>(
  fn: () => Promise<T>,
  options: RetryAsyncOptions = {},
): Promise<T> {
  const { maxRetries = 3, delayMs = 1000 } = options;
  const tell = ({ attempt, error }: RetryEvent) => {
    console.log(`Deneme ${attempt}/${maxRetries} başarısız: ${textOf(error)}`);
  };
  return retry(fn, {
    attempts: maxRetries,
    schedule: spaced(delayMs),
    throwLast: true,
    onRetry: tell,
    onGiveUp: tell,
  });
}

/** An operation that fails 7 times out of 10. */
export async function unreliableOperation(
  random: () => number = Math.random,
): Promise<string> {
  await sleep(500);
  if (random() < 0.7) throw new ConnectionError("Bağlantı hatası!");
  return "Başarılı!";
}

export async function retryExample(random?: () => number): Promise<void> {
  try {
    const result = await retryAsync(() => unreliableOperation(random), {
      maxRetries: 5,
      delayMs: 500,
    });
    console.log(`Sonuç: ${result}`);
  } catch (error) {
    console.log(`Tüm denemeler başarısız: ${textOf(error)}`);
  }
}

export async function level3(): Promise<void> {
  await sleep(100);
  throw new RuntimeError("Level 3 hatası!");
}

export async function level2(): Promise<void> {
  await sleep(100);
  await level3();
}

export async function level1(): Promise<void> {
  await sleep(100);
  await level2();
}

export async function exceptionPropagation(): Promise<void> {
  try {
    await level1();
  } catch (error) {
    console.log(`Exception yakalandı: ${textOf(error)}`);
    console.log(`Traceback:\n${formatExc(error, exceptionPropagation)}`);
  }
}

/**
 * A resource that is released however its use ends.
 *
 * In the guide a cancellation that comes during the release cuts it short, and the
 * resource stays acquired for ever. What `withContext` calls at the end is not cut
 * short.
 */
export class AsyncResource {
  readonly name: string;
  acquired = false;

  constructor(name: string) {
    this.name = name;
  }

  async acquire(): Promise<void> {
    console.log(`[${this.name}] Kaynak alınıyor...`);
    await sleep(500);
    this.acquired = true;
    console.log(`[${this.name}] Kaynak alındı`);
  }

  async release(): Promise<void> {
    if (!this.acquired) return;
    console.log(`[${this.name}] Kaynak serbest bırakılıyor...`);
    await sleep(200);
    this.acquired = false;
    console.log(`[${this.name}] Kaynak serbest bırakıldı`);
  }

  /** Acquires the resource, and calls what leaves it with what came of its use. */
  async enter(): Promise<
    {
      value: AsyncResource;
      exit: (failure?: { error: unknown }) => Promise<boolean>;
    }
  > {
    await this.acquire();
    return {
      value: this,
      exit: async (failure) => {
        await this.release();
        if (failure !== undefined) {
          const { name } = failure.error as Error;
          console.log(`[${this.name}] Exception ile çıkış: ${name}`);
        }
        return false;
      },
    };
  }
}

export async function cleanupExample(): Promise<void> {
  try {
    await withContext(new AsyncResource("DB Connection"), async () => {
      console.log("İşlem yapılıyor...");
      await sleep(500);
      throw new ValueError("İşlem hatası!");
    });
  } catch (error) {
    console.log(`Hata yakalandı: ${textOf(error)}`);
  }
}

/** Options of {@linkcode main}. */
export interface MainOptions {
  /** Where random numbers from 0 to 1 come from. */
  random?: () => number;
}

export async function main(options: MainOptions = {}): Promise<void> {
  console.log("=== Basic Exception Handling ===");
  await basicExceptionHandling();

  console.log("\n=== Gather Exception Handling ===");
  await gatherExceptionHandling();

  console.log("\n=== Task Exception Handling ===");
  await taskExceptionHandling();

  console.log("\n=== Exception Logging ===");
  await exceptionLogging();

  console.log("\n=== Retry Pattern ===");
  await retryExample(options.random);

  console.log("\n=== Exception Propagation ===");
  await exceptionPropagation();

  console.log("\n=== Cleanup Example ===");
  await cleanupExample();
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) await run(() => main());
