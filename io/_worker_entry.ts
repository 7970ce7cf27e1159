/**
 * The entry of a worker: runs one function on a loop of its own, and sends back
 * what comes of it.
 *
 * @module
 */
import { Runner } from "../primitives/runner.ts";
import { thread } from "./_thread.ts";
import { packThrown } from "./_wire_error.ts";
import type {
  WorkerAnswer,
  WorkerRequest,
  WorkerTarget,
} from "./_worker_messages.ts";

/** What of a worker's global scope is used here; the library has no types for it. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  close(): void;
  postMessage(answer: WorkerAnswer): void;
}

type RunRequest = Extract<WorkerRequest, { kind: "run" }>;
type AnyFunction = (...args: readonly unknown[]) => unknown;

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
  announceEnd();
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

/** Nothing tells the other side of a worker that closes itself: we do. */
function announceEnd(): void {
  const { close } = scope;
  const { exit } = Deno;
  scope.close = () => {
    scope.postMessage({ kind: "closing", by: "close()" });
    close.call(scope);
  };
  Deno.exit = (code): never => {
    scope.postMessage({ kind: "closing", by: `Deno.exit(${code ?? ""})` });
    return exit(code);
  };
}

async function load(target: WorkerTarget): Promise<AnyFunction> {
  if (target.kind === "source") return await evaluate(target.source);
  const { module, name } = target;
  const exported = await import(module) as { [name: string]: unknown };
  const fn = exported[name];
  if (typeof fn === "function") return fn as AnyFunction;
  throw new TypeError(
    `Cannot run "${name}" in a worker: "${module}" does not export a function of that name`,
  );
}

async function evaluate(source: string): Promise<AnyFunction> {
  const url = URL.createObjectURL(
    new Blob([`export default (${source}\n);`], { type: "text/javascript" }),
  );
  try {
    return (await import(url)).default;
  } catch (cause) {
    // Nothing runs yet: only the source can be the reason.
    throw new TypeError(
      "Cannot run the function in a worker: its source does not stand for itself",
      { cause },
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}
