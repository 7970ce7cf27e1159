import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { uncancellable } from "@ilmek/async/uncancellable";
import { waitFor } from "@ilmek/async/wait-for";
import { scenario, timeoutError, valueError } from "./harness.ts";

scenario("wait_for.timeout", async (t) => {
  // await t.attempt('main:r', asyncio.wait_for(t.act('a', 5), 2))
  await t.attempt("main:r", waitFor(() => t.act("a", 5), 2000));
});

scenario("wait_for.none", async (t) => {
  // t('main:r', await asyncio.wait_for(t.act('a', 100, 'A'), None))
  t("main:r", await waitFor(() => t.act("a", 100, "A"), null));
});

scenario("wait_for.zero_pending", async (t) => {
  // await t.attempt('main:r', asyncio.wait_for(t.act('a', 1), 0))
  await t.attempt("main:r", waitFor(() => t.act("a", 1), 0));
  // await sleep(2)
  await sleep(2000);
});

scenario("wait_for.cleanup_waits", async (t) => {
  // async def f():
  const f = async () => {
    // try: await sleep(10)
    try {
      await sleep(10_000);
    } finally {
      // finally: t('f:cleanup')
      t("f:cleanup");
      // await sleep(3)
      await uncancellable(() => sleep(3000));
      // t('f:cleaned')
      t("f:cleaned");
    }
  };
  // await t.attempt('main:r', asyncio.wait_for(f(), 2))
  await t.attempt("main:r", waitFor(f, 2000));
});

scenario("wait_for.cleanup_error", async (t) => {
  // async def f():
  const f = async () => {
    // try: await sleep(10)
    try {
      await sleep(10_000);
    } finally {
      // finally: raise ValueError('cleanup')
      // deno-lint-ignore no-unsafe-finally -- the scenario is about this.
      throw valueError("cleanup");
    }
  };
  // await t.attempt('main:r', asyncio.wait_for(f(), 2))
  await t.attempt("main:r", waitFor(f, 2000));
});

scenario("wait_for.inner_error", async (t) => {
  // await t.attempt('main:r', asyncio.wait_for(t.act('a', 1, exc=ValueError('a')), 2))
  await t.attempt(
    "main:r",
    waitFor(() => t.act("a", 1, null, valueError("a")), 2000),
  );
});

scenario("wait_for.inner_timeout_error", async (t) => {
  // await t.attempt('main:r', asyncio.wait_for(t.act('a', 1, exc=TimeoutError('own')), 2))
  await t.attempt(
    "main:r",
    waitFor(() => t.act("a", 1, null, timeoutError("own")), 2000),
  );
});

scenario("wait_for.future_cancelled", async (t) => {
  // f = asyncio.get_running_loop().create_future()
  const f = getRunningLoop().createFuture();
  // await t.attempt('main:r', asyncio.wait_for(f, 1))
  await t.attempt("main:r", waitFor(f, 1000));
  // t('main:f', f.cancelled())
  t("main:f", f.cancelled);
});
