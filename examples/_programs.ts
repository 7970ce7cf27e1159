/**
 * The programs of the guide, and how each runs in virtual time.
 */
import type { VirtualLoop } from "@ilmek/async/virtual";
import * as basicAsync from "./01_basic_async.ts";
import * as asyncAwaitRules from "./02_async_await_rules.ts";
import * as asyncioFunctions from "./03_asyncio_functions.ts";
import * as coroutineLifecycle from "./04_coroutine_lifecycle.ts";
import * as producerConsumer from "./05_producer_consumer.ts";
import * as eventLoop from "./06_event_loop.ts";
import * as taskManagement from "./07_task_management.ts";
import * as contextManagers from "./08_async_context_managers.ts";
import * as asyncIterators from "./09_async_iterators.ts";
import * as rateLimiting from "./10_rate_limiting.ts";
import * as circuitBreaker from "./11_circuit_breaker.ts";
import * as workerPool from "./12_worker_pool.ts";
import * as semaphore from "./13_semaphore.ts";
import * as errorHandling from "./14_error_handling.ts";
import * as productionApp from "./15_production_app.ts";

/** What a program runs on. */
export interface Stage {
  readonly virtual: VirtualLoop;
  /** Where random numbers from 0 to 1 come from. */
  readonly random?: () => number;
}

/** A program that can be run in virtual time. */
export interface Program {
  readonly title: string;
  readonly file: string;
  /** Runs the program; `changed` is a copy of its module to be run instead. */
  readonly start: (stage: Stage, changed?: object) => Promise<void>;
}

/** The programs in the order of the guide. */
export const PROGRAMS: readonly Program[] = [
  define(
    "01_basic_async.ts",
    "Basit Async Function",
    basicAsync,
    ({ main }, { virtual }) =>
      virtual.run(() => main({ block: (ms) => virtual.advance(ms) })),
  ),
  define(
    "02_async_await_rules.ts",
    "Async/Await Kuralları",
    asyncAwaitRules,
    ({ main }, { virtual }) => main((fn) => virtual.run(fn)),
  ),
  define(
    "03_asyncio_functions.ts",
    "Asyncio Temel Fonksiyonlar",
    asyncioFunctions,
    ({ main }, { virtual }) => virtual.run(() => main()),
  ),
  define(
    "04_coroutine_lifecycle.ts",
    "Coroutine Yaşam Döngüsü",
    coroutineLifecycle,
    ({ main }, { virtual }) => virtual.run(main),
  ),
  define(
    "05_producer_consumer.ts",
    "Coroutine İletişimi ve Koordinasyon",
    producerConsumer,
    ({ main }, { virtual, random = Math.random }) =>
      virtual.run(() => main({ random })),
  ),
  define(
    "06_event_loop.ts",
    "Event Loop Yönetimi",
    eventLoop,
    ({ main }, { virtual }) =>
      virtual.run(() =>
        main({
          block: (ms) => virtual.advance(ms),
          threadModule: import.meta.resolve("./_virtual_thread.ts"),
        })
      ),
  ),
  define(
    "07_task_management.ts",
    "Task Yönetimi",
    taskManagement,
    ({ main }, { virtual }) => virtual.run(main),
  ),
  define(
    "08_async_context_managers.ts",
    "Async Context Manager",
    contextManagers,
    ({ main }, { virtual }) => virtual.run(() => main()),
  ),
  define(
    "09_async_iterators.ts",
    "Async Iterators",
    asyncIterators,
    ({ main }, { virtual }) => virtual.run(() => main()),
  ),
  define(
    "10_rate_limiting.ts",
    "Rate Limiting",
    rateLimiting,
    ({ main }, { virtual }) => virtual.run(main),
  ),
  define(
    "11_circuit_breaker.ts",
    "Circuit Breaker Pattern",
    circuitBreaker,
    ({ main }, { virtual }) => virtual.run(main),
  ),
  define(
    "12_worker_pool.ts",
    "Worker Pool Pattern",
    workerPool,
    async ({ main }, { virtual, random = Math.random }) => {
      await virtual.run(() => main({ random }));
    },
  ),
  define(
    "13_semaphore.ts",
    "Semaphore Pattern",
    semaphore,
    async ({ main }, { virtual, random = Math.random }) => {
      await virtual.run(() => main({ random }));
    },
  ),
  define(
    "14_error_handling.ts",
    "Async Exception Handling",
    errorHandling,
    ({ main }, { virtual, random = Math.random }) =>
      virtual.run(() => main({ random })),
  ),
  define(
    "15_production_app.ts",
    "Production-Ready Async Application",
    productionApp,
    ({ main }, { virtual }) => virtual.run(() => main()),
  ),
];

function define<M extends object>(
  file: string,
  title: string,
  module: M,
  start: (module: M, stage: Stage) => Promise<void>,
): Program {
  return {
    title,
    file,
    // A changed copy has the exports of the original.
    start: (stage, changed = module) => start(changed as M, stage),
  };
}
