/**
 * What a job costs on its way through a pool of workers, when many are submitted at
 * once.
 *
 * @module
 */
import { WorkerPool } from "@ilmek/async/worker-pool";
import PQueue from "p-queue";
import { type Question, registerBenches } from "../question.ts";

const JOBS = 10_000;
const WORKERS = 10;

/** The limit: workers over a list, and a promise for each job. */
class LeastPool {
  readonly #jobs: { fn: () => number; resolve: (value: number) => void }[] = [];
  #next = 0;
  #working = 0;

  run(fn: () => number): Promise<number> {
    return new Promise((resolve) => {
      this.#jobs.push({ fn, resolve });
      if (this.#working < WORKERS) this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#working++;
    while (this.#next < this.#jobs.length) {
      const job = this.#jobs[this.#next++];
      job?.resolve(await job.fn());
    }
    this.#working--;
  }
}

const job = (): number => 1;

async function submitAll(
  jobs: number,
  submit: () => Promise<unknown>,
): Promise<void> {
  const results: Promise<unknown>[] = [];
  for (let i = 0; i < jobs; i++) results.push(submit());
  await Promise.all(results);
}

export const questions: Record<string, Question> = {
  jobs: {
    kind: "speed",
    group: "jobs, all submitted at once",
    items: JOBS,
    cases: [
      {
        name: "a promise per job",
        kind: "limit",
        run: (jobs) => {
          const pool = new LeastPool();
          return submitAll(jobs, () => pool.run(job));
        },
      },
      {
        name: "WorkerPool.run()",
        kind: "ours",
        run: (jobs) => {
          const pool = new WorkerPool({ workers: WORKERS, capacity: Infinity });
          return submitAll(jobs, () => pool.run(job));
        },
      },
      {
        name: "p-queue",
        kind: "peer",
        run: (jobs) => {
          const queue = new PQueue({ concurrency: WORKERS });
          return submitAll(jobs, () => queue.add(job));
        },
      },
    ],
  },
};

registerBenches(questions);
