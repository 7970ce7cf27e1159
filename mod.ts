/**
 * Async programming for Deno, with the names and the rules of asyncio.
 *
 * @module
 */

export * from "./io/connection_pool.ts";
export * from "./io/data_fetcher.ts";
export * from "./io/database.ts";
export * from "./io/file.ts";
export * from "./io/http_session.ts";
export * from "./io/lines.ts";
export * from "./io/process.ts";
export * from "./io/run.ts";
export * from "./io/serve.ts";
export * from "./io/signals.ts";
export * from "./io/temp.ts";
export * from "./io/thread_pool.ts";
export * from "./io/watch_files.ts";
export * from "./io/worker.ts";
export * from "./io/write_file_atomic.ts";
export * from "./patterns/batcher.ts";
export * from "./patterns/circuit_breaker.ts";
export * from "./patterns/keyed.ts";
export * from "./patterns/memo.ts";
export * from "./patterns/pipeline.ts";
export * from "./patterns/policy.ts";
export * from "./patterns/resource_pool.ts";
export * from "./patterns/single_flight.ts";
export * from "./patterns/worker_pool.ts";
export * from "./primitives/as_completed.ts";
export * from "./primitives/async_iter.ts";
export * from "./primitives/broadcast.ts";
export * from "./primitives/channel.ts";
export * from "./primitives/checkpoint.ts";
export * from "./primitives/context_manager.ts";
export * from "./primitives/context_var.ts";
export * from "./primitives/coroutine.ts";
export * from "./primitives/detach.ts";
export * from "./primitives/errors.ts";
export * from "./primitives/event.ts";
export * from "./primitives/exit_stack.ts";
export * from "./primitives/future.ts";
export * from "./primitives/gather.ts";
export * from "./primitives/generator.ts";
export * from "./primitives/interval.ts";
export * from "./primitives/lifo_queue.ts";
export * from "./primitives/limit.ts";
export * from "./primitives/lock.ts";
export * from "./primitives/loop.ts";
export * from "./primitives/priority_queue.ts";
export * from "./primitives/queue.ts";
export * from "./primitives/race.ts";
export * from "./primitives/range.ts";
export * from "./primitives/runner.ts";
export * from "./primitives/scope.ts";
export * from "./primitives/select.ts";
export * from "./primitives/semaphore.ts";
export * from "./primitives/shield.ts";
export * from "./primitives/sleep.ts";
export * from "./primitives/task.ts";
export * from "./primitives/task_group.ts";
export * from "./primitives/task_group_error.ts";
export * from "./primitives/timeout.ts";
export * from "./primitives/timer.ts";
export * from "./primitives/uncancellable.ts";
export * from "./primitives/wait.ts";
export * from "./primitives/wait_for.ts";
