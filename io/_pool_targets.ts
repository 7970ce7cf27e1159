import type { PoolTarget } from "./_pool_call.ts";
import type { WorkerTarget } from "./_worker_messages.ts";
import { exportTarget, moduleUrl, sourceTarget } from "./_worker_target.ts";

/** What a pool can run, numbered: a thread is told what a number means once. */
export class PoolTargets {
  readonly #byFunction = new WeakMap<object, PoolTarget>();
  readonly #bySource = new Map<string, PoolTarget>();

  /** The target behind a function: an export of a module, or its source. */
  of(fn: unknown): PoolTarget {
    const known = typeof fn === "function"
      ? this.#byFunction.get(fn)
      : undefined;
    if (known !== undefined) return known;
    const target = sourceTarget(fn);
    const { name } = fn as { name: string };
    const made = this.#number(target, name === "" ? "a function" : name);
    this.#byFunction.set(fn as object, made);
    return made;
  }

  /** The functions of a module, each made when it is asked for. */
  proxy(
    module: string | URL,
    call: (fn: unknown, args: readonly unknown[]) => Promise<unknown>,
  ): object {
    const url = moduleUrl(module);
    const made = new Map<string, unknown>();
    return new Proxy({}, {
      get: (_, name) => {
        // A proxy that has a "then" would be taken for a promise.
        if (typeof name === "symbol" || name === "then") return undefined;
        const known = made.get(name);
        if (known !== undefined) return known;
        const fn = (...args: unknown[]): Promise<unknown> => call(fn, args);
        const target = this.#number(exportTarget(url, name), name);
        this.#byFunction.set(fn, target);
        made.set(name, fn);
        return fn;
      },
    });
  }

  #number(target: WorkerTarget, name: string): PoolTarget {
    const key = target.kind === "source"
      ? target.source
      : `${target.module} ${target.name}`;
    const known = this.#bySource.get(key);
    if (known !== undefined) return known;
    const made = { id: this.#bySource.size, target, name };
    this.#bySource.set(key, made);
    return made;
  }
}
