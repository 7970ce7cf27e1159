import type { WorkerTarget } from "./_worker_messages.ts";

/** A function that a worker runs. */
export type AnyFunction = (...args: readonly unknown[]) => unknown;

/** Makes the function that a worker is to run. */
export async function load(target: WorkerTarget): Promise<AnyFunction> {
  if (target.kind === "source") return await evaluate(target.source);
  const { module, name } = target;
  const exported = await import(module) as { [name: string]: unknown };
  const fn = exported[name];
  if (typeof fn === "function") return fn as AnyFunction;
  throw new TypeError(
    `Cannot run "${name}" in a worker: "${module}" does not export a function of that name`,
  );
}

/**
 * Calls `tell` before a worker ends itself: nothing tells the other side of a
 * worker that does so.
 */
export function announceEnd(tell: (by: string) => void): void {
  const scope = globalThis as unknown as { close(): void };
  const { close } = scope;
  const { exit } = Deno;
  scope.close = () => {
    tell("close()");
    close.call(scope);
  };
  Deno.exit = (code): never => {
    tell(`Deno.exit(${code ?? ""})`);
    return exit(code);
  };
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
