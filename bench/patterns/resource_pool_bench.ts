/**
 * What it costs to take a resource out of a pool and to give it back.
 *
 * @module
 */
import { ResourcePool } from "@ilmek/async/resource-pool";
import { createPool } from "generic-pool";
import { Pool as TarnPool } from "tarn";
import { type Question, registerBenches } from "../question.ts";

/** All pools limit a wait in time; generic-pool does so only if it is told to. */
const ACQUIRE_MS = 30_000;
const PAIRS = 20_000;
const SIZE = 10;
const USERS = 100;

/** The limit: a stack of resources, and resolvers of those who wait. */
class LeastPool {
  readonly #idle: object[] = [];
  readonly #waiters: ((resource: object) => void)[] = [];
  #next = 0;

  constructor(size: number) {
    for (let i = 0; i < size; i++) this.#idle.push({});
  }

  acquire(): Promise<object> {
    const resource = this.#idle.pop();
    if (resource !== undefined) return Promise.resolve(resource);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  release(resource: object): void {
    if (this.#next === this.#waiters.length) {
      this.#waiters.length = this.#next = 0;
      this.#idle.push(resource);
    } else this.#waiters[this.#next++]?.(resource);
  }
}

/** What all pools have in common. */
interface Pairs {
  /** Takes a resource, uses it for a microtask, and gives it back. */
  pair(): Promise<void>;
}

function least(): Pairs {
  const pool = new LeastPool(SIZE);
  return {
    pair: async () => {
      const resource = await pool.acquire();
      await undefined;
      pool.release(resource);
    },
  };
}

function ours(): Pairs {
  const pool = new ResourcePool(() => ({}), { max: SIZE });
  return {
    pair: async () => {
      const lease = await pool.acquire();
      await undefined;
      lease.release();
    },
  };
}

function generic(): Pairs {
  const pool = createPool({
    create: () => Promise.resolve({}),
    destroy: () => Promise.resolve(),
  }, { max: SIZE, acquireTimeoutMillis: ACQUIRE_MS });
  return {
    pair: async () => {
      const resource = await pool.acquire();
      await undefined;
      pool.release(resource);
    },
  };
}

function tarn(): Pairs {
  const pool = new TarnPool<object>({
    create: () => Promise.resolve({}),
    destroy: () => {},
    min: 0,
    max: SIZE,
  });
  return {
    pair: async () => {
      const resource = await pool.acquire().promise;
      await undefined;
      pool.release(resource);
    },
  };
}

const MAKERS = [
  { name: "stack and resolvers", kind: "limit", make: least },
  { name: "ResourcePool.acquire()", kind: "ours", make: ours },
  { name: "generic-pool", kind: "peer", make: generic },
  { name: "tarn", kind: "peer", make: tarn },
] as const;

/** The question of so many users at the same time. */
function pairs(group: string, users: number): Question {
  return {
    kind: "speed",
    group,
    items: PAIRS,
    cases: MAKERS.map(({ name, kind, make }) => {
      const pool = make();
      return {
        name,
        kind,
        run: (items: number) => {
          const share = items / users;
          const user = async (): Promise<void> => {
            for (let i = 0; i < share; i++) await pool.pair();
          };
          return Promise.all(Array.from({ length: users }, user));
        },
      };
    }),
  };
}

/** The least pair: nothing is awaited between taking and giving back. */
function uncontended(): Question {
  const least = new LeastPool(SIZE);
  const pool = new ResourcePool(() => ({}), { max: SIZE });
  const generic = createPool({
    create: () => Promise.resolve({}),
    destroy: () => Promise.resolve(),
  }, { max: SIZE, acquireTimeoutMillis: ACQUIRE_MS });
  const tarn = new TarnPool<object>({
    create: () => Promise.resolve({}),
    destroy: () => {},
    min: 0,
    max: SIZE,
  });
  return {
    kind: "speed",
    group: "acquire and release, uncontended",
    items: PAIRS,
    cases: [
      {
        name: "stack and resolvers",
        kind: "limit",
        run: async (items) => {
          for (let i = 0; i < items; i++) least.release(await least.acquire());
        },
      },
      {
        name: "ResourcePool.acquire()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) (await pool.acquire()).release();
        },
      },
      {
        name: "generic-pool",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) {
            generic.release(await generic.acquire());
          }
        },
      },
      {
        name: "tarn",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) {
            tarn.release(await tarn.acquire().promise);
          }
        },
      },
    ],
  };
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  uncontended: uncontended(),
  contended: pairs(`acquire and release, ${SIZE} for ${USERS}`, USERS),
};

registerBenches(questions);
