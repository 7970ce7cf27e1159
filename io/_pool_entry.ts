/**
 * The entry of a thread of a pool: runs one call after the other on a loop of its
 * own, and sends back what comes of each.
 *
 * @module
 */
import { Ring } from "../_internal/ring.ts";
import { getRunningLoop, type Loop } from "../primitives/loop.ts";
import { Runner } from "../primitives/runner.ts";
import { allTasks, createTask, type Task } from "../primitives/task.ts";
import { wait } from "../primitives/wait.ts";
import {
  type PoolAnswer,
  type PoolCallEnd,
  type PoolCallMessage,
  type PoolRequest,
  RUNNING,
  SLOTS,
  WAITING,
} from "./_pool_messages.ts";
import { thread } from "./_thread.ts";
import { packThrown } from "./_wire_error.ts";
import { announceEnd, type AnyFunction, load } from "./_worker_functions.ts";

/** What of a worker's global scope is used here; the library has no types for it. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<PoolRequest>) => void) | null;
  postMessage(answer: PoolAnswer, transfer?: Transferable[]): void;
}

/** How long a call may take to end what it has left behind. */
const LEFTOVERS_MS = 5000;

const scope = globalThis as unknown as WorkerScope;
const functions = new Map<number, AnyFunction>();
const calls = new Ring<PoolCallMessage>();
let states: Int32Array = new Int32Array(0);
let flags: readonly Int32Array[] = [];
let tellsHeap = false;
let wake: () => void = () => {};
/** The call that runs, and whether it is to end. */
let current: { slot: number; task: Task<unknown> | undefined } | undefined;
let cancelledSlot: number | undefined;

scope.onmessage = ({ data }) => {
  if (isCalls(data)) {
    for (const call of data) calls.push(call);
    wake();
  } else if (data.kind === "boot") boot(data);
  else if (data.kind === "cancel") cancel(data.slot);
  else scope.postMessage({ kind: "pong" });
};

function isCalls(data: PoolRequest): data is readonly PoolCallMessage[] {
  return Array.isArray(data);
}

async function boot(
  request: Extract<PoolRequest, { kind: "boot" }>,
): Promise<void> {
  states = new Int32Array(request.flags, 0, SLOTS);
  flags = Array.from(
    { length: SLOTS },
    (_, slot) =>
      new Int32Array(
        request.flags,
        (SLOTS + slot) * Int32Array.BYTES_PER_ELEMENT,
        1,
      ),
  );
  tellsHeap = request.tellsHeap;
  announceEnd((by) => scope.postMessage({ kind: "closing", by }));
  try {
    for (const module of request.preload) await import(module);
  } catch (error) {
    scope.postMessage({ kind: "unready", error: packThrown(error) });
    return;
  }
  scope.postMessage({ kind: "ready" });
  await new Runner({ debug: request.debug }).run(serve);
}

/** Runs calls for ever: the pool terminates the thread. */
async function serve(): Promise<never> {
  const [main] = allTasks();
  const loop = getRunningLoop();
  for (;;) {
    const call = calls.shift();
    if (call === undefined) {
      await new Promise<void>((resolve) => wake = resolve);
    } else await run(call, main, loop);
  }
}

async function run(
  call: PoolCallMessage,
  main: Task<unknown> | undefined,
  loop: Loop,
): Promise<void> {
  const [slot, target, args, define] = call;
  // The definition must not get lost with a call that was taken back.
  const isMine = Atomics.compareExchange(states, slot, WAITING, RUNNING) ===
    WAITING;
  if (!isMine && define === undefined) {
    return scope.postMessage({ kind: "skipped", slot });
  }
  const start = loop.time();
  const ended = (): PoolCallEnd => [
    slot,
    loop.time() - start,
    tellsHeap ? Deno.memoryUsage().heapUsed : 0,
  ];
  thread.flag = flags[slot];
  current = { slot, task: undefined };
  try {
    let fn = functions.get(target);
    if (fn === undefined && define !== undefined) {
      fn = await load(define);
      functions.set(target, fn);
    }
    if (!isMine) return scope.postMessage({ kind: "skipped", slot });
    const task = createTask(() => fn?.(...args));
    current.task = task;
    if (cancelledSlot === slot) cancel(slot);
    const value = await task;
    await endLeftovers(main);
    const answer: PoolAnswer = [value, ...ended()];
    const transfer = transfersOf(value);
    // With a list, even an empty one, the platform takes a slower way.
    if (transfer === undefined) scope.postMessage(answer);
    else scope.postMessage(answer, [...transfer]);
  } catch (error) {
    await endLeftovers(main);
    scope.postMessage(
      isMine
        ? { kind: "error", error: packThrown(error), end: ended() }
        : { kind: "skipped", slot },
    );
  } finally {
    current = undefined;
    cancelledSlot = undefined;
    thread.flag = undefined;
  }
}

function cancel(slot: number): void {
  if (current?.slot !== slot) return;
  cancelledSlot = slot;
  scope.postMessage({ kind: "ending", slot });
  current.task?.cancel("the one who waits for this call was cancelled");
}

/** Ends the tasks that a call has left: they must not run into the next one. */
async function endLeftovers(main: Task<unknown> | undefined): Promise<void> {
  const tasks = allTasks();
  if (tasks.size <= 1) return;
  const left = [...tasks].filter((task) => task !== main);
  for (const task of left) task.cancel("the call has ended");
  await wait(left, { timeoutMs: LEFTOVERS_MS });
}

function transfersOf(value: unknown): readonly Transferable[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return thread.transfers.get(value);
}
