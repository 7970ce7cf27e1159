/**
 * Measures the operations that have goals, each in a process of its own, and
 * prints how they compare with the least that the platform can do it for, and with
 * the packages that a user would pick instead.
 *
 * ```sh
 * deno run --allow-read --allow-env --allow-run tools/bench_goals.ts
 * ```
 *
 * `--only <text>` measures the rows whose name contains the text. `--quick` looks
 * only whether everything runs: its figures mean nothing, and it never fails for
 * them.
 *
 * @module
 */
import type { Measured } from "../bench/measure.ts";

/** Ceilings for our cost, divided by that of another. */
interface Goals {
  readonly limit?: number;
  /** By the name of the case. */
  readonly peers?: Readonly<Record<string, number>>;
  /** For a growth: the cost of an item among many, over that among few. */
  readonly growth?: number;
}

/** One operation, where it is measured, and what it may cost. */
interface Row {
  readonly name: string;
  readonly unit: "ns" | "B" | "x";
  readonly module: string;
  readonly question: string;
  readonly goals: Goals;
}

const RESOURCE_POOL = "./patterns/resource_pool_bench.ts";
const RATE_LIMITER = "./patterns/rate_limiter_bench.ts";
const TASK_GROUP = "./primitives/task_group_bench.ts";
const TIMEOUT = "./primitives/timeout_bench.ts";
const SLEEP = "./primitives/sleep_bench.ts";
const QUEUE = "./primitives/queue_bench.ts";
const LIMIT = "./primitives/limit_bench.ts";
const CONCURRENT = "./primitives/concurrent_bench.ts";
const LOCK = "./primitives/lock_bench.ts";

const ASYNC_ITER = "./primitives/async_iter_bench.ts";

const THREADS = "./io/thread_pool_bench.ts";
const WORKERS = "./patterns/worker_pool_bench.ts";
const RETRY = "./patterns/retry_bench.ts";
const BULKHEAD = "./patterns/bulkhead_bench.ts";
const BREAKER = "./patterns/circuit_breaker_bench.ts";
const COMPOSE = "./patterns/compose_bench.ts";
const LOGGER = "./patterns/logger_bench.ts";

const LINES = "./io/lines_bench.ts";
const EXIT_STACK = "./primitives/exit_stack_bench.ts";
const LINE_GOALS: Goals = {
  limit: 5,
  peers: { "@std/streams": 0.5, "node:readline": 0.5 },
};
const QUEUE_GOALS: Goals = {
  limit: 1.4,
  peers: { "@std/async": 0.6, effect: 0.2 },
};
const GROWTH_GOALS: Goals = { growth: 3 };

const ROWS: readonly Row[] = [
  {
    name: "rate limiter, token there",
    unit: "ns",
    module: RATE_LIMITER,
    question: "tokenThere",
    goals: { limit: 4, peers: { "p-throttle": 0.4 } },
  },
  {
    name: "rate limiter, token there, synchronously",
    unit: "ns",
    module: RATE_LIMITER,
    question: "tokenThereNow",
    goals: { limit: 0.4, peers: { limiter: 0.3 } },
  },
  {
    name: "growth: waiters of a rate limiter",
    unit: "x",
    module: RATE_LIMITER,
    question: "waitersGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "pool, uncontended",
    unit: "ns",
    module: RESOURCE_POOL,
    question: "uncontended",
    goals: { limit: 5, peers: { "generic-pool": 0.1 } },
  },
  {
    name: "pool, 10 for 100 users",
    unit: "ns",
    module: RESOURCE_POOL,
    question: "contended",
    goals: { limit: 2.5, peers: { "generic-pool": 0.25 } },
  },
  {
    name: "createTask and await all",
    unit: "ns",
    module: TASK_GROUP,
    question: "createTask",
    goals: { limit: 1.5, peers: { effect: 0.35, effection: 0.05 } },
  },
  {
    name: "go, no-op",
    unit: "ns",
    module: TASK_GROUP,
    question: "go",
    goals: { limit: 2.5, peers: { "p-map": 0.15, effect: 0.05 } },
  },
  {
    name: "go, one microtask",
    unit: "ns",
    module: TASK_GROUP,
    question: "goMicrotask",
    goals: { limit: 2.5, peers: { "p-map": 0.15, effect: 0.05 } },
  },
  {
    name: "timeout around a quick call",
    unit: "ns",
    module: TIMEOUT,
    question: "quickCall",
    goals: { limit: 1, peers: { "@std/async": 0.5, "p-timeout": 0.3 } },
  },
  {
    name: "retry, first try succeeds",
    unit: "ns",
    module: RETRY,
    question: "firstTry",
    goals: { limit: 2.5, peers: { "@std/async": 1.1, cockatiel: 0.7 } },
  },
  {
    name: "a Retry that is kept",
    unit: "ns",
    module: RETRY,
    question: "policy",
    goals: { limit: 2.5, peers: { cockatiel: 0.7 } },
  },
  {
    name: "bulkhead, a slot free",
    unit: "ns",
    module: BULKHEAD,
    question: "free",
    goals: { limit: 3 },
  },
  {
    name: "adaptive bulkhead, a slot free",
    unit: "ns",
    module: BULKHEAD,
    question: "adaptive",
    // It reads the clock twice for each call.
    goals: { limit: 7 },
  },
  {
    name: "growth: calls that wait at a bulkhead",
    unit: "x",
    module: BULKHEAD,
    question: "waitersGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: calls of tenants that wait at a bulkhead",
    unit: "x",
    module: BULKHEAD,
    question: "tenantsGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "circuit breaker, closed",
    unit: "ns",
    module: BREAKER,
    question: "closed",
    goals: { limit: 2.5, peers: { cockatiel: 0.7, opossum: 0.15 } },
  },
  {
    name: "bulkhead + retry + breaker",
    unit: "ns",
    module: COMPOSE,
    question: "stack",
    goals: { limit: 7, peers: { cockatiel: 0.5 } },
  },
  {
    name: "timeout + bulkhead + retry + breaker",
    unit: "ns",
    module: COMPOSE,
    question: "withTimeout",
    goals: { limit: 30, peers: { cockatiel: 0.3 } },
  },
  {
    name: "log at a level that is off",
    unit: "ns",
    module: LOGGER,
    question: "off",
    goals: { limit: 6, peers: { pino: 2.5 } },
  },
  {
    name: "log a line of JSON",
    unit: "ns",
    module: LOGGER,
    question: "line",
    goals: { limit: 3.5, peers: { pino: 1.5 } },
  },
  {
    name: "10k sleeps, cancel all",
    unit: "ns",
    module: SLEEP,
    question: "cancelled",
    goals: { limit: 0.7, peers: { effect: 0.15 } },
  },
  {
    name: "10k sleeps to the end",
    unit: "ns",
    module: SLEEP,
    question: "toTheEnd",
    goals: { limit: 0.4, peers: { "@std/async": 0.4 } },
  },
  {
    name: "a line of bytes",
    unit: "ns",
    module: LINES,
    question: "memory",
    goals: LINE_GOALS,
  },
  {
    name: "a line of a file",
    unit: "ns",
    module: LINES,
    question: "file",
    goals: LINE_GOALS,
  },
  {
    name: "an exit of a stack",
    unit: "ns",
    module: EXIT_STACK,
    question: "callbacks",
    goals: { limit: 8 },
  },
  {
    name: "queue 1x1, bounded",
    unit: "ns",
    module: QUEUE,
    question: "oneBounded",
    goals: QUEUE_GOALS,
  },
  {
    name: "queue 1x1, unbounded",
    unit: "ns",
    module: QUEUE,
    question: "oneUnbounded",
    goals: QUEUE_GOALS,
  },
  {
    name: "queue 4x4, bounded",
    unit: "ns",
    module: QUEUE,
    question: "fourBounded",
    goals: QUEUE_GOALS,
  },
  {
    name: "queue 4x4, unbounded",
    unit: "ns",
    module: QUEUE,
    question: "fourUnbounded",
    goals: QUEUE_GOALS,
  },
  {
    name: "map no-op, 10 at once",
    unit: "ns",
    module: CONCURRENT,
    question: "noopTen",
    goals: { limit: 2, peers: { "p-map": 0.15 } },
  },
  {
    name: "map no-op, 100 at once",
    unit: "ns",
    module: CONCURRENT,
    question: "noopHundred",
    goals: { limit: 2, peers: { "p-map": 0.15 } },
  },
  {
    name: "map one microtask, 10 at once",
    unit: "ns",
    module: CONCURRENT,
    question: "microtaskTen",
    goals: { limit: 1.5, peers: { "p-map": 0.35 } },
  },
  {
    name: "limit and await all",
    unit: "ns",
    module: LIMIT,
    question: "calls",
    goals: { limit: 6, peers: { "async-sema": 0.85, "p-limit": 0.5 } },
  },
  {
    name: "lock and unlock",
    unit: "ns",
    module: LOCK,
    question: "uncontended",
    goals: { limit: 2, peers: { "async-sema": 0.4 } },
  },
  {
    name: "lock and unlock in a task",
    unit: "ns",
    module: LOCK,
    question: "inTask",
    goals: { limit: 2.5, peers: { "async-sema": 0.4 } },
  },
  {
    name: "lock: take a permit of a semaphore",
    unit: "ns",
    module: LOCK,
    question: "semaphore",
    goals: { limit: 2, peers: { "async-sema": 0.4 } },
  },
  {
    name: "lock: tryAcquire of a semaphore",
    unit: "ns",
    module: LOCK,
    question: "tryAcquire",
    goals: { limit: 0.16 },
  },
  {
    name: "lock: tryAcquire",
    unit: "ns",
    module: LOCK,
    question: "tryLock",
    goals: { limit: 0.16 },
  },
  {
    name: "lock: permit with try/finally",
    unit: "ns",
    module: LOCK,
    question: "permit",
    goals: { limit: 4, peers: { "@std/async": 0.2 } },
  },
  {
    name: "lock.run",
    unit: "ns",
    module: LOCK,
    question: "run",
    goals: { limit: 6, peers: { "p-limit": 0.3 } },
  },
  {
    name: "lock with 100 waiters",
    unit: "ns",
    module: LOCK,
    question: "contended",
    goals: { limit: 2, peers: { "async-sema": 1, "async-mutex": 0.3 } },
  },
  {
    name: "lock with 100 tasks that wait",
    unit: "ns",
    module: LOCK,
    question: "contendedTasks",
    goals: { limit: 2, peers: { "async-sema": 1 } },
  },
  {
    name: "bytes of a waiter of a lock",
    unit: "B",
    module: LOCK,
    question: "waiterBytes",
    goals: { limit: 2, peers: { "async-sema": 1 } },
  },
  {
    name: "growth: waiters of a lock",
    unit: "x",
    module: LOCK,
    question: "waitersGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: waiters of a lock, cancelled",
    unit: "x",
    module: LOCK,
    question: "middleGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "jobs of a worker pool",
    unit: "ns",
    module: WORKERS,
    question: "jobs",
    goals: { peers: { "p-queue": 1 } },
  },
  {
    name: "thread call, 500 in flight",
    unit: "ns",
    module: THREADS,
    question: "inFlight",
    goals: { limit: 1.5, peers: { piscina: 0.5, workerpool: 0.5 } },
  },
  {
    name: "thread call, one at a time",
    unit: "ns",
    module: THREADS,
    question: "oneAtATime",
    goals: { limit: 1.5, peers: { piscina: 1, workerpool: 1 } },
  },
  {
    name: "bytes of a waiter",
    unit: "B",
    module: QUEUE,
    question: "waiterBytes",
    goals: { limit: 2, peers: { "async-sema": 1 } },
  },
  {
    name: "bytes of a task",
    unit: "B",
    module: TASK_GROUP,
    question: "taskBytes",
    goals: { limit: 1.8, peers: { effect: 0.85 } },
  },
  {
    name: "bytes of a sleeper",
    unit: "B",
    module: SLEEP,
    question: "bytes",
    goals: { limit: 0.6, peers: { "@std/async": 0.4 } },
  },
  {
    name: "pipeline, async source",
    unit: "ns",
    module: ASYNC_ITER,
    question: "asyncSource",
    goals: { limit: 2.5, peers: { "streaming-iterables": 0.75 } },
  },
  {
    name: "pipeline, sync source",
    unit: "ns",
    module: ASYNC_ITER,
    question: "syncSource",
    goals: { limit: 6, peers: { effect: 0.8 } },
  },
  {
    name: "concurrent map, as they come",
    unit: "ns",
    module: ASYNC_ITER,
    question: "unordered",
    goals: { limit: 2, peers: { "streaming-iterables": 0.75 } },
  },
  {
    name: "concurrent map, ordered",
    unit: "ns",
    module: ASYNC_ITER,
    question: "ordered",
    goals: { limit: 2.8, peers: { "p-map": 0.75 } },
  },
  {
    name: "growth: tasks",
    unit: "x",
    module: TASK_GROUP,
    question: "tasksGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: members without a task",
    unit: "x",
    module: TASK_GROUP,
    question: "goGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: sleepers",
    unit: "x",
    module: SLEEP,
    question: "endGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: sleepers of different lengths",
    unit: "x",
    module: SLEEP,
    question: "lengthsGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: exits of a stack",
    unit: "x",
    module: EXIT_STACK,
    question: "growth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: cancel all",
    unit: "x",
    module: SLEEP,
    question: "cancelGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: cancel from the middle",
    unit: "x",
    module: QUEUE,
    question: "middleGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: queued waiters",
    unit: "x",
    module: QUEUE,
    question: "waitersGrowth",
    goals: GROWTH_GOALS,
  },
  {
    name: "growth: queued items",
    unit: "x",
    module: QUEUE,
    question: "itemsGrowth",
    goals: GROWTH_GOALS,
  },
];

/** A ratio that is no farther from its goal is in doubt, and measured again. */
const DOUBT = 0.1;
/** How many processes settle a doubt, by their median. */
const DOUBT_RUNS = 3;

const CHILD_FLAGS = [
  "run",
  "--quiet",
  "--no-check",
  "--no-lock",
  "--node-modules-dir=none",
  "--allow-read",
  "--allow-env",
  "--allow-sys",
  "--v8-flags=--expose-gc,--no-flush-bytecode",
];

/** What one goal came to. */
interface Verdict {
  readonly against: string;
  readonly goal: number;
  /** Absent if the peer was left out. */
  readonly ratio: number | undefined;
}

/** One line of the table. */
interface Line {
  readonly row: Row;
  readonly measured: readonly Measured[];
  readonly verdicts: readonly Verdict[];
}

const notes = new Set<string>();

async function measureRow(row: Row, isQuick: boolean): Promise<Line> {
  const runs = [await runChild(row, isQuick)];
  const isInDoubt = judge(row, runs[0] ?? []).some(({ ratio, goal }) =>
    ratio !== undefined && ratio > goal * (1 - DOUBT)
  );
  if (isInDoubt && !isQuick && row.unit !== "B") {
    while (runs.length < DOUBT_RUNS) runs.push(await runChild(row, isQuick));
  }
  const measured = (runs[0] ?? []).map(({ name, kind }) => {
    const values = runs.flatMap((run) =>
      run.filter((other) => other.name === name).map(({ value }) => value)
    );
    return { name, kind, value: median(values) };
  });
  return { row, measured, verdicts: judge(row, measured) };
}

async function runChild(row: Row, isQuick: boolean): Promise<Measured[]> {
  const root = new URL("../", import.meta.url);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...CHILD_FLAGS,
      "--import-map=bench/import_map.json",
      "bench/measure.ts",
      row.module,
      row.question,
      ...(isQuick ? ["--quick"] : []),
    ],
    cwd: root,
  }).output();
  const errors = new TextDecoder().decode(stderr);
  for (const line of errors.split("\n")) {
    if (line.startsWith("note: ")) notes.add(line);
  }
  if (success) return JSON.parse(new TextDecoder().decode(stdout));
  console.error(errors);
  console.error(`Cannot measure "${row.name}": its process has failed`);
  Deno.exit(1);
}

function judge(row: Row, measured: readonly Measured[]): Verdict[] {
  const valueOf = (isMeant: (one: Measured) => boolean): number | undefined =>
    measured.find(isMeant)?.value;
  const ours = valueOf(({ kind }) => kind === "ours") ?? NaN;
  const { limit, growth, peers = {} } = row.goals;
  const verdicts: Verdict[] = [];
  const against = (name: string, goal: number, other: number | undefined) => {
    const ratio = other === undefined ? undefined : ours / other;
    verdicts.push({ against: name, goal, ratio });
  };
  if (growth !== undefined) against("growth", growth, 1);
  for (const [name, goal] of Object.entries(peers)) {
    against(name, goal, valueOf((one) => one.name === name));
  }
  if (limit !== undefined) {
    against("limit", limit, valueOf(({ kind }) => kind === "limit"));
  }
  return verdicts;
}

function isMissed({ ratio, goal }: Verdict): boolean {
  return ratio !== undefined && !(ratio <= goal);
}

function cellsOf({ row, measured, verdicts }: Line): string[] {
  const { unit } = row;
  const ofKind = (kind: Measured["kind"]) =>
    measured.filter((one) => one.kind === kind)
      .sort((a, b) => a.value - b.value)[0];
  const [limit, ours, peer] = [ofKind("limit"), ofKind("ours"), ofKind("peer")];
  const amount = (one: Measured | undefined) =>
    one === undefined ? "" : `${format(one.value)} ${unit}`;
  const goals = verdicts.map(({ against, goal, ratio }) =>
    ratio === undefined
      ? `${against} left out`
      : `${against} ${ratio.toFixed(2)} (<= ${goal})`
  );
  const missed = verdicts.filter(isMissed).map(({ against }) => against);
  return [
    row.name,
    amount(limit),
    peer === undefined ? "" : `${amount(peer)} ${peer.name}`,
    amount(ours),
    goals.join(", "),
    missed.length === 0 ? "met" : `MISSED: ${missed.join(", ")}`,
  ];
}

function printTable(rows: readonly string[][]): void {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0))
  );
  for (const [i, cells] of rows.entries()) {
    const padded = cells.map((cell, column) =>
      cell.padEnd(widths[column] ?? 0)
    );
    console.log(`| ${padded.join(" | ")} |`);
    if (i > 0) continue;
    console.log(`| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  }
}

function format(value: number): string {
  return value < 100 ? value.toPrecision(3) : Math.round(value).toString();
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** The rows that the arguments name. */
function chosenRows(args: readonly string[]): readonly Row[] {
  const index = args.indexOf("--only");
  if (index === -1) return ROWS;
  const text = args[index + 1] ?? "";
  const rows = ROWS.filter(({ name }) => name.includes(text));
  if (rows.length > 0) return rows;
  console.error(`No row contains "${text}". There are:`);
  for (const { name } of ROWS) console.error(`  ${name}`);
  Deno.exit(1);
}

if (import.meta.main) {
  const isQuick = Deno.args.includes("--quick");
  const lines: Line[] = [];
  for (const row of chosenRows(Deno.args)) {
    const line = await measureRow(row, isQuick);
    lines.push(line);
    console.error(cellsOf(line).filter((cell) => cell !== "").join(" | "));
  }
  const { deno, v8 } = Deno.version;
  const cores = navigator.hardwareConcurrency;
  const date = new Date().toISOString().slice(0, 10);
  console.log(`\n${date}, Deno ${deno}, V8 ${v8}, ${cores} cores\n`);
  printTable([
    ["operation", "limit", "best peer", "ours", "ours / other (goal)", ""],
    ...lines.map(cellsOf),
  ]);
  for (const note of notes) console.log(`\n${note}`);
  const missed = lines.filter(({ verdicts }) => verdicts.some(isMissed));
  if (isQuick) console.log("\nQuick: the figures mean nothing");
  else if (missed.length > 0) {
    console.log(`\nMissed: ${missed.map(({ row }) => row.name).join("; ")}`);
    Deno.exit(1);
  }
}
