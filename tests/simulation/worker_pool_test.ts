import { assert, assertEquals } from "@std/assert";
import { isCancelled, TimeoutError } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { WorkerPool, WorkerPoolStoppedError } from "@ilmek/async/worker-pool";
import { simulate, type Simulation } from "./_harness.ts";

/** How a job ended, as whoever submitted it sees it. */
type End = "done" | "failed" | "cancelled" | "late" | "refused";

class JobError extends Error {
  readonly id: number;

  constructor(id: number) {
    super(`job ${id}`);
    this.id = id;
  }
}

/** Jobs of all kinds, and what is known about them. */
class Site {
  readonly simulation: Simulation;
  readonly pool: WorkerPool;
  readonly begun = new Map<number, number>();
  readonly finished = new Set<number>();
  readonly busy = new Set<number>();

  constructor(simulation: Simulation) {
    this.simulation = simulation;
    this.pool = new WorkerPool({
      workers: simulation.int(1, 4),
      capacity: simulation.int(0, 5),
    });
  }

  /** A job that takes a while, and fails or throws a cancellation at times. */
  async job(id: number, worker: number): Promise<number> {
    this.begun.set(id, (this.begun.get(id) ?? 0) + 1);
    assert(!this.busy.has(worker), `two jobs for worker ${worker}`);
    this.busy.add(worker);
    assert(this.busy.size <= this.pool.workers);
    try {
      await sleep(this.simulation.gap(20));
      if (this.simulation.chance(0.2)) throw new JobError(id);
      this.finished.add(id);
      return id;
    } finally {
      this.busy.delete(worker);
    }
  }

  /** Submits a job in one of several ways, and may not wait for its end. */
  async client(id: number): Promise<End> {
    const { simulation, pool } = this;
    await sleep(simulation.between(0, 200));
    const fn = ({ worker }: { worker: number }) => this.job(id, worker);
    const options = { priority: simulation.int(0, 2) };
    try {
      if (simulation.chance(0.5)) {
        const limit = simulation.chance(0.3) ? simulation.gap(20) : null;
        assertEquals(
          await timeout(limit, () => pool.run(fn, options)),
          id,
        );
        return "done";
      }
      const { task } = await pool.submit(fn, options);
      if (simulation.chance(0.3)) {
        await sleep(simulation.gap(15));
        task.cancel();
      }
      assertEquals(await task, id);
      return "done";
    } catch (error) {
      if (error instanceof JobError) {
        assertEquals(error.id, id, "the error of another job");
        return "failed";
      }
      if (error instanceof TimeoutError) return "late";
      if (error instanceof WorkerPoolStoppedError) return "refused";
      if (isCancelled(error)) return "cancelled";
      throw error;
    }
  }
}

simulate(
  "WorkerPool loses no job, doubles none, and ends",
  async (simulation) => {
    const site = new Site(simulation);
    const { pool } = site;
    const clients = Array.from(
      { length: 40 },
      (_, id) => createTask(() => site.client(id)),
    );
    if (simulation.chance(0.3)) {
      await sleep(simulation.between(50, 250));
      await pool.stop({
        timeoutMs: simulation.chance(0.5) ? null : simulation.gap(30),
      });
    }
    const ends: End[] = [];
    for (const client of clients) ends.push(await client);
    await pool.stop();

    for (const [id, end] of ends.entries()) {
      const times = site.begun.get(id) ?? 0;
      assert(times <= 1, `job ${id} was begun ${times} times`);
      if (end === "done") {
        assert(
          site.finished.has(id),
          `job ${id} is not done`,
        );
      }
      if (end === "failed") assert(!site.finished.has(id));
      if (end === "refused") assertEquals(times, 0, `job ${id} was refused`);
    }
    assertEquals(site.busy.size, 0);
    assertEquals(
      [pool.running, pool.queued, pool.waiting, pool.unfinished],
      [0, 0, 0, 0],
    );
  },
);
