import { withContext } from "@ilmek/async/context-manager";
import { gather } from "@ilmek/async/gather";
import { HttpSession } from "@ilmek/async/http-session";
import { type ExceptionContext, getRunningLoop } from "@ilmek/async/loop";
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { FIRST_COMPLETED, wait } from "@ilmek/async/wait";
import { waitFor } from "@ilmek/async/wait-for";
import {
  Example1,
  Example2,
  Example3,
  Example4,
  Example5,
  Example6,
} from "./guide.ts";
import { AsyncResourcePool, AsyncTimer, Example8 } from "./guide_context.ts";
import { Example10, Example10Limiter } from "./guide_limiter.ts";
import { Example7, Example7Group } from "./guide_tasks.ts";
import { scenario, valueError } from "./harness.ts";

scenario("seed.ex01_sync", (t) => {
  // ex(1, t).run_sync()
  new Example1(t).runSync();
}, { outside: true });

scenario("seed.ex02_users", async (t) => {
  // m = ex(2, t)
  const m = new Example2(t);
  // t('r:', await m.fetch_multiple_users([3, 1, 2]))
  t("r:", await m.fetchMultipleUsers([3, 1, 2]));
  // t('r:', await m.fetch_multiple_users([]))
  t("r:", await m.fetchMultipleUsers([]));
  // t('r:', await m.can_call_sync())
  t("r:", await m.canCallSync());
  // t('r:', await m.call_async_from_async())
  t("r:", await m.callAsyncFromAsync());
});

scenario("seed.ex02_bridge", async (t) => {
  // m = ex(2, t)
  const m = new Example2(t);
  // m.asyncio = type('A', (), {'run': staticmethod(lambda c: asyncio.Runner(loop_factory=VirtualLoop).run(c)), 'sleep': asyncio.sleep})
  m.run = (c) => t.virtual.run(c);
  // t('r:', m.cannot_call_async())
  t("r:", await m.cannotCallAsync());
}, { outside: true });

scenario("seed.ex03_gather", async (t) => {
  // await ex(3, t).gather_example()
  await new Example3(t).gatherExample();
});

scenario("seed.ex03_wait", async (t) => {
  // await ex(3, t).wait_example()
  await new Example3(t).waitExample();
});

scenario("seed.ex03_timeout", async (t) => {
  // await ex(3, t).timeout_example()
  await new Example3(t).timeoutExample();
});

scenario("seed.ex03_as_completed", async (t) => {
  // await ex(3, t).as_completed_example()
  await new Example3(t).asCompletedExample();
});

scenario("seed.ex03_unread_error", async (t) => {
  // async def bad():
  const bad = async (): Promise<null> => {
    // await sleep(0.5)
    await sleep(500);
    // raise ValueError('bad')
    throw valueError("bad");
  };
  // async def w():
  const w = async () => {
    // ks = [mk(bad()), mk(t.act('b', 2))]
    const ks = [createTask(bad), createTask(() => t.act("b", 2))];
    // d, p = await asyncio.wait(ks, return_when=asyncio.FIRST_COMPLETED)
    const { done, pending } = await wait(ks, { returnWhen: FIRST_COMPLETED });
    // t('main:', len(d), len(p))
    t("main:", done.size, pending.size);
    // for k in p: k.cancel()
    for (const k of pending) k.cancel();
    // await asyncio.gather(*p, return_exceptions=True)
    await gather([...pending], { returnExceptions: true });
  };
  // await w()
  await w();
  // gc.collect()
  // await sleep(0)
  await sleep(0);
  // t('main:end')
  t("main:end");
}, { deviation: 5 });

scenario("seed.ex04_nested", async (t) => {
  // t('r:', await ex(4, t).fetch_user_with_posts(1))
  t("r:", await new Example4(t).fetchUserWithPosts(1));
});

scenario("seed.ex04_chain", async (t) => {
  // t('r:', await ex(4, t).chained_coroutines())
  t("r:", await new Example4(t).chainedCoroutines());
});

scenario("seed.ex05_hang", async (t) => {
  // await ex(5, t, (0.5, 0.25, 0.75)).producer_consumer_pattern()
  await new Example5(t, [0.5, 0.25, 0.75]).producerConsumerPattern();
}, { deviation: 7 });

scenario("seed.ex05_full_queue", async (t) => {
  // m = ex(5, t, (0.0,))
  const m = new Example5(t, [0]);
  // q = asyncio.Queue(2)
  const q = new Queue<string | null>({ capacity: 2 });
  // async def slow():
  const slow = async () => {
    // for i in range(5):
    for (let i = 0; i < 5; i++) {
      // await sleep(1)
      await sleep(1000);
      // await q.put(f'S{i}')
      await q.put(`S${i}`);
      // t('slow:put', i)
      t("slow:put", i);
    }
  };
  // cs = [mk(m.consumer(q, i)) for i in range(3)]
  const cs = [0, 1, 2].map((i) => createTask(() => m.consumer(q, i)));
  // await t.attempt('main:producers', asyncio.wait_for(asyncio.gather(m.producer(q, 0), slow()), 20))
  await t.attempt(
    "main:producers",
    waitFor(gather([() => m.producer(q, 0), slow]), 20_000),
  );
  // t('main:', [c.done() for c in cs], q.full())
  t("main:", cs.map((c) => c.done), q.full);
}, { deviation: 7 });

scenario("seed.ex06_perf", async (t) => {
  // rec = []
  const rec: string[] = [];
  // class H(logging.Handler):
  // def emit(s, r): rec.append(r.levelname)
  const h = ({ message }: ExceptionContext): void => {
    rec.push(message);
  };
  // lg = logging.getLogger('asyncio')
  const lg = getRunningLoop();
  // lg.addHandler(h)
  const before = lg.exceptionHandler;
  lg.exceptionHandler = h;
  // try: await ex(6, t).performance_monitoring()
  try {
    await new Example6(t).performanceMonitoring();
  } finally {
    // finally: lg.removeHandler(h)
    lg.exceptionHandler = before;
  }
  // t('main:', L().get_debug(), len(rec))
  t("main:", getRunningLoop().debug, rec.length);
  // L().set_debug(False)
  getRunningLoop().debug = false;
});

scenario("seed.ex06_thread_leftover", async (t) => {
  // m = ex(6, t)
  const m = new Example6(t);
  // m.asyncio = types.SimpleNamespace(new_event_loop=VirtualLoop, set_event_loop=lambda l: None)
  m.newEventLoop = () => t.virtual;
  // keep = []
  const keep: Task<void>[] = [];
  // async def left():
  const left = async () => {
    // try: await sleep(9)
    try {
      await sleep(9000);
    } finally {
      // finally: t('left:finally')
      t("left:finally");
    }
  };
  // async def main():
  const main = async () => {
    // keep.append(asyncio.get_running_loop().create_task(left()))
    keep.push(getRunningLoop().createTask(left));
    // await sleep(1)
    await sleep(1000);
    // return 'R'
    return "R";
  };
  // t('main:', m.run_async_in_thread(main()))
  t("main:", await m.runAsyncInThread(main));
  // t('main:left_done', keep[0].done())
  t("main:left_done", keep[0]?.done);
}, { outside: true, deviation: 9 });

scenario("seed.ex07_manage", async (t) => {
  // await ex(7, t).task_management_example()
  await new Example7(t).taskManagementExample();
});

scenario("seed.ex07_cancel", async (t) => {
  // await ex(7, t).cancellation_example()
  await new Example7(t).cancellationExample();
}, { deviation: 7 });

scenario("seed.ex07_group_empty", async (t) => {
  // g = ex(7, t).TaskGroup('g')
  const g = new Example7Group(t, "g");
  // t('r:', await g.wait_all(), len(g), g.name)
  t("r:", await g.waitAll(), g.size, g.name);
});

scenario("seed.ex07_group_timeout", async (t) => {
  // m = ex(7, t)
  const m = new Example7(t);
  // g = m.TaskGroup('G')
  const g = new Example7Group(t, "G");
  // g.create_task(m.monitored_task('A', 1))
  g.createTask(() => m.monitoredTask("A", 1000));
  // g.create_task(m.monitored_task('B', 5))
  g.createTask(() => m.monitoredTask("B", 5000));
  // await t.attempt('main:r', g.wait_all(timeout=2))
  await t.attempt("main:r", g.waitAll(2000));
  // t('main:len', len(g))
  t("main:len", g.size);
});

scenario("seed.ex07_group_done_lost", async (t) => {
  // m = ex(7, t)
  const m = new Example7(t);
  // g = m.TaskGroup('G')
  const g = new Example7Group(t, "G");
  // g.create_task(m.monitored_task('A', 1))
  g.createTask(() => m.monitoredTask("A", 1000));
  // g.create_task(m.monitored_task('B', 3))
  g.createTask(() => m.monitoredTask("B", 3000));
  // await sleep(2)
  await sleep(2000);
  // t('main:len', len(g))
  t("main:len", g.size);
  // t('main:r', await g.wait_all())
  t("main:r", await g.waitAll());
});

scenario("seed.ex07_group_error", async (t) => {
  // m = ex(7, t)
  const m = new Example7(t);
  // g = m.TaskGroup('G')
  const g = new Example7Group(t, "G");
  // g.create_task(m.failing_task('F'))
  g.createTask(() => m.failingTask("F"));
  // g.create_task(m.monitored_task('B', 3))
  g.createTask(() => m.monitoredTask("B", 3000));
  // await t.attempt('main:r', g.wait_all())
  await t.attempt("main:r", g.waitAll());
  // t('main:len', len(g))
  t("main:len", g.size);
  // await sleep(5)
  await sleep(5000);
});

scenario("seed.ex07_group_cancel_all", async (t) => {
  // m = ex(7, t)
  const m = new Example7(t);
  // g = m.TaskGroup('G')
  const g = new Example7Group(t, "G");
  // g.create_task(m.monitored_task('A', 1))
  g.createTask(() => m.monitoredTask("A", 1000));
  // g.create_task(m.monitored_task('B', 3))
  g.createTask(() => m.monitoredTask("B", 3000));
  // await sleep(0.5)
  await sleep(500);
  // g.cancel_all()
  g.cancelAll();
  // await sleep(0.1)
  await sleep(100);
  // t('main:len', len(g))
  t("main:len", g.size);
});

scenario("seed.ex07_future", async (t) => {
  // await ex(7, t).future_example()
  await new Example7(t).futureExample();
});

scenario("seed.ex07_exceptions", async (t) => {
  // await ex(7, t).exception_handling_example()
  await new Example7(t).exceptionHandlingExample();
});

scenario("seed.ex07_timeout_message_late", async (t) => {
  // m = ex(7, t)
  const m = new Example7(t);
  // g = m.TaskGroup('G')
  const g = new Example7Group(t, "G");
  // g.create_task(m.cancellable_task('X'))
  g.createTask(() => m.cancellableTask("X"));
  // await t.attempt('main:r', g.wait_all(timeout=1))
  await t.attempt("main:r", g.waitAll(1000));
});

scenario("seed.ex08_db", async (t) => {
  // m = ex(8, t)
  const m = new Example8(t);
  // await m.database_example()
  await m.databaseExample();
  // d = m.AsyncDatabaseConnection('h', 'd')
  const d = m.asyncDatabaseConnection("h", "d");
  // await t.attempt('main:closed', d.query('X'))
  await t.attempt("main:closed", d.query("X"));
  // async def f():
  const f = () =>
    // async with d: raise ValueError('x')
    withContext(d, () => {
      throw valueError("x");
    });
  // await t.attempt('main:e', f())
  await t.attempt("main:e", f());
  // t('main:conn', d.connection)
  t("main:conn", d.connection);
});

scenario("seed.ex08_pool", async (t) => {
  // await ex(8, t).resource_pool_example()
  await new Example8(t).resourcePoolExample();
});

scenario("seed.ex08_pool_cancel", async (t) => {
  // p = ex(8, t).AsyncResourcePool('P', 1)
  const p = new AsyncResourcePool(t, "P", 1);
  // async def w(n):
  // async with p: await sleep(5)
  const w = () => withContext(p, () => sleep(5000));
  // a, b, c = mk(w('a')), mk(w('b')), mk(w('c'))
  const [a, b, c] = [createTask(w), createTask(w), createTask(w)];
  // await sleep(1)
  await sleep(1000);
  // b.cancel()
  b.cancel();
  // a.cancel()
  a.cancel();
  // await sleep(1)
  await sleep(1000);
  // t('main:active', p.active_count)
  t("main:active", p.activeCount);
  // await c
  await c;
  // t('main:active', p.active_count)
  t("main:active", p.activeCount);
});

scenario("seed.ex08_http_closed", async (t) => {
  // await t.attempt('main:e', ex(8, t).AsyncHTTPSession('http://x').get('/a'))
  // There is no session that was not opened yet: only one that was closed.
  const session = new HttpSession({ baseUrl: "http://x" });
  session.close();
  await t.attempt("main:e", session.get("/a"));
});

scenario("seed.ex08_timer_shared", async (t) => {
  // tm = ex(8, t).AsyncTimer('T')
  const tm = new AsyncTimer(t, "T");
  // async def u(d, w):
  const u = async (d: number, w: number) => {
    // await sleep(w)
    await sleep(w * 1000);
    // async with tm: await sleep(d)
    await withContext(tm, () => sleep(d * 1000));
  };
  // await asyncio.gather(u(3, 0), u(1, 1))
  await gather([() => u(3, 0), () => u(1, 1)]);
});

scenario("seed.ex08_close_cancelled", async (t) => {
  // d = ex(8, t).AsyncDatabaseConnection('h', 'd')
  const d = new Example8(t).asyncDatabaseConnection("h", "d");
  // async def u():
  // async with d: pass
  const u = () => withContext(d, () => {});
  // k = mk(u())
  const k = createTask(u);
  // await sleep(0.6)
  await sleep(600);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:', k)
  await t.attempt("main:", k);
  // t('main:conn', d.connection)
  t("main:conn", d.connection);
}, { deviation: 2 });

scenario("seed.ex08_shared_connection", async (t) => {
  // d = ex(8, t).AsyncDatabaseConnection('h', 'd')
  const d = new Example8(t).asyncDatabaseConnection("h", "d");
  // async def u(n, w):
  const u = async (n: string, w: number) => {
    // async with d:
    await withContext(d, async () => {
      // await sleep(w)
      await sleep(w * 1000);
      // await t.attempt(f'{n}:', d.query(n))
      await t.attempt(`${n}:`, d.query(n));
    });
  };
  // await asyncio.gather(u('a', 0), u('b', 2))
  await gather([() => u("a", 0), () => u("b", 2)]);
});

scenario("seed.ex10_exact", async (t) => {
  // await ex(10, t).rate_limiter_example()
  await new Example10(t).rateLimiterExample();
});

scenario("seed.ex10_lock_sleep", async (t) => {
  // l = ex(10, t, skew=0.001).RateLimiter(1, 10.0)
  const l = new Example10Limiter(new Example10(t, 0.001), 1, 10);
  // async def c(n):
  const c = async (n: string) => {
    // async with l: t(f'{n}:in')
    await l.enter();
    t(`${n}:in`);
  };
  // await c('a')
  await c("a");
  // k = mk(c('b'))
  const k = createTask(() => c("b"));
  // await sleep(1)
  await sleep(1000);
  // await t.attempt('main:c', asyncio.wait_for(c('c'), 2))
  await t.attempt("main:c", waitFor(() => c("c"), 2000));
  // t('main:locked', l.lock.locked())
  t("main:locked", l.lock.locked);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:b', k)
  await t.attempt("main:b", k);
  // t('main:locked', l.lock.locked())
  t("main:locked", l.lock.locked);
});

scenario("seed.ex10_clock_back", async (t) => {
  // m = ex(10, t)
  const m = new Example10(t);
  // l = m.RateLimiter(1, 1.0)
  const l = new Example10Limiter(m, 1, 1);
  // async with l: t('a:in')
  await l.enter();
  t("a:in");
  // class Back:
  // def time(s): return 1000.0 + Clock.now - 3600
  // m.time = Back()
  const { time } = m;
  m.time = () => time() - 3600;
  // await t.attempt('b:', asyncio.wait_for(l.__aenter__(), 10))
  await t.attempt("b:", waitFor(() => l.enter(), 10_000));
});
