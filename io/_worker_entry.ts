/**
 * The entry of a worker: runs one function on a loop of its own, and sends back
 * what comes of it.
 *
 * @module
 */
import { Runner } from "../primitives/runner.ts";
import { thread } from "./_thread.ts";
import { packThrown } from "./_wire_error.ts";
import { announceEnd, load } from "./_worker_functions.ts";
import type { WorkerAnswer, WorkerRequest } from "./_worker_messages.ts";

/** What of a worker's global scope is used here; the library has no types for it. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  postMessage(answer: WorkerAnswer): void;
}

type RunRequest = Extract<WorkerRequest, { kind: "run" }>;

const scope = globalThis as unknown as WorkerScope;
let runner: Runner | undefined;
let isToEnd = false;

scope.onmessage = ({ data }) => {
  if (data.kind === "run") start(data);
  else {
    isToEnd = true;
    scope.postMessage({ kind: "ending" });
    cancel();
  }
};

async function start(request: RunRequest): Promise<void> {
  const { target, args, debug } = request;
  thread.flag = new Int32Array(request.flag);
  announceEnd((by) => scope.postMessage({ kind: "closing", by }));
  try {
    const fn = await load(target);
    runner = new Runner({ debug });
    const running = runner.run(() => fn(...args));
    // The request to end may have come while the module was loaded.
    if (isToEnd) cancel();
    scope.postMessage({ kind: "value", value: await running });
  } catch (error) {
    scope.postMessage({ kind: "error", error: packThrown(error) });
  }
}

function cancel(): void {
  runner?.cancel("the one who waits for this thread was cancelled");
}
