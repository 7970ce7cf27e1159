/**
 * Changes of files and folders, gathered until there is a moment of rest.
 *
 * It needs the permission `read` for what is watched.
 *
 * ```ts ignore
 * import { watchFiles } from "@ilmek/async/watch-files";
 *
 * for await (const changes of watchFiles("src")) {
 *   for (const { kind, path } of changes) console.log(kind, path);
 * }
 * ```
 *
 * @module
 */
import { type Duration, show, toMs } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { listen } from "../_internal/signal.ts";
import { abortable } from "../primitives/checkpoint.ts";
import { Lock } from "../primitives/lock.ts";
import { getRunningLoop } from "../primitives/loop.ts";
import { currentSignal } from "../primitives/scope.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { fileErrorOf } from "./_file_errors.ts";

export type { Duration } from "../_internal/check.ts";

/** Options of {@linkcode watchFiles}. */
export interface WatchFilesOptions {
  /**
   * Whether folders are watched with all that is below them.
   *
   * @default {true}
   */
  recursive?: boolean;
  /**
   * How long nothing must happen before changes are given.
   *
   * @default {100}
   */
  debounceMs?: Duration;
  /**
   * How long changes are held back at most, although there is no rest.
   *
   * @default {2000}
   */
  maxDelayMs?: Duration;
  /** Ends the watching when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** What has happened to a file or a folder. */
export interface FileChange {
  /** What has become of it since the last changes that were given. */
  readonly kind: "create" | "modify" | "remove";
  /** Its path. */
  readonly path: string;
}

/** Changes, as they come. Each time one or more, at most one for each path. */
export interface FileWatch
  extends AsyncIterableIterator<readonly FileChange[]>, AsyncDisposable {
  /** Waits for the next changes. */
  next(): Promise<IteratorResult<readonly FileChange[], undefined>>;
  /** Ends the watching. `break` calls it. */
  return(): Promise<IteratorResult<readonly FileChange[], undefined>>;
  /** Gives itself. */
  [Symbol.asyncIterator](): FileWatch;
  /** Ends the watching. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Watches files and folders.
 *
 * It begins at once: what happens after the call is not missed, even if nobody waits
 * for it yet. What is only read does not count. What comes and goes between two
 * changes that are given is left out; what is removed and made again was modified; a
 * file that is moved to a path was created there, also if it replaces another. The
 * watching ends with its scope, with `break`, or when an error comes.
 *
 * @param paths What is watched; it must be there.
 * @param options Additional options.
 * @returns The changes. Their `next` throws the `CancelledError` of the ambient
 * scope, and with it the watching has ended.
 * @throws {TypeError} If there is no path.
 * @throws {FileNotFoundError} If a path is not there.
 * @throws {RangeError} If a duration is negative or not a number.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Wait until a file is there
 * ```ts
 * import { makeTempDir } from "@ilmek/async/temp";
 * import { watchFiles } from "@ilmek/async/watch-files";
 * import { assertEquals } from "@std/assert";
 *
 * await using folder = await makeTempDir();
 * await using watch = watchFiles(folder.path, { debounceMs: 5 });
 * await Deno.writeTextFile(`${folder.path}/ready`, "yes");
 *
 * const { value } = await watch.next();
 * assertEquals(value?.map(({ kind }) => kind), ["create"]);
 * ```
 */
export function watchFiles(
  paths: string | readonly string[],
  options: WatchFilesOptions = {},
): FileWatch {
  const { recursive = true, signal } = options;
  const { debounceMs = 100, maxDelayMs = 2000 } = options;
  const list = typeof paths === "string" ? [paths] : [...paths];
  if (list.length === 0) {
    throw new TypeError(
      `Cannot watch files as "paths" must name one or more: current value is ${
        show(paths)
      }`,
    );
  }
  const restMs = toMs(debounceMs, "watch files", "debounceMs");
  const delayMs = toMs(maxDelayMs, "watch files", "maxDelayMs");
  const { struck } = currentFrame().scope.live();
  if (struck !== undefined) throw struck;
  signal?.throwIfAborted();
  try {
    const native = Deno.watchFs(list, { recursive });
    return new NativeWatch(native, { restMs, delayMs, signal });
  } catch (error) {
    throw fileErrorOf(error, "watch", list.join(", "));
  }
}

interface WatchPlan {
  readonly restMs: number;
  readonly delayMs: number;
  readonly signal: AbortSignal | undefined;
}

type Step = IteratorResult<Deno.FsEvent, unknown>;

const OVER: IteratorReturnResult<undefined> = { done: true, value: undefined };

class NativeWatch implements FileWatch {
  readonly #native: Deno.FsWatcher;
  readonly #steps: AsyncIterator<Deno.FsEvent>;
  readonly #plan: WatchPlan;
  /** What the system will say next. */
  #coming: Promise<Step> | undefined;
  readonly #changes = new Map<string, FileChange["kind"] | "none">();
  /** One call of `next` after the other gathers changes. */
  readonly #lock = new Lock();
  readonly #unlisten: () => void;
  #closed = false;

  constructor(native: Deno.FsWatcher, plan: WatchPlan) {
    this.#native = native;
    this.#unlisten = listen(currentSignal(), () => this.#close());
    this.#steps = native[Symbol.asyncIterator]();
    this.#plan = plan;
  }

  async next(): Promise<IteratorResult<readonly FileChange[], undefined>> {
    const { signal } = this.#plan;
    try {
      return await this.#lock.run(
        () => this.#gather(),
        signal === undefined ? {} : { signal },
      );
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  return(): Promise<IteratorResult<readonly FileChange[], undefined>> {
    this.#close();
    return Promise.resolve(OVER);
  }

  [Symbol.asyncIterator](): FileWatch {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  async #gather(): Promise<
    IteratorResult<readonly FileChange[], undefined>
  > {
    for (;;) {
      if (this.#closed) return OVER;
      if (this.#changes.size === 0 && !await this.#take(Infinity)) return OVER;
      await this.#rest();
      const changes = this.#takeChanges();
      if (changes.length > 0) return { done: false, value: changes };
    }
  }

  /** Goes on until nothing has happened for a while. */
  async #rest(): Promise<void> {
    const { restMs, delayMs } = this.#plan;
    const loop = getRunningLoop();
    const limit = loop.time() + delayMs;
    for (;;) {
      const ms = Math.min(restMs, limit - loop.time());
      if (ms <= 0 || !await this.#take(ms)) return;
    }
  }

  /** Takes what the system says next; `false` if it says nothing in that time. */
  async #take(ms: number): Promise<boolean> {
    const coming = this.#coming ??= this.#steps.next();
    const { signal } = this.#plan;
    const options = signal === undefined ? {} : { signal };
    const got = ms === Infinity
      ? await abortable(coming, options)
      : await this.#within(ms, coming, options);
    if (got === undefined) return false;
    this.#coming = undefined;
    if (got.done) return false;
    for (const path of got.value.paths) await this.#note(got.value.kind, path);
    return true;
  }

  async #within(
    ms: number,
    coming: Promise<Step>,
    { signal }: { signal?: AbortSignal },
  ): Promise<Step | undefined> {
    // A future does not hold the loop: time goes on while nothing happens.
    const seen = getRunningLoop().createFuture<Step>();
    const fail = (error: unknown) => seen.done || seen.setException(error);
    coming.then((step) => seen.done || seen.setResult(step), fail);
    const unlisten = signal && listen(signal, fail);
    try {
      return (await moveOnAfter(ms, () => seen)).value;
    } finally {
      unlisten?.();
      // What comes later is for the next call.
      seen.cancel();
    }
  }

  async #note(kind: string, path: string): Promise<void> {
    const now = await this.#kindOf(kind, path);
    if (now === undefined) return;
    const before = this.#changes.get(path);
    this.#changes.set(path, before === undefined ? now : merge(before, now));
  }

  async #kindOf(
    kind: string,
    path: string,
  ): Promise<FileChange["kind"] | undefined> {
    if (kind === "create" || kind === "modify" || kind === "remove") {
      return kind;
    }
    if (kind !== "rename") return undefined;
    // The system does not say which of the names it is.
    try {
      await abortable(Deno.lstat(path));
      return "create";
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "remove";
      throw error;
    }
  }

  #takeChanges(): readonly FileChange[] {
    const changes: FileChange[] = [];
    for (const [path, kind] of this.#changes) {
      if (kind !== "none") changes.push({ kind, path });
    }
    this.#changes.clear();
    return changes;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unlisten();
    this.#coming?.catch(() => {});
    this.#native.close();
  }
}

/** What two changes, one after the other, come to. */
function merge(
  before: FileChange["kind"] | "none",
  now: FileChange["kind"],
): FileChange["kind"] | "none" {
  if (before === "none") return now === "remove" ? "none" : "create";
  if (before === "create") return now === "remove" ? "none" : "create";
  if (before === "remove") return now === "remove" ? "remove" : "modify";
  return now === "create" ? "modify" : now;
}
