import { CancelledError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { waitFor } from "@ilmek/async/wait-for";
import { Example12, Example12Pool } from "./guide_pool.ts";
import { scenario } from "./harness.ts";

scenario("seed.ex12_example", async (t) => {
  // await ex(12, t, (0.1, 0.9, 0.5, 0.3, 0.7)).worker_pool_example()
  await new Example12(t, [0.1, 0.9, 0.5, 0.3, 0.7]).workerPoolExample();
});

scenario("seed.ex12_submit_after_stop", async (t) => {
  // m = ex(12, t); p = m.WorkerPool(1)
  const p = new Example12Pool(t, 1);
  // await p.start()
  p.start();
  // await p.stop()
  await p.stop();
  // async def job(): t('job:never')
  const job = async () => {
    t("job:never");
    await sleep(0);
  };
  // await p.submit(job)
  await p.submit(job);
  // await t.attempt('main:join', asyncio.wait_for(p.join(), 5))
  await t.attempt("main:join", waitFor(() => p.join(), 5000));
});

scenario("seed.ex12_cancelled_job", async (t) => {
  // m = ex(12, t); p = m.WorkerPool(1)
  const p = new Example12Pool(t, 1);
  // await p.start()
  p.start();
  // async def job(): raise Cancelled()
  const job = () => Promise.reject(new CancelledError());
  // await p.submit(job)
  await p.submit(job);
  // await p.join()
  await p.join();
  // t('main:workers', [w.done() for w in p.workers])
  t("main:workers", p.workers.map((w) => w.done));
  // await t.attempt('main:stop', asyncio.wait_for(p.stop(), 5))
  await t.attempt("main:stop", waitFor(() => p.stop(), 5000));
});

scenario("seed.ex12_start_twice", async (t) => {
  // p = ex(12, t).WorkerPool(2)
  const p = new Example12Pool(t, 2);
  // await p.start()
  p.start();
  // a = p.workers
  const a = p.workers;
  // await p.start()
  p.start();
  // await sleep(0)
  await sleep(0);
  // k = mk(p.stop())
  const k = createTask(() => p.stop());
  // await sleep(5)
  await sleep(5000);
  // t('main:', k.done(), [w.done() for w in a], [w.done() for w in p.workers])
  t("main:", k.done, a.map((w) => w.done), p.workers.map((w) => w.done));
  // k.cancel()
  k.cancel();
  // await asyncio.gather(k, return_exceptions=True)
  await gather([k], { returnExceptions: true });
});
