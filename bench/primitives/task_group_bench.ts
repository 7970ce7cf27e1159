/**
 * What it costs to start members of a group and to wait for all of them.
 *
 * @module
 */
import { TaskGroup } from "@ilmek/async/task-group";
import { Effect, Fiber } from "effect";
import { run, spawn } from "effection";
import { AsyncLocalStorage } from "node:async_hooks";
import pMap from "p-map";
import { type Case, type Question, registerBenches } from "../question.ts";

const TASKS = 1000;

const noop = async (): Promise<void> => {};
const oneMicrotask = async (): Promise<void> => {
  await null;
};

/** The limit of a task: a start in a microtask, in a store of its own. */
const storage = new AsyncLocalStorage<{ id: number }>();

async function startLater(fn: () => Promise<void>, id: number): Promise<void> {
  await null;
  return storage.run({ id }, fn);
}

/** A group has a store, too: entering one inside of another costs more. */
function startAllLater(items: number): Promise<void> {
  return storage.run({ id: -1 }, async () => {
    const promises = [];
    for (let i = 0; i < items; i++) promises.push(startLater(noop, i));
    for (const promise of promises) await promise;
  });
}

function forkAll(items: number, work: Effect.Effect<void>): Promise<void> {
  return Effect.runPromise(Effect.gen(function* () {
    const fibers = [];
    for (let i = 0; i < items; i++) fibers.push(yield* Effect.forkChild(work));
    yield* Fiber.joinAll(fibers);
  }));
}

function createTasks(items: number): Promise<void> {
  return TaskGroup.run(async (group) => {
    const tasks = [];
    for (let i = 0; i < items; i++) tasks.push(group.createTask(noop));
    for (const task of tasks) await task;
  });
}

/** The cases of `group.go(fn)`: members that start at once, without a handle. */
function fanOut(fn: () => Promise<void>): Case[] {
  return [
    {
      name: "Promise.all()",
      kind: "limit",
      run: (items) => {
        const promises = [];
        for (let i = 0; i < items; i++) promises.push(fn());
        return Promise.all(promises);
      },
    },
    {
      name: "TaskGroup.go()",
      kind: "ours",
      run: (items) =>
        TaskGroup.run((group) => {
          for (let i = 0; i < items; i++) group.go(fn);
        }),
    },
    {
      name: "p-map",
      kind: "peer",
      run: (items) =>
        pMap(Array(items).keys(), fn, {
          concurrency: Number.POSITIVE_INFINITY,
        }),
    },
    {
      name: "effect",
      kind: "peer",
      run: (items) => forkAll(items, Effect.promise(fn)),
    },
  ];
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  createTask: {
    kind: "speed",
    group: "createTask and await all",
    items: TASKS,
    cases: [
      {
        name: "deferred start in a store",
        kind: "limit",
        run: startAllLater,
      },
      { name: "TaskGroup.createTask()", kind: "ours", run: createTasks },
      {
        name: "effect",
        kind: "peer",
        run: (items) => forkAll(items, Effect.promise(noop)),
      },
      {
        // What never waits is cheaper for effect than an async function.
        name: "effect (sync)",
        kind: "peer",
        run: (items) => forkAll(items, Effect.void),
      },
      {
        name: "effection",
        kind: "peer",
        run: (items) =>
          run(function* () {
            const tasks = [];
            for (let i = 0; i < items; i++) {
              tasks.push(yield* spawn(function* () {}));
            }
            for (const task of tasks) yield* task;
          }),
      },
    ],
  },

  go: {
    kind: "speed",
    group: "fan out, no-op",
    items: TASKS,
    cases: fanOut(noop),
  },

  goMicrotask: {
    kind: "speed",
    group: "fan out, one microtask",
    items: TASKS,
    cases: fanOut(oneMicrotask),
  },

  tasksGrowth: {
    kind: "growth",
    group: "tasks that are awaited",
    cases: [
      {
        name: "deferred start in a store",
        kind: "limit",
        run: startAllLater,
      },
      { name: "TaskGroup.createTask()", kind: "ours", run: createTasks },
    ],
  },

  goGrowth: {
    kind: "growth",
    group: "members without a task",
    cases: fanOut(oneMicrotask).filter(({ kind }) => kind !== "peer"),
  },

  taskBytes: {
    kind: "bytes",
    group: "a task that waits",
    cases: [
      {
        name: "deferred start in a store",
        kind: "limit",
        hold: (items) => {
          const gate = Promise.withResolvers<void>();
          const wait = async (): Promise<void> => {
            await gate.promise;
          };
          const promises: Promise<void>[] = [];
          for (let i = 0; i < items; i++) promises.push(startLater(wait, i));
          return () => {
            gate.resolve();
            return Promise.all(promises);
          };
        },
      },
      {
        name: "TaskGroup.createTask()",
        kind: "ours",
        hold: (items) => {
          const gate = Promise.withResolvers<void>();
          const wait = async (): Promise<void> => {
            await gate.promise;
          };
          const group = new TaskGroup();
          const tasks: unknown[] = [];
          for (let i = 0; i < items; i++) tasks.push(group.createTask(wait));
          return () => {
            gate.resolve();
            return group.waitAll().then(() => tasks.length);
          };
        },
      },
      {
        name: "effect",
        kind: "peer",
        hold: async (items) => {
          const gate = Promise.withResolvers<void>();
          const held = Promise.withResolvers<void>();
          let waiting = 0;
          const wait = async (): Promise<void> => {
            // Fibers start in portions: the last one tells.
            if (++waiting === items) held.resolve();
            await gate.promise;
          };
          const all = forkAll(items, Effect.promise(wait));
          await held.promise;
          return () => {
            gate.resolve();
            return all;
          };
        },
      },
    ],
  },
};

registerBenches(questions);
