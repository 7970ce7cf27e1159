import { gather } from "@ilmek/async/gather";
import { iter } from "@ilmek/async/async-iter";
import { range } from "@ilmek/async/range";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import {
  anext,
  AsyncDataFetcher,
  AsyncFileReader,
  Example9,
  StopAsyncIteration,
} from "./guide_iterators.ts";
import { scenario, valueError } from "./harness.ts";

scenario("agen.asend_unstarted", async (t) => {
  // async def g(): yield 1
  const g = async function* (): AsyncGenerator<number, void, unknown> {
    yield 1;
  };
  // x = g()
  const x = g();
  // await t.attempt('main:e', x.asend(5))
  await t.attempt("main:e", x.next(5).then(({ value }) => value));
  // t('main:v', await x.asend(None))
  t("main:v", (await x.next()).value);
  // await x.aclose()
  await x.return();
}, { deviation: 8 });

scenario("agen.athrow_uncaught", async (t) => {
  // async def g():
  const g = async function* () {
    // try: yield 1
    try {
      yield 1;
    } finally {
      // finally: t('g:finally')
      t("g:finally");
    }
  };
  // x = g()
  const x = g();
  // await x.asend(None)
  await x.next();
  // await t.attempt('main:e', x.athrow(ValueError('x')))
  await t.attempt("main:e", x.throw(valueError("x")));
  // await t.attempt('main:n', anext(x))
  await t.attempt("main:n", anext(x));
});

scenario("agen.aclose", async (t) => {
  // async def g():
  const g = async function* () {
    // try: yield 1; yield 2
    try {
      yield 1;
      yield 2;
    } finally {
      // finally: await sleep(1); t('g:finally')
      await sleep(1000);
      t("g:finally");
    }
  };
  // x = g()
  const x = g();
  // await anext(x)
  await anext(x);
  // await x.aclose()
  await x.return();
  // t('main:closed')
  t("main:closed");
  // await x.aclose()
  await x.return();
  // await t.attempt('main:n', anext(x))
  await t.attempt("main:n", anext(x));
});

scenario("agen.aclose_unstarted", async (t) => {
  // async def g():
  const g = async function* () {
    // t('g:never')
    t("g:never");
    // try: yield 1
    try {
      yield 1;
    } finally {
      // finally: t('g:never2')
      t("g:never2");
    }
  };
  // x = g()
  const x = g();
  // await x.aclose()
  await x.return();
  // t('main:closed')
  t("main:closed");
});

scenario("agen.break_no_close", async (t) => {
  // async def g():
  const g = async function* () {
    // try:
    try {
      // for i in range(5): yield i
      for (let i = 0; i < 5; i++) yield i;
    } finally {
      // finally: t('g:finally')
      t("g:finally");
    }
  };
  // x = g()
  const x = g();
  // async for i in x:
  for await (const i of x) {
    // t('main:i', i)
    t("main:i", i);
    // if i == 1: break
    if (i === 1) break;
  }
  // t('main:after_break')
  t("main:after_break");
  // t('main:next', await anext(x))
  await t.attempt("main:next", anext(x));
  // await x.aclose()
  await x.return();
  // t('main:end')
  t("main:end");
}, { deviation: 8 });

scenario("agen.aclosing", async (t) => {
  // async def g():
  const g = async function* () {
    // try:
    try {
      // for i in range(5): yield i
      for (let i = 0; i < 5; i++) yield i;
    } finally {
      // finally: await sleep(1); t('g:finally')
      await sleep(1000);
      t("g:finally");
    }
  };
  {
    // async with aclosing(g()) as x:
    await using x = g();
    // async for i in x:
    for await (const i of x) {
      // t('main:i', i)
      t("main:i", i);
      // if i == 1: break
      if (i === 1) break;
    }
  }
  // t('main:end')
  t("main:end");
});

scenario("agen.finalise_on_gc", async (t) => {
  // async def g():
  const g = async function* () {
    // try: yield 1
    try {
      yield 1;
    } finally {
      // finally: await sleep(1); t('g:finally')
      await sleep(1000);
      t("g:finally");
    }
  };
  // x = g()
  // await anext(x)
  // del x
  await anext(g());
  // gc.collect()
  // t('main:dropped')
  t("main:dropped");
  // await sleep(2)
  await sleep(2000);
  // t('main:end')
  t("main:end");
}, { deviation: 8 });

scenario("agen.error_ends", async (t) => {
  // async def g(): yield 1; raise ValueError('g')
  const g = async function* () {
    yield 1;
    throw valueError("g");
  };
  // x = g()
  const x = g();
  // t('main:1', await anext(x))
  t("main:1", await anext(x));
  // await t.attempt('main:2', anext(x))
  await t.attempt("main:2", anext(x));
  // await t.attempt('main:3', anext(x))
  await t.attempt("main:3", anext(x));
});

scenario("agen.stop_inside", async (t) => {
  // async def g(): yield 1; raise StopAsyncIteration
  const g = async function* () {
    yield 1;
    throw new StopAsyncIteration();
  };
  // x = g()
  const x = g();
  // await anext(x)
  await anext(x);
  // await t.attempt('main:e', anext(x))
  await t.attempt("main:e", anext(x));
}, { deviation: 8 });

scenario("agen.cancel_inside", async (t) => {
  // async def g():
  const g = async function* () {
    // try:
    try {
      // while True: await sleep(1); yield 1
      while (true) {
        await sleep(1000);
        yield 1;
      }
    } finally {
      // finally: t('g:finally')
      t("g:finally");
    }
  };
  // x = g()
  const x = g();
  // async def c():
  const c = async () => {
    // async for _ in x: t('c:got')
    for await (const _ of iter(x)) t("c:got");
  };
  // k = mk(c())
  const k = createTask(c);
  // await sleep(2.5)
  await sleep(2500);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // await t.attempt('main:n', anext(x))
  await t.attempt("main:n", anext(x));
});

scenario("agen.pipeline_close", async (t) => {
  // async def src():
  const src = async function* () {
    // try:
    try {
      // for i in range(5): yield i
      for (let i = 0; i < 5; i++) yield i;
    } finally {
      // finally: t('src:finally')
      t("src:finally");
    }
  };
  // async def st(s):
  const st = async function* (s: AsyncGenerator<number>) {
    // try:
    try {
      // async for i in s: yield i
      for await (const i of s) yield i;
    } finally {
      // finally: t('st:finally')
      t("st:finally");
    }
  };
  // s = src()
  const s = src();
  // x = st(s)
  const x = st(s);
  // await anext(x)
  await anext(x);
  // await x.aclose()
  await x.return();
  // t('main:outer_closed')
  t("main:outer_closed");
  // await s.aclose()
  await s.return(undefined);
}, { deviation: { fifo: 8 } });

scenario("agen.comprehension", async (t) => {
  // async def c(a, b, d):
  //     for i in range(a, b): await sleep(d); yield i
  const c = (a: number, b: number, d: number) =>
    iter(range(a, b, { everyMs: d * 1000 }));
  // t('main:l', [i ** 2 async for i in c(1, 6, .1)])
  t("main:l", await c(1, 6, 0.1).map((i) => i ** 2).toArray());
  // t('main:f', [i async for i in c(1, 11, .05) if i % 2 == 0])
  t("main:f", await c(1, 11, 0.05).filter((i) => i % 2 === 0).toArray());
  // t('main:d', {i: i ** 2 async for i in c(1, 6, .05)})
  const d = await c(1, 6, 0.05).map((i) => [i, i ** 2] as const).toMap();
  t("main:d", Object.fromEntries(d));
});

scenario("agen.iterator_class", async (t) => {
  // class R:
  class R implements AsyncIterableIterator<number> {
    // def __init__(s): s.c = 0
    c = 0;
    // def __aiter__(s): return s
    [Symbol.asyncIterator](): this {
      return this;
    }
    // async def __anext__(s):
    async next(): Promise<IteratorResult<number>> {
      // if s.c >= 10: raise StopAsyncIteration
      if (this.c >= 10) return { done: true, value: undefined };
      // await sleep(.1)
      await sleep(100);
      // v = s.c; s.c += 2; return v
      const v = this.c;
      this.c += 2;
      return { done: false, value: v };
    }
  }
  // r = R()
  const r = new R();
  // t('main:l', [x async for x in r])
  t("main:l", await iter(r).toArray());
  // t('main:again', [x async for x in r])
  t("main:again", await iter(r).toArray());
});

scenario("agen.batch", async (t) => {
  // async def b(x, n):
  //     for i in range(0, len(x), n): await sleep(.1); yield x[i:i + n]
  const b = (x: Iterable<number>, n: number) =>
    iter(x).batch(n).tap(() => sleep(100));
  // async for c in b(list(range(7)), 5): t('main:b', c)
  for await (const c of b(Array(7).keys(), 5)) t("main:b", c);
  // t('main:e', [c async for c in b([], 5)])
  t("main:e", await b([], 5).toArray());
});

scenario("seed.ex09_fetcher_closed", async (t) => {
  // await t.attempt('main:e', m.AsyncDataFetcher('u', 1, 2).__anext__())
  await t.attempt("main:e", anext(new AsyncDataFetcher("u", 1, 2)));
  // await t.attempt('main:empty', m.AsyncDataFetcher('u', 2, 1).__anext__())
  await t.attempt("main:empty", anext(new AsyncDataFetcher("u", 2, 1)));
});

scenario("seed.ex09_reader_blank", async (t) => {
  // p = f'/tmp/_oracle_{os.getpid()}.txt'
  // open(p, 'w').write('a\n\n  b  \nlast')
  const p = "a\n\n  b  \nlast";
  // async with m.AsyncFileReader(p) as r: t('l:', [x async for x in r])
  t("l:", await iter(new AsyncFileReader().enter(p)).toArray());
  // t.tryit('x:', lambda: None)
  t.tryIt("x:", () => undefined);
  // await t.attempt('closed:', m.AsyncFileReader(p).__anext__())
  await t.attempt("closed:", anext(new AsyncFileReader()));
});

scenario("seed.ex09_fetcher_race", async (t) => {
  // class Ses:
  //     def get(s, u): t('get:', u); return R(u)
  const session = {
    async get(u: string) {
      t("get:", u);
      // async def __aenter__(s): await sleep(1); return s
      await sleep(1000);
      // async def json(s): return s.u
      return { json: () => Promise.resolve(u) };
    },
  };
  // f = m.AsyncDataFetcher('b', 1, 3)
  const f = new AsyncDataFetcher("b", 1, 3);
  // f.session = Ses()
  f.session = session;
  // t('main:', await asyncio.gather(f.__anext__(), f.__anext__()))
  t("main:", await gather([() => anext(f), () => anext(f)]));
  // t('main:', [x async for x in f])
  t("main:", await iter(f).toArray());
});

scenario("seed.ex09_batch_zero", async (t) => {
  // m = ex(9, t)
  const m = new Example9(t);
  // await t.attempt('zero:', anext(m.async_batch_generator([1, 2], 0)))
  await t.attempt("zero:", anext(m.asyncBatchGenerator([1, 2], 0)));
  // t('neg:', [b async for b in m.async_batch_generator([1, 2], -1)])
  t("neg:", await iter(m.asyncBatchGenerator([1, 2], -1)).toArray());
});

scenario("seed.ex09_processor_leak", async (t) => {
  // m = ex(9, t)
  const m = new Example9(t);
  // async def src():
  const src = async function* () {
    // try:
    try {
      // for i in range(9): yield i
      for (let i = 0; i < 9; i++) yield i;
    } finally {
      // finally: t('src:closed')
      t("src:closed");
    }
  };
  // s = src()
  const s = src();
  // p = m.async_stream_processor(s)
  const p = m.asyncStreamProcessor(s);
  // async for x in p: t('main:', x); break
  for await (const x of p) {
    t("main:", x);
    break;
  }
  // await p.aclose()
  await p.return();
  // t('main:after_close')
  t("main:after_close");
  // await s.aclose()
  await s.return();
});
