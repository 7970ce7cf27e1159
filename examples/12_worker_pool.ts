/**
 * Workers that do jobs, a few at a time: every result reaches who wants it.
 *
 * Run it: `deno run examples/12_worker_pool.ts`
 */
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { WorkerPool } from "@ilmek/async/worker-pool";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /**
   * Where the delays come from: numbers from 0 up to 1.
   *
   * @default {Math.random}
   */
  random?: () => number;
  /**
   * How many jobs are done at once.
   *
   * @default {3}
   */
  workers?: number;
  /**
   * How many jobs there are.
   *
   * @default {10}
   */
  jobs?: number;
}

/** Something that takes a while. */
export async function processItem(
  id: number,
  random: () => number,
): Promise<string> {
  const delayMs = 500 + 1500 * random();
  await sleep(delayMs);
  return `Item-${id} işlendi (${(delayMs / 1000).toFixed(2)}s)`;
}

/**
 * The guide's workers print what comes of a job, and nobody else learns of it. Here
 * each job is a task: whoever submitted it gets its result, or its error. A worker
 * outlives a job that fails or is cancelled, and the pool refuses jobs once it has
 * been stopped.
 */
export async function workerPoolExample(
  options: MainOptions = {},
): Promise<string[]> {
  const { random = Math.random, workers = 3, jobs: count = 10 } = options;
  // Left by an error, the pool ends its jobs; the guide's would run on.
  await using pool = new WorkerPool({ workers });

  const jobs = [];
  for (let id = 0; id < count; id++) {
    const { task } = await pool.submit(async ({ worker }) => {
      console.log(`Worker-${worker} görevi işliyor...`);
      try {
        const result = await processItem(id, random);
        console.log(`Worker-${worker} tamamladı: ${result}`);
        return result;
      } catch (error) {
        console.log(`Worker-${worker} hata aldı: ${error}`);
        throw error;
      }
    }, { name: `Item-${id}` });
    jobs.push(task);
  }

  await pool.join();
  await pool.stop();

  console.log("Tüm görevler tamamlandı!");
  return jobs.map((job) => job.result());
}

export async function main(options: MainOptions = {}): Promise<string[]> {
  return await workerPoolExample(options);
}

if (import.meta.main) await run(() => main());
