/**
 * A crowd that chooses among all kinds of things, and is cancelled at random.
 */
import { assertEquals } from "@std/assert";
import { CapacityLimiter } from "@ilmek/async/capacity-limiter";
import { channel } from "@ilmek/async/channel";
import { KeyedLock } from "@ilmek/async/keyed-lock";
import { Lock, type Permit } from "@ilmek/async/lock";
import { Queue } from "@ilmek/async/queue";
import { RwLock } from "@ilmek/async/rw-lock";
import { type Operation, select } from "@ilmek/async/select";
import { Semaphore } from "@ilmek/async/semaphore";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";
import { type Draw, randomly } from "../_random.ts";

/** What a crowd chooses from. */
class Market {
  /** What came in, and what was taken out. */
  readonly given: number[] = [];
  readonly taken: number[] = [];
  readonly #draw: Draw;
  readonly #queue: Queue<number>;
  readonly #ends: ReturnType<typeof channel<number>>;
  readonly #lock = new Lock();
  readonly #book = new RwLock();
  readonly #semaphore = new Semaphore(2);
  readonly #limiter = new CapacityLimiter(1);
  readonly #keys = new KeyedLock<number>();

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#queue = new Queue({ capacity: 1 + draw(2) });
    this.#ends = channel<number>({ capacity: draw(3) });
  }

  /** Does one of some operations, some of them twice on the same thing. */
  async visit(id: number): Promise<void> {
    const draw = this.#draw;
    const some = this.#operations(id)
      .map((operation) => ({ operation, rank: draw(1000) }))
      .sort((a, b) => a.rank - b.rank)
      .slice(0, 1 + draw(5))
      .map(({ operation }) => operation);
    const { key, value } = await select(Object.fromEntries(some));
    if (key.startsWith("give")) this.given.push(id);
    else if (key.startsWith("take")) this.taken.push(value as number);
    else {
      using _permit = value as Permit;
      await sleep(draw(3));
    }
  }

  /** What is held, and who waits. */
  get traces(): number[] {
    const [sender] = this.#ends;
    return [
      ...[this.#queue, sender, this.#lock, this.#book].map((it) => it.waiting),
      ...[this.#semaphore, this.#limiter].map((it) => it.waiting),
      ...[this.#book.readers, Number(this.#book.writing), this.#keys.size],
      ...[Number(this.#lock.locked), this.#limiter.borrowed],
      2 - this.#semaphore.available,
    ];
  }

  /** Takes what is left. */
  empty(): void {
    const [, receiver] = this.#ends;
    this.taken.push(...this.#queue.shutdown({ immediate: true }));
    while (receiver.size > 0) this.taken.push(receiver.tryReceive() as number);
  }

  #operations(id: number): [string, Operation<unknown>][] {
    const [sender, receiver] = this.#ends;
    return Object.entries({
      giveQueue: this.#queue.putOp(id),
      takeQueue: this.#queue.getOp(),
      giveChannel: sender.sendOp(id),
      takeChannel: receiver.receiveOp(),
      lock: this.#lock.acquireOp(),
      lockAgain: this.#lock.acquireOp(),
      read: this.#book.acquireReadOp(),
      write: this.#book.acquireWriteOp(),
      permit: this.#semaphore.acquireOp(),
      permits: this.#semaphore.acquireOp(2),
      key: this.#keys.acquireOp(1),
      otherKey: this.#keys.acquireOp(2),
      token: this.#limiter.acquireOp({ borrower: {} }),
    });
  }
}

testClean(
  "select() loses nothing, whoever chooses and is cancelled",
  async () => {
    for (let round = 0; round < 40; round++) {
      await randomly(async (draw) => {
        const market = new Market(draw);
        const crowd = Array.from(
          { length: 8 },
          (_, n) =>
            createTask(async () => {
              for (let i = 0; i < 6; i++) await market.visit(n * 100 + i);
            }),
        );
        for (let i = 0; i < 6; i++) {
          await sleep(draw(4));
          crowd[draw(8)]?.cancel();
        }
        await sleep(30);
        for (const task of crowd) await task[Symbol.asyncDispose]();

        assertEquals(market.traces, market.traces.map(() => 0));
        market.empty();
        assertEquals(market.taken.toSorted(), market.given.toSorted());
      });
    }
  },
);
