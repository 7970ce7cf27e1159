/**
 * Rate limiting: ten calls, of which no second sees more than three begin.
 *
 * Run it: `deno run examples/10_rate_limiting.ts`
 */
import { gather } from "@ilmek/async/gather";
import { slidingWindowLog } from "@ilmek/async/rate-algorithms";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { clockText } from "./_clock.ts";

/**
 * Makes ten calls, at most three in any second.
 *
 * The guide's limiter sleeps with its lock held, so that nobody learns how long it
 * will take, and looks at the clock once: by an exact clock seven calls pass at
 * once when the first second is over. It also asks for the time of day, which may
 * step back. Here each call has its turn as soon as it comes, and knows when.
 */
export async function rateLimiterExample(): Promise<void> {
  const limiter = new RateLimiter({
    limit: 3,
    perMs: 1000,
    algorithm: slidingWindowLog,
    onWait: ({ waitMs }) => {
      console.log(`Rate limit! ${(waitMs / 1000).toFixed(2)}s bekleniyor...`);
    },
  });

  const apiCall = (callId: number): Promise<void> =>
    limiter.run(async () => {
      console.log(`[${clockText()}] API call ${callId}`);
      await sleep(100);
    });

  await gather(Array.from({ length: 10 }, (_, i) => () => apiCall(i)));
}

export async function main(): Promise<void> {
  await rateLimiterExample();
}

if (import.meta.main) await run(main);
