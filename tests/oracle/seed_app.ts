import { isCancelled } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { waitFor } from "@ilmek/async/wait-for";
import {
  Example15,
  Example15Application,
  type Example15Config,
  Example15Pool,
} from "./guide_app.ts";
import { scenario, valueError } from "./harness.ts";

function config(
  workerCount: number,
  shutdownSeconds: number,
  healthSeconds: number,
): Example15Config {
  return {
    workerCount,
    shutdownMs: shutdownSeconds * 1000,
    healthIntervalMs: healthSeconds * 1000,
  };
}

scenario("seed.ex15_pool_hang", async (t) => {
  // await ex(15, t).connection_pool_example()
  await new Example15(t).connectionPoolExample();
});

scenario("seed.ex15_pool_seq", async (t) => {
  // p = ex(15, t).AsyncConnectionPool(2)
  const p = new Example15Pool(t, 2);
  // for i in range(3): c = await p.get_connection(); t('got:', c); await p.release_connection(c)
  for (let i = 0; i < 3; i++) {
    const c = await p.getConnection();
    t("got:", c);
    await p.releaseConnection(c);
  }
  // t('main:', p.created_connections, p.pool.qsize())
  t("main:", p.createdConnections, p.pool.size);
  // await p.close()
  await p.close();
  // t('main:', p.pool.qsize(), p.created_connections)
  t("main:", p.pool.size, p.createdConnections);
});

scenario("seed.ex15_pool_limit", async (t) => {
  // p = ex(15, t).AsyncConnectionPool(2)
  const p = new Example15Pool(t, 2);
  // a = await p.get_connection(); b = await p.get_connection()
  const a = await p.getConnection();
  await p.getConnection();
  // k = mk(p.get_connection())
  const k = createTask(() => p.getConnection());
  // await sleep(1)
  await sleep(1000);
  // t('main:waiting', k.done())
  t("main:waiting", k.done);
  // await p.release_connection(a)
  await p.releaseConnection(a);
  // t('main:got', await k)
  t("main:got", await k);
});

scenario("seed.ex15_pool_exceeds", async (t) => {
  // p = ex(15, t).AsyncConnectionPool(1)
  const p = new Example15Pool(t, 1);
  // t('main:', await asyncio.gather(*[p.get_connection() for _ in range(3)]), p.created_connections)
  const got = await gather(
    Array.from({ length: 3 }, () => () => p.getConnection()),
  );
  t("main:", got, p.createdConnections);
});

scenario("seed.ex15_pool_double_release", async (t) => {
  // p = ex(15, t).AsyncConnectionPool(2)
  const p = new Example15Pool(t, 2);
  // c = await p.get_connection()
  const c = await p.getConnection();
  // await p.release_connection(c); await p.release_connection(c)
  await p.releaseConnection(c);
  await p.releaseConnection(c);
  // t('main:', await p.get_connection(), await p.get_connection())
  t("main:", await p.getConnection(), await p.getConnection());
});

scenario("seed.ex15_pool_closed", async (t) => {
  // p = ex(15, t).AsyncConnectionPool(1)
  const p = new Example15Pool(t, 1);
  // c = await p.get_connection()
  const c = await p.getConnection();
  // w = mk(p.get_connection())
  const w = createTask(() => p.getConnection());
  // await sleep(0)
  await sleep(0);
  // await p.close()
  await p.close();
  // t('main:waiter', w.done())
  t("main:waiter", w.done);
  // await p.release_connection(c)
  await p.releaseConnection(c);
  // t('main:w', await w)
  t("main:w", await w);
  // await p.release_connection(c)
  await p.releaseConnection(c);
  // await p.close()
  await p.close();
  // await t.attempt('main:get', asyncio.wait_for(p.get_connection(), 5))
  await t.attempt("main:get", waitFor(() => p.getConnection(), 5000));
});

scenario("seed.ex15_worker_crash", async (t) => {
  // class A(m.AsyncApplication):
  class A extends Example15Application {
    // async def worker(self, i):
    override async worker(i: number) {
      // await sleep(1)
      await sleep(1000);
      // if i == 0: raise ValueError('crash')
      if (i === 0) throw valueError("crash");
      // await sleep(100)
      await sleep(100_000);
    }
  }
  // a = A(m.AppConfig(2, 2.0, 2.0))
  const a = new A(t, config(2, 2, 2));
  // L().call_later(5, a.shutdown_event.set)
  getRunningLoop().callLater(5000, () => a.shutdownEvent.set());
  // await a.start()
  await a.start();
  // t('main:', a.running)
  t("main:", a.running);
});

// Cleanup that waits stands in `uncancellable`: here the worker's ends at once.
scenario("seed.ex15_app_timeout", async (t) => {
  // class A(m.AsyncApplication):
  class A extends Example15Application {
    // async def worker(self, i):
    override async worker() {
      // try: await sleep(100)
      try {
        await sleep(100_000);
      } catch (error) {
        // except Cancelled: t('w:slow'); await sleep(50); t('w:end')
        if (!isCancelled(error)) throw error;
        t("w:slow");
        await sleep(50_000);
        t("w:end");
      }
    }
  }
  // a = A(m.AppConfig(1, 2.0, 2.0))
  const a = new A(t, config(1, 2, 2));
  // L().call_later(1, a.shutdown_event.set)
  getRunningLoop().callLater(1000, () => a.shutdownEvent.set());
  // await a.start()
  await a.start();
  // t('main:', a.running)
  t("main:", a.running);
}, { deviation: 2 });

scenario("seed.ex15_second_signal", async (t) => {
  // class A(m.AsyncApplication):
  class A extends Example15Application {
    // async def worker(self, i):
    override async worker() {
      // try: await sleep(100)
      try {
        await sleep(100_000);
      } catch (error) {
        // except Cancelled: await sleep(8); t('w:end')
        if (!isCancelled(error)) throw error;
        await sleep(8000);
        t("w:end");
      }
    }
  }
  // a = A(m.AppConfig(1, 10.0, 50.0))
  const a = new A(t, config(1, 10, 50));
  // L().call_later(1, a.signal_handler, signal.SIGINT)
  const loop = getRunningLoop();
  loop.callLater(1000, () => a.signalHandler("SIGINT"));
  // L().call_later(2, a.signal_handler, signal.SIGINT)
  loop.callLater(2000, () => a.signalHandler("SIGINT"));
  // await a.start()
  await a.start();
  // t('main:', a.running)
  t("main:", a.running);
}, { deviation: 2 });
