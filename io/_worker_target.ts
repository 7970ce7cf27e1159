import { checkFunction, show } from "../_internal/check.ts";
import type { WorkerTarget } from "./_worker_messages.ts";

/** The export of a module as a target. */
export function exportTarget(
  module: string | URL,
  name: string,
): WorkerTarget {
  return { kind: "export", module: moduleUrl(module), name };
}

/** The URL of a module that is to be run in a worker. */
export function moduleUrl(module: string | URL): string {
  const url = URL.parse(String(module));
  if (url !== null) return url.href;
  throw new TypeError(
    `Cannot run in a worker as "module" must be a URL, such as import.meta.resolve("./work.ts"): current value is ${
      show(module)
    }`,
  );
}

/** A function that stands for itself as a target: its source. */
export function sourceTarget(fn: unknown): WorkerTarget {
  checkFunction(fn, "run in a thread");
  const source = Function.prototype.toString.call(fn);
  if (/\{\s*\[native code\]\s*\}$/.test(source)) {
    throw new TypeError(
      `Cannot run in a thread as "fn" must have a source: current value is a native or bound ${
        show(fn)
      }`,
    );
  }
  return { kind: "source", source };
}
