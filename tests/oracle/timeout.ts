import { isCancelled } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { timeout, TimeoutError, type TimeoutScope } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { scenario } from "./harness.ts";

/** `cm.when()`, in the unit of the traces. */
function whenOf(scope: TimeoutScope | undefined): number | null {
  const when = scope?.when ?? null;
  return when === null ? null : when / 1000;
}

scenario("timeout.expire", async (t) => {
  let cm: TimeoutScope | undefined;
  // try:
  try {
    // async with asyncio.timeout(2) as cm:
    await timeout(2000, async (scope) => {
      cm = scope;
      // await t.act('a', 5)
      await t.act("a", 5);
    });
  } catch (e) {
    // except TimeoutError as e: t('main:timeout', e, cm.expired(), cm.when())
    if (!(e instanceof TimeoutError)) throw e;
    t("main:timeout", e, cm?.expired, whenOf(cm));
  }
  // t('main:cancelling', asyncio.current_task().cancelling())
  t("main:cancelling", Number(currentTask()?.cancelling));
});

scenario("timeout.none", async (t) => {
  let cm: TimeoutScope | undefined;
  // async with asyncio.timeout(None) as cm:
  await timeout(null, async (scope) => {
    cm = scope;
    // t('main:when', cm.when())
    t("main:when", whenOf(cm));
    // await sleep(1000)
    await sleep(1_000_000);
  });
  // t('main:ok', cm.expired())
  t("main:ok", cm?.expired);
});

scenario("timeout.nested_outer", async (t) => {
  let o: TimeoutScope | undefined;
  // try:
  try {
    // async with asyncio.timeout(1) as o:
    await timeout(1000, async (outer) => {
      o = outer;
      let i: TimeoutScope | undefined;
      // try:
      try {
        // async with asyncio.timeout(5) as i:
        await timeout(5000, async (inner) => {
          i = inner;
          // await t.act('a', 9)
          await t.act("a", 9);
        });
      } catch (e) {
        // except BaseException as e: t('main:inner', e, i.expired())
        t("main:inner", e, i?.expired);
        // raise
        throw e;
      }
    });
  } catch (e) {
    // except TimeoutError as e: t('main:outer', e, o.expired())
    if (!(e instanceof TimeoutError)) throw e;
    t("main:outer", e, o?.expired);
  }
});

scenario("timeout.nested_same", async (t) => {
  let o: TimeoutScope | undefined;
  // try:
  try {
    // async with asyncio.timeout(1) as o:
    await timeout(1000, async (outer) => {
      o = outer;
      let i: TimeoutScope | undefined;
      // try:
      try {
        // async with asyncio.timeout(1) as i:
        await timeout(1000, async (inner) => {
          i = inner;
          // await t.act('a', 9)
          await t.act("a", 9);
        });
      } catch (e) {
        // except BaseException as e: t('main:inner', e, i.expired())
        t("main:inner", e, i?.expired);
        // raise
        throw e;
      }
    });
  } catch (e) {
    // except BaseException as e: t('main:outer', e, o.expired())
    t("main:outer", e, o?.expired);
  }
  // t('main:cancelling', asyncio.current_task().cancelling())
  t("main:cancelling", Number(currentTask()?.cancelling));
});

scenario("timeout.reschedule_none", async (t) => {
  let cm: TimeoutScope | undefined;
  // async with asyncio.timeout(1) as cm:
  await timeout(1000, async (scope) => {
    cm = scope;
    // cm.reschedule(None)
    cm.reschedule(null);
    // await t.act('a', 9)
    await t.act("a", 9);
  });
  // t('main:ok', cm.expired())
  t("main:ok", cm?.expired);
});

scenario("timeout.reschedule_expired", async (t) => {
  let cm: TimeoutScope | undefined;
  // try:
  try {
    // async with asyncio.timeout(1) as cm:
    await timeout(1000, async (scope) => {
      cm = scope;
      // await sleep(3)
      await sleep(3000);
    });
  } catch (e) {
    // except TimeoutError: pass
    if (!(e instanceof TimeoutError)) throw e;
  }
  // t.tryit('main:re', cm.reschedule, 99)
  t.tryIt("main:re", () => cm?.reschedule(99_000));
});

scenario("timeout.external_cancel_same_tick", async (t) => {
  // async def f():
  const f = async () => {
    // try:
    try {
      // async with asyncio.timeout(1): await sleep(9)
      await timeout(1000, async () => {
        await sleep(9000);
      });
    } catch (e) {
      // except BaseException as e: t('f:err', e)
      t("f:err", e);
      // raise
      throw e;
    }
  };
  // k = mk(f())
  const k = createTask(f);
  // await sleep(0)
  await sleep(0);
  // asyncio.get_running_loop().call_at(1, k.cancel)
  getRunningLoop().callAt(1000, () => k.cancel());
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:cancelled', k.cancelled())
  t("main:cancelled", k.cancelled);
});

scenario("timeout.swallow", async (t) => {
  let cm: TimeoutScope | undefined;
  // async with asyncio.timeout(1) as cm:
  await timeout(1000, async (scope) => {
    cm = scope;
    // try: await sleep(9)
    try {
      await sleep(9000);
    } catch (e) {
      // except Cancelled: t('main:swallow')
      if (!isCancelled(e)) throw e;
      t("main:swallow");
    }
  });
  // t('main:ok', cm.expired())
  t("main:ok", cm?.expired);
  // await sleep(1)
  await sleep(1000);
  // t('main:alive')
  t("main:alive");
});

scenario("timeout.cleanup_can_await", async (t) => {
  // try:
  try {
    // async with asyncio.timeout(1):
    await timeout(1000, async () => {
      // try: await sleep(9)
      try {
        await sleep(9000);
      } finally {
        // finally: await sleep(1)
        await uncancellable(() => sleep(1000));
        // t('main:cleanup')
        t("main:cleanup");
      }
    });
  } catch (e) {
    // except TimeoutError: await sleep(1)
    if (!(e instanceof TimeoutError)) throw e;
    await sleep(1000);
    // t('main:done')
    t("main:done");
  }
});

scenario("timeout.cause", async (t) => {
  // try:
  try {
    // async with asyncio.timeout(1): await sleep(9)
    await timeout(1000, async () => {
      await sleep(9000);
    });
  } catch (e) {
    // except TimeoutError as e: t('main:cause', type(e.__cause__).__name__)
    if (!(e instanceof TimeoutError)) throw e;
    t("main:cause", e.cause?.constructor.name);
  }
});
