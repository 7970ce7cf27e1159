import { assertEquals } from "@std/assert";
import { Claim, ClaimList, type Holder } from "../../_internal/claim.ts";
import { circleOf } from "../../_internal/deadlock.ts";
import { currentFrame } from "../../_internal/frame.ts";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { CapacityLimiter } from "@ilmek/async/capacity-limiter";
import { takeMessages, testClean } from "../_leaks.ts";

/** A thing that one task has at a time. */
class Thing {
  readonly name: string;
  readonly line = new ClaimList({ holders: () => this.#holders });
  #holders: Holder[] = [];

  constructor(name: string) {
    this.name = name;
  }

  take(): Promise<void> {
    const frame = currentFrame();
    if (this.#holders.length === 0 && frame.actor !== undefined) {
      this.#holders = [frame.actor];
      return Promise.resolve();
    }
    const claim = new Claim<void>(frame, this.name);
    this.line.push(claim as Claim);
    return claim.wait();
  }
}

/** Makes tasks that take these things in this order, with a pause in between. */
function taking(plans: Record<string, readonly Thing[]>): Task<void>[] {
  return Object.entries(plans).map(([name, things]) =>
    createTask(async () => {
      for (const thing of things) {
        await thing.take();
        await sleep(1);
      }
    }, { name })
  );
}

async function end(tasks: readonly Task<void>[]): Promise<void> {
  for (const task of tasks) await task[Symbol.asyncDispose]();
}

testClean(
  "a wait that closes a circle is told in debug mode, with who holds what",
  async ({ reports }) => {
    getRunningLoop().debug = true;
    const [a, b, c] = ["fork", "knife", "spoon"].map((name) => new Thing(name));
    const tasks = taking({
      ada: [a, b] as Thing[],
      bob: [b, c] as Thing[],
      cem: [c, a] as Thing[],
    });
    await sleep(2);

    assertEquals(takeMessages(reports), [
      "Cannot go on: these wait for each other\n" +
      '  task "cem" waits for fork, held by task "ada"\n' +
      '  task "ada" waits for knife, held by task "bob"\n' +
      '  task "bob" waits for spoon, held by task "cem"',
    ]);
    await end(tasks);
  },
);

testClean(
  "a chain of waits that ends with a task at work is no circle",
  async () => {
    const [a, b] = [new Thing("fork"), new Thing("knife")];
    const tasks = taking({ ada: [a], bob: [b, a] });
    const busy = createTask(async () => {
      await sleep(2);
      const claim = new Claim<void>(currentFrame(), "knife");
      b.line.push(claim as Claim);
      const over = claim.wait();
      assertEquals(circleOf(claim as Claim), undefined);
      claim.grant();
      await over;
    });
    await busy;
    await end(tasks);
  },
);

testClean(
  "a task that awaits a task that awaits it is told in debug mode",
  async ({ reports }) => {
    getRunningLoop().debug = true;
    const tasks: Task<void>[] = [];
    tasks.push(
      createTask(async () => await tasks[1], { name: "ada" }),
      createTask(async () => await tasks[0], { name: "bob" }),
    );
    await sleep(1);

    assertEquals(takeMessages(reports), [
      "Cannot go on: these wait for each other\n" +
      '  task "bob" waits for task "ada"\n' +
      '  task "ada" waits for task "bob"',
    ]);
    await end(tasks);
  },
);

testClean(
  "a wait that any of several can end closes no circle",
  async ({ reports }) => {
    getRunningLoop().debug = true;
    const limiter = new CapacityLimiter(2);
    const other = createTask(async () => {
      using _permit = await limiter.acquire({ borrower: "other" });
      await sleep(5);
    });
    const greedy = createTask(async () => {
      using _first = await limiter.acquire({ borrower: "first" });
      await sleep(1);
      using _second = await limiter.acquire({ borrower: "second" });
    });
    await other;
    await greedy;

    assertEquals(takeMessages(reports), []);
  },
);

testClean(
  "a chain of 1,000 tasks that wait for each other is fast in debug mode",
  async () => {
    getRunningLoop().debug = true;
    let last = createTask(() => sleep(10));
    for (let i = 0; i < 1000; i++) {
      const before = last;
      last = createTask(() => before.toPromise());
    }
    await last;
  },
);
