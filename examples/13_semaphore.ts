/**
 * A resource that only so many may use at a time.
 *
 * Run it: `deno run examples/13_semaphore.ts`
 */
import { gather } from "@ilmek/async/gather";
import { run } from "@ilmek/async/run";
import { Semaphore } from "@ilmek/async/semaphore";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /**
   * Where the delays come from: numbers from 0 up to 1.
   *
   * @default {Math.random}
   */
  random?: () => number;
  /**
   * How many use the resource at once.
   *
   * @default {3}
   */
  permits?: number;
  /**
   * How many want it.
   *
   * @default {10}
   */
  workers?: number;
}

/**
 * Whoever asks first gets a permit first. `using` gives it back, whatever happens;
 * the results come in the order of the workers.
 */
export async function semaphoreExample(
  options: MainOptions = {},
): Promise<string[]> {
  const { random = Math.random, permits = 3, workers = 10 } = options;
  const semaphore = new Semaphore(permits);

  const limitedResource = async (workerId: number): Promise<string> => {
    console.log(`Worker-${workerId} kaynak için bekliyor...`);

    {
      using _permit = await semaphore.acquire();
      console.log(`Worker-${workerId} kaynağı aldı!`);
      const delayMs = 1000 + 2000 * random();
      await sleep(delayMs);
      const seconds = (delayMs / 1000).toFixed(2);
      console.log(`Worker-${workerId} kaynağı serbest bıraktı (${seconds}s)`);
    }

    return `Worker-${workerId} tamamlandı`;
  };

  const results = await gather(
    Array.from(
      { length: workers },
      (_, id) =>
        createTask(() => limitedResource(id), { name: `Worker-${id}` }),
    ),
  );

  console.log(`\nTüm işlemler tamamlandı: ${results.length} sonuç`);
  return results;
}

export async function main(options: MainOptions = {}): Promise<string[]> {
  return await semaphoreExample(options);
}

if (import.meta.main) await run(() => main());
