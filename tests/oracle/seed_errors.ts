import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Example14, flaky } from "./guide_errors.ts";
import { scenario, valueError } from "./harness.ts";

scenario("seed.ex14_basic", async (t) => {
  // m = ex(14, t)
  const m = new Example14(t);
  // await m.basic_exception_handling()
  await m.basicExceptionHandling();
  // await m.gather_exception_handling()
  await m.gatherExceptionHandling();
  // await m.task_exception_handling()
  await m.taskExceptionHandling();
});

scenario("seed.ex14_retry_ok", async (t) => {
  // await t.attempt('r:', ex(14, t).retry_async(_flaky(t, 2), 5, 0.5))
  await t.attempt("r:", new Example14(t).retryAsync(flaky(t, 2), 5, 500));
});

scenario("seed.ex14_retry_fail", async (t) => {
  // await t.attempt('r:', ex(14, t).retry_async(_flaky(t, 9), 3, 1.0))
  await t.attempt("r:", new Example14(t).retryAsync(flaky(t, 9), 3, 1000));
});

scenario("seed.ex14_retry_zero", async (t) => {
  // await t.attempt('r:', ex(14, t).retry_async(_flaky(t, 0), 0))
  await t.attempt("r:", new Example14(t).retryAsync(flaky(t, 0), 0));
}, { deviation: 11 });

scenario("seed.ex14_retry_cancel", async (t) => {
  // k = mk(ex(14, t).retry_async(_flaky(t, 9), 5, 10))
  const k = createTask(() =>
    new Example14(t).retryAsync(flaky(t, 9), 5, 10_000)
  );
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('r:', k)
  await t.attempt("r:", k);
});

scenario("seed.ex14_propagate", async (t) => {
  // await t.attempt('r:', ex(14, t).level1())
  await t.attempt("r:", new Example14(t).level1());
});

scenario("seed.ex14_gather_siblings", async (t) => {
  // m = ex(14, t)
  const m = new Example14(t);
  // k = mk(t.act('slow', 3))
  const k = createTask(() => t.act("slow", 3));
  // await t.attempt('main:', asyncio.gather(m.failing_task(2), k))
  await t.attempt("main:", gather([() => m.failingTask(2), k]));
  // t('main:slow_done', k.done())
  t("main:slow_done", k.done);
  // await k
  await k;
});

scenario("seed.ex14_retry_any", async (t) => {
  // await t.attempt('r:', ex(14, t).retry_async(_flaky(t, 9, TypeError), 3, 1.0))
  const work = flaky(t, 9, "TypeError");
  await t.attempt("r:", new Example14(t).retryAsync(work, 3, 1000));
});

scenario("seed.ex14_not_done", async (t) => {
  // m = ex(14, t)
  const m = new Example14(t);
  // async def slow(i): await sleep(2); raise ValueError('slow')
  m.failingTask = async () => {
    await sleep(2000);
    throw valueError("slow");
  };
  // await m.task_exception_handling()
  await m.taskExceptionHandling();
  // t('main:returned')
  t("main:returned");
  // await sleep(3)
  await sleep(3000);
  // gc.collect(); await sleep(0)
  await sleep(0);
}, { deviation: 5 });
