import { gather } from "@ilmek/async/gather";
import { LifoQueue } from "@ilmek/async/lifo-queue";
import { Queue, QueueShutDownError } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { waitFor } from "@ilmek/async/wait-for";
import { scenario } from "./harness.ts";

/** A task that takes an item, and tells it. */
function getting(
  t: (label: string, ...values: unknown[]) => void,
  q: Queue<number>,
  n: string,
): Task<void> {
  return createTask(async () => t(`${n}:got`, await q.get()));
}

scenario("queue.fifo", async (t) => {
  // q = asyncio.Queue()
  const q = new Queue<number>();
  // for i in range(3): await q.put(i)
  for (const i of [0, 1, 2]) await q.put(i);
  // t('main:g', [await q.get() for _ in range(3)], q.empty())
  const g = [await q.get(), await q.get(), await q.get()];
  t("main:g", g, q.empty);
});

scenario("queue.nowait", (t) => {
  // q = asyncio.Queue(1)
  const q = new Queue<number>({ capacity: 1 });
  // t.tryit('main:ge', q.get_nowait)
  t.tryIt("main:ge", () => q.getNowait());
  // q.put_nowait(1); t.tryit('main:pf', q.put_nowait, 2)
  q.putNowait(1);
  t.tryIt("main:pf", () => q.putNowait(2));
  // t('main:s', q.qsize(), q.full())
  t("main:s", q.size, q.full);
});

scenario("queue.join", async (t) => {
  // q = asyncio.Queue()
  const q = new Queue<number>();
  // for i in range(3): q.put_nowait(i)
  for (const i of [0, 1, 2]) q.putNowait(i);
  // async def w():
  const w = async () => {
    // while True: i = await q.get(); await sleep(1); t('w:done', i); q.task_done()
    while (true) {
      const i = await q.get();
      await sleep(1000);
      t("w:done", i);
      q.taskDone();
    }
  };
  // k = mk(w()); await q.join(); t('main:joined'); k.cancel()
  const k = createTask(w);
  await q.join();
  t("main:joined");
  k.cancel();
  // await asyncio.gather(k, return_exceptions=True)
  await gather([k], { returnExceptions: true });
});

scenario("queue.join_empty", async (t) => {
  // await asyncio.Queue().join(); t('main:joined')
  await new Queue().join();
  t("main:joined");
});

scenario("queue.join_needs_task_done", async (t) => {
  // q = asyncio.Queue(); q.put_nowait(1); await q.get()
  const q = new Queue<number>();
  q.putNowait(1);
  await q.get();
  // await t.attempt('main:j', asyncio.wait_for(q.join(), 1))
  await t.attempt("main:j", waitFor(() => q.join(), 1000));
  // q.task_done()
  q.taskDone();
  // await t.attempt('main:j2', asyncio.wait_for(q.join(), 1))
  await t.attempt("main:j2", waitFor(() => q.join(), 1000));
});

scenario("queue.join_many", async (t) => {
  // q = asyncio.Queue(); q.put_nowait(1)
  const q = new Queue<number>();
  q.putNowait(1);
  // async def j(n): await q.join(); t(f'{n}:joined')
  const j = async (n: string) => {
    await q.join();
    t(`${n}:joined`);
  };
  // ks = [mk(j(n)) for n in 'ab']; await sleep(1); q.get_nowait(); q.task_done()
  const ks = ["a", "b"].map((n) => createTask(() => j(n)));
  await sleep(1000);
  q.getNowait();
  q.taskDone();
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("queue.task_done_many", (t) => {
  // q = asyncio.Queue(); q.put_nowait(1); q.get_nowait(); q.task_done()
  const q = new Queue<number>();
  q.putNowait(1);
  q.getNowait();
  q.taskDone();
  // t.tryit('main:e', q.task_done)
  t.tryIt("main:e", () => q.taskDone());
});

scenario("queue.getters_fifo", async (t) => {
  // q = asyncio.Queue()
  const q = new Queue<number>();
  // ks = [mk(g(n)) for n in 'abc']; await sleep(1)
  const ks = ["a", "b", "c"].map((n) => getting(t, q, n));
  await sleep(1000);
  // for i in range(3): q.put_nowait(i)
  for (const i of [0, 1, 2]) q.putNowait(i);
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("queue.get_cancel", async (t) => {
  // q = asyncio.Queue()
  const q = new Queue<number>();
  // a, b = mk(g('a')), mk(g('b')); await sleep(1); a.cancel(); await sleep(0)
  const a = getting(t, q, "a");
  const b = getting(t, q, "b");
  await sleep(1000);
  a.cancel();
  await sleep(0);
  // q.put_nowait(1)
  q.putNowait(1);
  // t('main:r', await asyncio.gather(a, b, return_exceptions=True), q.qsize())
  t("main:r", await gather([a, b], { returnExceptions: true }), q.size);
});

scenario("queue.get_cancel_woken_alone", async (t) => {
  // q = asyncio.Queue(); a = mk(q.get()); await sleep(1); q.put_nowait(1)
  const q = new Queue<number>();
  const a = createTask(() => q.get());
  await sleep(1000);
  q.putNowait(1);
  // a.cancel(); await t.attempt('main:a', a); t('main:q', q.qsize())
  a.cancel();
  await t.attempt("main:a", a);
  t("main:q", q.size);
}, { deviation: 7 });

scenario("queue.put_cancel", async (t) => {
  // q = asyncio.Queue(1); q.put_nowait(0); a, b = mk(q.put('a')), mk(q.put('b'))
  const q = new Queue<number | string>({ capacity: 1 });
  q.putNowait(0);
  const a = createTask(() => q.put("a"));
  const b = createTask(() => q.put("b"));
  // await sleep(1); a.cancel(); await sleep(0); t('main:g', q.get_nowait())
  await sleep(1000);
  a.cancel();
  await sleep(0);
  t("main:g", q.getNowait());
  // await b; t('main:g', await q.get(), q.qsize())
  await b;
  const g = await q.get();
  t("main:g", g, q.size);
});

scenario("queue.lifo", (t) => {
  // q = asyncio.LifoQueue()
  const q = new LifoQueue<number>();
  // for i in range(3): q.put_nowait(i)
  for (const i of [0, 1, 2]) q.putNowait(i);
  // t('main:g', [q.get_nowait() for _ in range(3)])
  t("main:g", [q.getNowait(), q.getNowait(), q.getNowait()]);
});

scenario("queue.get_timeout", async (t) => {
  // q = asyncio.Queue(); await t.attempt('main:g', asyncio.wait_for(q.get(), 1))
  const q = new Queue<number>();
  await t.attempt("main:g", waitFor(() => q.get(), 1000));
  // q.put_nowait(1); t('main:q', q.qsize(), q.get_nowait())
  q.putNowait(1);
  t("main:q", q.size, q.getNowait());
});

scenario("queue.workers", async (t) => {
  // q = asyncio.Queue()
  const q = new Queue<number>();
  // for i in range(7): q.put_nowait(i)
  for (let i = 0; i < 7; i++) q.putNowait(i);
  // async def w(n):
  const w = async (n: string) => {
    // while True: i = await q.get(); t(f'{n}:start', i); await sleep(1); q.task_done()
    while (true) {
      const i = await q.get();
      t(`${n}:start`, i);
      await sleep(1000);
      q.taskDone();
    }
  };
  // ks = [mk(w(f'w{i}')) for i in range(3)]; await q.join(); t('main:joined')
  const ks = [0, 1, 2].map((i) => createTask(() => w(`w${i}`)));
  await q.join();
  t("main:joined");
  // for k in ks: k.cancel()
  for (const k of ks) k.cancel();
  // await asyncio.gather(*ks, return_exceptions=True)
  await gather(ks, { returnExceptions: true });
});

scenario("queue.shutdown_getters", async (t) => {
  // q = asyncio.Queue(); ks = [mk(q.get()) for _ in range(2)]; await sleep(1)
  const q = new Queue<number>();
  const ks = [0, 1].map(() => createTask(() => q.get()));
  await sleep(1000);
  // q.shutdown(); t('main:r', await asyncio.gather(*ks, return_exceptions=True))
  q.shutdown();
  t("main:r", await gather(ks, { returnExceptions: true }));
});

scenario("queue.shutdown_join", async (t) => {
  // q = asyncio.Queue(); q.put_nowait(1); q.shutdown()
  const q = new Queue<number>();
  q.putNowait(1);
  q.shutdown();
  // await t.attempt('main:j', asyncio.wait_for(q.join(), 1))
  await t.attempt("main:j", waitFor(() => q.join(), 1000));
  // await q.get(); q.task_done()
  await q.get();
  q.taskDone();
  // await t.attempt('main:j2', asyncio.wait_for(q.join(), 1))
  await t.attempt("main:j2", waitFor(() => q.join(), 1000));
});

scenario("queue.shutdown_getter_with_items", async (t) => {
  // q = asyncio.Queue()
  const q = new Queue<number>();
  // async def w(n):
  const w = async (n: string) => {
    try {
      // while True: t(f'{n}:got', await q.get()); await sleep(1); q.task_done()
      while (true) {
        t(`${n}:got`, await q.get());
        await sleep(1000);
        q.taskDone();
      }
    } catch (error) {
      // except asyncio.QueueShutDown: t(f'{n}:stop')
      if (!(error instanceof QueueShutDownError)) throw error;
      t(`${n}:stop`);
    }
  };
  // ks = [mk(w(n)) for n in 'ab']
  const ks = ["a", "b"].map((n) => createTask(() => w(n)));
  // for i in range(3): await q.put(i)
  for (const i of [0, 1, 2]) await q.put(i);
  // q.shutdown(); await asyncio.gather(*ks); await q.join(); t('main:end')
  q.shutdown();
  await gather(ks);
  await q.join();
  t("main:end");
});
