/**
 * Stages that work on a stream of items at the same time.
 *
 * ```ts
 * import { pipeline } from "@ilmek/async/pipeline";
 *
 * await pipeline([1, 2, 3])
 *   .map((id) => Promise.resolve(`user ${id}`), { concurrency: 2 })
 *   .to((user) => console.log(user));
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { listen } from "../_internal/signal.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { Queue } from "../primitives/queue.ts";
import { createTask } from "../primitives/task.ts";
import { leafErrors, TaskGroupError } from "../primitives/task_group_error.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { Pipe } from "./_pipe.ts";
import {
  batchStage,
  mapStage,
  runTogether,
  type Stage,
  type StageResult,
} from "./_stages.ts";

export type { Duration } from "../_internal/check.ts";

/** Options of {@linkcode Pipeline.map} and its kin. */
export interface PipelineStageOptions<T> {
  /**
   * How many items the stage works on at once.
   *
   * @default {1}
   */
  concurrency?: number;
  /**
   * Whether results keep the order of their items. As many as `concurrency` and
   * `capacity` allow are kept back for that.
   *
   * @default {true}
   */
  ordered?: boolean;
  /**
   * How many results may wait for the next stage; then this one waits.
   *
   * @default {the concurrency}
   */
  capacity?: number;
  /**
   * Called if the stage fails for an item, which is left out then. Without it an
   * error ends the pipeline.
   */
  onError?: (error: unknown, item: T) => void;
}

/** Options of {@linkcode Pipeline.batch}. */
export interface PipelineBatchOptions {
  /**
   * How long a batch may wait for more, from its first item on.
   *
   * @default {Infinity}
   */
  maxWaitMs?: Duration;
}

/** Options of the methods that run a {@linkcode Pipeline}. */
export interface PipelineRunOptions {
  /** Ends the pipeline when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Where items come from. */
export type PipelineSource<T> =
  | Iterable<T>
  | AsyncIterable<T>
  | ReadableStream<T>;

/** Where items go: a function that is called for each, or a stream. */
export type PipelineSink<T> = ((item: T) => unknown) | WritableStream<T>;

/**
 * Begins a pipeline.
 *
 * @typeParam T The type of the items.
 * @param source Where they come from.
 * @returns A pipeline without stages. It does nothing before it is run.
 * @throws {TypeError} If `source` is not iterable.
 *
 * @example Load in parallel, and write in order
 * ```ts
 * import { pipeline } from "@ilmek/async/pipeline";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const written: string[][] = [];
 * await pipeline([3, 1, 2])
 *   .map((ms) => sleep(ms, { value: `page ${ms}` }), { concurrency: 3 })
 *   .batch(2)
 *   .to((pages) => written.push(pages));
 *
 * assertEquals(written, [["page 3", "page 1"], ["page 2"]]);
 * ```
 */
export function pipeline<T>(source: PipelineSource<T>): Pipeline<T> {
  return new Pipeline<T>(source);
}

/**
 * A source of items, and the stages that they go through.
 *
 * Every stage works at the same time as the others. No stage runs ahead of the next
 * by more than its `capacity`, so that a slow end holds the source back. An error in
 * a stage cancels all of them and closes the source, which is waited for. A pipeline
 * is not changed by its methods: each gives a new one.
 *
 * @typeParam T The type of the items at its end.
 *
 * @example Leave out what fails
 * ```ts
 * import { pipeline } from "@ilmek/async/pipeline";
 * import { assertEquals } from "@std/assert";
 *
 * const failed: string[] = [];
 * const parsed = await pipeline(["1", "{", "2"])
 *   .map((text) => JSON.parse(text), { onError: (_, text) => failed.push(text) })
 *   .toArray();
 *
 * assertEquals(parsed, [1, 2]);
 * assertEquals(failed, ["{"]);
 * ```
 */
export class Pipeline<T> implements AsyncIterable<T> {
  readonly #source: PipelineSource<unknown>;
  #stages: readonly Stage[] = [];

  /** Creates a pipeline; `pipeline()` is the form to use. */
  constructor(source: PipelineSource<T>) {
    checkSource(source);
    this.#source = source;
  }

  /**
   * Adds a stage that makes one item of each.
   *
   * @typeParam U What `fn` makes.
   * @param fn What to call for each item.
   * @param options Additional options.
   * @returns The pipeline with the stage.
   */
  map<U>(
    fn: (item: T) => U | PromiseLike<U>,
    options: PipelineStageOptions<T> = {},
  ): Pipeline<U> {
    checkFunction(fn, "add a stage");
    return this.#withEach<U>(
      "map",
      async (item) => ({ item: await fn(item as T) }),
      options,
    );
  }

  /**
   * Adds a stage that lets some items through.
   *
   * @param isWanted Says whether an item goes on.
   * @param options Additional options.
   * @returns The pipeline with the stage.
   */
  filter(
    isWanted: (item: T) => boolean | PromiseLike<boolean>,
    options: PipelineStageOptions<T> = {},
  ): Pipeline<T> {
    checkFunction(isWanted, "add a stage", "isWanted");
    return this.#withEach<T>(
      "filter",
      async (item) => await isWanted(item as T) ? { item } : undefined,
      options,
    );
  }

  /**
   * Adds a stage that looks at each item, and lets it through when `fn` has ended.
   *
   * @param fn What to call for each item.
   * @param options Additional options.
   * @returns The pipeline with the stage.
   */
  tap(
    fn: (item: T) => unknown,
    options: PipelineStageOptions<T> = {},
  ): Pipeline<T> {
    checkFunction(fn, "add a stage");
    return this.#withEach<T>("tap", async (item) => {
      await fn(item as T);
      return { item };
    }, options);
  }

  /**
   * Adds a stage that gives several items as one; the last may be fewer.
   *
   * @param size How many items make a batch.
   * @param options Additional options.
   * @returns The pipeline with the stage.
   * @throws {RangeError} If `size` is not an integer >= 1.
   */
  batch(size: number, options: PipelineBatchOptions = {}): Pipeline<T[]> {
    const { maxWaitMs = Infinity } = options;
    checkCount(size, "add a stage", "size");
    const ms = toMs(maxWaitMs, "add a stage", "maxWaitMs");
    return this.#with<T[]>(batchStage(size, ms, 1));
  }

  /**
   * Runs the pipeline, and hands its items over.
   *
   * @param sink What to call for each item, one after the other; or a stream, which
   * is closed at the end, and aborted by an error.
   * @param options Additional options.
   * @throws What the source, a stage or the sink throws.
   * @throws {TaskGroupError} If several of them fail.
   * @throws {CancelledError} If the ambient scope is cancelled.
   * @throws The reason of `options.signal`, if it aborts.
   */
  async to(
    sink: PipelineSink<T>,
    options: PipelineRunOptions = {},
  ): Promise<void> {
    if (sink instanceof WritableStream) {
      return await this.#toStream(sink, options);
    }
    checkFunction(sink, "run a pipeline", "sink");
    await this.#run(sink, options);
  }

  /**
   * Runs the pipeline, and gives its items.
   *
   * @param options Additional options.
   * @returns All items.
   * @throws What the source or a stage throws; see `to`.
   */
  async toArray(options: PipelineRunOptions = {}): Promise<T[]> {
    const items: T[] = [];
    await this.#run((item) => items.push(item), options);
    return items;
  }

  /**
   * Runs the pipeline for a `for await` loop. Leaving the loop early cancels all
   * stages, and waits until they are gone.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    const out = new Queue<{ readonly item: T }>({ capacity: 1 });
    const running = createTask(async () => {
      try {
        await this.#run((item) => out.put({ item }), {});
      } finally {
        out.shutdown();
      }
    }, { name: "pipeline", scope: "current" });
    try {
      for await (const { item } of out) yield item;
      await running;
    } finally {
      await uncancellable(() => running[Symbol.asyncDispose](), {
        graceMs: Infinity,
      });
    }
  }

  async #toStream(
    sink: WritableStream<T>,
    options: PipelineRunOptions,
  ): Promise<void> {
    const writer = sink.getWriter();
    writer.closed.catch(() => {});
    try {
      await this.#run(async (item) => {
        await abortable(writer.ready);
        await abortable(writer.write(item));
      }, options);
      await abortable(writer.close());
    } catch (error) {
      await endStream(() => writer.abort(error));
      throw error;
    } finally {
      writer.releaseLock();
    }
  }

  /** Runs all stages in one group. */
  async #run(
    sink: (item: T) => unknown,
    { signal }: PipelineRunOptions,
  ): Promise<void> {
    signal?.throwIfAborted();
    let unlisten: (() => void) | undefined;
    try {
      await runTogether("pipeline", async ({ start, cancelAll }) => {
        if (signal !== undefined) unlisten = listen(signal, cancelAll);
        let pipe = new Pipe<unknown>(1);
        const first = pipe;
        start("source", () => feed(this.#source, first));
        for (const stage of this.#stages) {
          const input = pipe;
          const output = pipe = new Pipe<unknown>(stage.capacity);
          start(stage.name, async () => {
            await stage.work(input, output);
            output.close();
          });
        }
        for await (const { item } of pipe) await sink(item as T);
      });
    } catch (error) {
      throwIfCancelled();
      signal?.throwIfAborted();
      throw alone(error);
    } finally {
      unlisten?.();
    }
  }

  #withEach<U>(
    name: string,
    fn: (item: unknown) => Promise<StageResult>,
    options: PipelineStageOptions<T>,
  ): Pipeline<U> {
    const { concurrency = 1, ordered = true, onError } = options;
    const { capacity = concurrency } = options;
    checkCount(concurrency, "add a stage", "concurrency");
    checkCount(capacity, "add a stage", "capacity");
    if (concurrency === Infinity) {
      throw new RangeError(
        'Cannot add a stage as "concurrency" must be finite: current value is Infinity',
      );
    }
    if (onError !== undefined) checkFunction(onError, "add a stage", "onError");
    return this.#with<U>(
      mapStage(name, fn, {
        concurrency,
        ordered,
        capacity,
        onError: onError as ((error: unknown, item: unknown) => void),
      }),
    );
  }

  #with<U>(stage: Stage): Pipeline<U> {
    const next = new Pipeline<U>(this.#source as PipelineSource<U>);
    next.#stages = [...this.#stages, stage];
    return next;
  }
}

/** Puts what a source gives into the first pipe. */
async function feed(
  source: PipelineSource<unknown>,
  pipe: Pipe<unknown>,
): Promise<void> {
  if (source instanceof ReadableStream) await feedStream(source, pipe);
  else for await (const item of source) await pipe.put(item);
  pipe.close();
}

/**
 * Ends a stream early, and waits for that: once the scope is cancelled, for no
 * longer than a cleanup may take. What it fails with is thrown already.
 */
async function endStream(end: () => Promise<void>): Promise<void> {
  await uncancellable(() => abortable(end()).catch(() => {}), {
    name: "the end of a stream",
  });
}

/** A stream that has nothing to read must not keep a pipeline from ending. */
async function feedStream(
  stream: ReadableStream<unknown>,
  pipe: Pipe<unknown>,
): Promise<void> {
  const reader = stream.getReader();
  let left = true;
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read());
      if (done) break;
      await pipe.put(value);
    }
    left = false;
  } finally {
    if (left) await endStream(() => reader.cancel());
    reader.releaseLock();
  }
}

/** The error itself, if there is only one. */
function alone(error: unknown): unknown {
  if (!(error instanceof TaskGroupError)) return error;
  const leaves = [...new Set(leafErrors(error))];
  return leaves.length === 1
    ? leaves[0]
    : new TaskGroupError(leaves, "pipeline");
}

function checkSource(source: unknown): void {
  const isSource = typeof source === "object" && source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source);
  if (isSource || typeof source === "string") return;
  throw new TypeError(
    `Cannot begin a pipeline as "source" must be iterable: current value is ${
      show(source)
    }`,
  );
}
