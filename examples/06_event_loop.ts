/**
 * The loop: what it tells of itself, callbacks, timers, threads and signals.
 *
 * Run it: `deno run --allow-read examples/06_event_loop.ts`; with `--signals` at
 * the end it shows how to end by Ctrl+C.
 */
import { CancelledError } from "@ilmek/async/errors";
import type { Future } from "@ilmek/async/future";
import { gather } from "@ilmek/async/gather";
import {
  getRunningLoop,
  type LoopPolicy,
  setLoopPolicy,
} from "@ilmek/async/loop";
import { run } from "@ilmek/async/run";
import { onSignal } from "@ilmek/async/signals";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { currentThreadName, runInWorker } from "@ilmek/async/worker";
import { type Block, blockThread } from "./_block.ts";
import { repr, typeText } from "./_python.ts";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /** How the slow step blocks; virtual time needs a way of its own. */
  block?: Block;
  /**
   * The module that exports `asyncTaskInThread`.
   *
   * @default {import.meta.url, which is this one}
   */
  threadModule?: string;
}

export function getLoopInfo(): void {
  const loop = getRunningLoop();

  console.log(`Loop tipi: ${typeText(loop)}`);
  console.log(`Running: ${repr(loop.running)}`);
  console.log(`Closed: ${repr(loop.closed)}`);
  console.log(`Debug mode: ${repr(loop.debug)}`);
}

export function callbackFunction(future: Future<string>): void {
  console.log(`Callback çağrıldı! Sonuç: ${future.result()}`);
}

export async function callbackExample(): Promise<string> {
  const loop = getRunningLoop();

  const future = loop.createFuture<string>();
  future.addDoneCallback(callbackFunction);
  loop.callLater(1000, () => future.setResult("Tamamlandı!"));

  return await future;
}

export async function schedulingExample(): Promise<void> {
  const loop = getRunningLoop();

  const scheduledCallback = (name: string): void => {
    const seconds = (getRunningLoop().time() / 1000).toFixed(2);
    console.log(`[${seconds}] ${name} çağrıldı`);
  };

  loop.callSoon(scheduledCallback, "call_soon");
  loop.callLater(1000, scheduledCallback, "call_later (1s)");
  loop.callLater(2000, scheduledCallback, "call_later (2s)");
  loop.callAt(loop.time() + 3000, scheduledCallback, "call_at (3s)");

  await sleep(4000);
}

/**
 * Tells of each new loop.
 *
 * The guide's policy is never installed, so that nobody sees its line: here it is
 * put in force before the run, and taken back after it.
 */
export const customLoopPolicy: LoopPolicy = (makeDefault) => {
  const loop = makeDefault();
  console.log("Yeni event loop oluşturuldu");
  return loop;
};

/**
 * Works until SIGINT or SIGTERM comes.
 *
 * The guide's handler stops the loop, with which the program dies of an error.
 * Here `run` cancels its main function, which ends as it likes; a second signal
 * cuts its cleanup short. The handlers are gone when this function has ended.
 */
export async function signalHandlerExample(): Promise<void> {
  const handleSignal = (name: Deno.Signal): void => {
    console.log(`\nSignal alındı: ${name}`);
    console.log("Temiz kapanış yapılıyor...");
  };
  using _sigint = onSignal("SIGINT", handleSignal);
  using _sigterm = onSignal("SIGTERM", handleSignal);

  console.log("Ctrl+C ile programı durdurun...");

  try {
    for (;;) {
      await sleep(1000);
      console.log("Çalışıyor...");
    }
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    console.log("Task iptal edildi");
  }
}

/** Runs an async function of a module on a loop in a thread of its own. */
export async function runAsyncInThread<T>(
  module: string,
  name: string,
  args: Transferable[],
): Promise<T> {
  return await runInWorker<T>(module, name, args, {
    name: "AsyncThread",
    transfer: args,
  });
}

/** Runs in the thread; what it has to tell goes to `output`. */
export async function asyncTaskInThread(output: MessagePort): Promise<string> {
  output.postMessage(
    `Async task çalışıyor (thread: ${currentThreadName()})`,
  );
  await sleep(1000);
  return "Thread'den sonuç";
}

/**
 * Waits for a thread.
 *
 * The guide joins its thread, which blocks the loop for a second, and an error in
 * there is lost. Here others go on, and errors come out.
 */
export async function threadingExample(
  module: string = import.meta.url,
): Promise<void> {
  console.log(`Ana thread: ${currentThreadName()}`);

  const loop = getRunningLoop();
  const told = loop.createFuture<boolean>();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => {
    console.log(data);
    told.setResult(true);
  };
  // Nothing on the loop knows of the message: virtual time waits for it.
  using _hold = loop.hold("a message of the thread");
  try {
    const { result } = await gather({
      result: () =>
        runAsyncInThread<string>(module, "asyncTaskInThread", [port2]),
      told,
    });
    console.log(result);
  } finally {
    port1.close();
  }
}

/**
 * Finds a step that holds the loop.
 *
 * The guide's slow task only sleeps, which holds nobody, and its debug mode stays
 * on; besides, nobody calls it. Here the task does block, and the loop is left as
 * it was.
 */
export async function performanceMonitoring(block: Block): Promise<void> {
  const loop = getRunningLoop();
  const { debug, exceptionHandler } = loop;
  loop.debug = true;
  loop.exceptionHandler = ({ message }) => console.log(`Uyarı: ${message}`);

  const slowTask = async () => {
    await sleep(100); // Waits: this is not slow.
    block(200); // Holds the loop for longer than 100 ms: this is.
  };

  try {
    const task = createTask(slowTask, { name: "slow_task" });
    await task;
  } finally {
    loop.debug = debug;
    loop.exceptionHandler = exceptionHandler;
  }
}

export async function main(options: MainOptions = {}): Promise<void> {
  const { block = blockThread, threadModule } = options;
  console.log("=== Event Loop Info ===");
  getLoopInfo();

  console.log("\n=== Callback Example ===");
  const result = await callbackExample();
  console.log(`Sonuç: ${result}`);

  console.log("\n=== Scheduling Example ===");
  await schedulingExample();

  console.log("\n=== Threading Example ===");
  await threadingExample(threadModule);

  console.log("\n=== Performance Monitoring ===");
  await performanceMonitoring(block);
}

/** The part that ends by a signal only: it is run on demand. */
export async function signalMain(): Promise<void> {
  console.log("=== Signal Handler Example ===");
  await signalHandlerExample();
}

if (import.meta.main) {
  const restore = setLoopPolicy(customLoopPolicy);
  try {
    await run(Deno.args.includes("--signals") ? signalMain : () => main());
  } finally {
    restore();
  }
}
