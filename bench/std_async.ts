/**
 * Finds `@std/async`, and others, as peers. They come from jsr.io only, so that
 * benchmarks leave them out where that cannot be reached.
 *
 * @module
 */

const LOAD_TIMEOUT_MS = 5000;

/** The part of `@std/async/delay` that benchmarks use. */
export interface StdDelay {
  delay(ms: number, options?: { signal?: AbortSignal }): Promise<void>;
}

/** The part of `@std/async/deadline` that benchmarks use. */
export interface StdDeadline {
  deadline<T>(promise: Promise<T>, ms: number): Promise<T>;
}

/** The part of `@std/async/retry` that benchmarks use. */
export interface StdRetry {
  retry<T>(fn: () => Promise<T>): Promise<T>;
}

/** The part of `@std/async/unstable-channel` that benchmarks use. */
export interface StdChannel {
  Channel: new <T>(options: { capacity: number }) => {
    send(value: T): Promise<void>;
    receive(): Promise<T>;
  };
}

/** The part of `@std/async/unstable-semaphore` that benchmarks use. */
export interface StdSemaphore {
  Semaphore: new (max: number) => {
    acquire(): Promise<Disposable>;
    release(): void;
  };
}

/** The part of `@std/streams/text-line-stream` that benchmarks use. */
export interface StdTextLineStream {
  TextLineStream: new () => ReadableWritablePair<string, string>;
}

type StdPath =
  | "@std/streams/text-line-stream"
  | "deadline"
  | "delay"
  | "retry"
  | "unstable-channel"
  | "unstable-semaphore";

let isNoted = false;
const modules = new Map<StdPath, Promise<unknown>>();

/** The cases of `@std/async`: none where it cannot be loaded, which is said. */
export async function stdCases<M, C>(
  path: StdPath,
  makeCases: (module: M) => C[],
): Promise<C[]> {
  let loading = modules.get(path);
  if (loading === undefined) {
    loading = load(path.startsWith("@std/") ? path : `@std/async/${path}`);
    modules.set(path, loading);
  }
  const module = await loading;
  return module === undefined ? [] : makeCases(module as M);
}

async function load(specifier: string): Promise<unknown> {
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timeout.resolve(undefined), LOAD_TIMEOUT_MS);
  let module: unknown;
  try {
    // A stand-in of ours would be no peer.
    if (import.meta.resolve(specifier).startsWith("jsr:")) {
      module = await Promise.race([import(specifier), timeout.promise]);
    }
  } catch {
    // It is said below.
  } finally {
    clearTimeout(timer);
  }
  if (module === undefined && !isNoted) {
    isNoted = true;
    console.error("note: @std is left out: jsr.io cannot be reached");
  }
  return module;
}
