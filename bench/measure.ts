/**
 * Answers one question in a process of its own, for `tools/bench_goals.ts`:
 * `measure.ts <module> <question> [--quick]` prints what it found as JSON.
 *
 * @module
 */
import type { Case, HoldCase, Question } from "./question.ts";

/** What one case needs: nanoseconds or bytes an item, or how that grows. */
export interface Measured {
  readonly name: string;
  readonly kind: Case["kind"];
  readonly value: number;
}

/** How thoroughly to measure. */
interface Effort {
  readonly rounds: number;
  /** How long each case runs before it counts. */
  readonly warmUpMs: number;
  /** How long it runs once more before each sample. */
  readonly settleMs: number;
  readonly sampleMs: number;
  readonly fewItems: number;
  readonly manyItems: number;
  readonly heldItems: number;
}

const THOROUGH: Effort = {
  rounds: 11,
  warmUpMs: 300,
  settleMs: 100,
  sampleMs: 50,
  fewItems: 1_000,
  manyItems: 100_000,
  heldItems: 20_000,
};

const QUICK: Effort = {
  rounds: 1,
  warmUpMs: 0,
  settleMs: 0,
  sampleMs: 0,
  fewItems: 100,
  manyItems: 1_000,
  heldItems: 1_000,
};

/** Bytes hardly vary, and growth shows soon. */
const BYTES_ROUNDS = 3;
const GROWTH_ROUNDS = 5;

/** A heap that changes by less has come to rest. */
const REST_BYTES = 1024;

type CollectGarbage = (options?: { type: "minor" }) => void;
const gc = (globalThis as { gc?: CollectGarbage }).gc;

function answer(question: Question, effort: Effort): Promise<Measured[]> {
  switch (question.kind) {
    case "speed":
      return measureSpeed(question.cases, question.items, effort);
    case "growth":
      return measureGrowth(question.cases, effort);
    case "bytes":
      return measureBytes(question.cases, effort);
  }
}

/** Nanoseconds an item. */
async function measureSpeed(
  cases: readonly Case[],
  items: number,
  effort: Effort,
): Promise<Measured[]> {
  const batches: number[] = [];
  for (const { run } of cases) {
    const { warmUpMs, sampleMs } = effort;
    const start = performance.now();
    let batchMs = Infinity;
    do {
      const batchStart = performance.now();
      await run(items);
      batchMs = Math.min(batchMs, performance.now() - batchStart);
    } while (performance.now() - start < warmUpMs);
    batches.push(Math.max(1, Math.ceil(sampleMs / batchMs)));
  }
  const samples = cases.map((): number[] => []);
  for (let round = 0; round < effort.rounds; round++) {
    for (const i of orderOf(round, cases.length)) {
      const { run } = cases[i] as Case;
      const count = batches[i] as number;
      await settle(() => run(items), effort);
      const start = performance.now();
      for (let batch = 0; batch < count; batch++) await run(items);
      const elapsedMs = performance.now() - start;
      samples[i]?.push(elapsedMs * 1e6 / (count * items));
    }
  }
  return summarize(cases, samples);
}

/** Runs a case until what the one before has left is collected. */
async function settle(run: () => unknown, effort: Effort): Promise<void> {
  const start = performance.now();
  while (performance.now() - start < effort.settleMs) await run();
  // Not a full collection: that throws away optimized code, and the sample would
  // measure how it is made again.
  gc?.({ type: "minor" });
}

/**
 * All indexes, in another order each round: that spreads what else the machine
 * does, and what the case before has left, over all cases.
 */
function orderOf(round: number, length: number): number[] {
  const indexes = Array.from({ length }, (_, i) => (round + i) % length);
  return round % 2 === 0 ? indexes : indexes.reverse();
}

/** What an item takes when there are many, over what it takes among few. */
async function measureGrowth(
  cases: readonly Case[],
  effort: Effort,
): Promise<Measured[]> {
  const sized = [effort.fewItems, effort.manyItems];
  const rounds = Math.min(effort.rounds, GROWTH_ROUNDS);
  const found: Measured[] = [];
  for (const { name, kind, run } of cases) {
    const both: number[][] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      for (const [i, items] of sized.entries()) {
        // Both sizes do the same work in all.
        const count = effort.manyItems / items;
        await settle(() => run(effort.fewItems), effort);
        const start = performance.now();
        for (let batch = 0; batch < count; batch++) await run(items);
        const elapsedMs = performance.now() - start;
        // The first round warms up.
        if (round > 0) both[i]?.push(elapsedMs);
      }
    }
    const [few = [], many = []] = both;
    found.push({ name, kind, value: median(many) / median(few) });
  }
  return found;
}

/** Bytes of heap an item. */
async function measureBytes(
  cases: readonly HoldCase[],
  effort: Effort,
): Promise<Measured[]> {
  const { heldItems } = effort;
  const rounds = Math.min(effort.rounds, BYTES_ROUNDS);
  const samples = cases.map((): number[] => []);
  for (const [i, { hold }] of cases.entries()) {
    // The first rounds compile, and grow what stays.
    for (let round = -2; round < rounds; round++) {
      const bytes = await bytesOf(hold, heldItems);
      if (round >= 0) samples[i]?.push(bytes / heldItems);
    }
  }
  return summarize(cases, samples);
}

/** A call of its own for each batch: else its frame would keep the last one. */
async function bytesOf(hold: HoldCase["hold"], items: number): Promise<number> {
  const before = await usedBytes();
  const release = await hold(items);
  const after = await usedBytes();
  await release();
  return after - before;
}

/** What the heap holds, once everything under way has come to rest. */
async function usedBytes(): Promise<number> {
  let used = Infinity;
  for (let previous = NaN; !(Math.abs(previous - used) < REST_BYTES);) {
    previous = used;
    await new Promise((resolve) => setTimeout(resolve, 5));
    gc?.();
    used = Deno.memoryUsage().heapUsed;
  }
  return used;
}

function summarize(
  cases: readonly Pick<Case, "name" | "kind">[],
  samples: readonly number[][],
): Measured[] {
  return cases.map(({ name, kind }, i) => ({
    name,
    kind,
    value: median(samples[i] ?? []),
  }));
}

/** The middle one. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

if (import.meta.main) {
  const [path = "", name = "", mode] = Deno.args;
  const { questions } = await import(import.meta.resolve(path)) as {
    questions: Record<string, Question>;
  };
  const question = questions[name];
  if (question === undefined) {
    throw new TypeError(`Cannot measure: ${path} asks no question "${name}"`);
  }
  const effort = mode === "--quick" ? QUICK : THOROUGH;
  console.log(JSON.stringify(await answer(question, effort)));
  // A registry that never answers would keep the process alive.
  Deno.exit(0);
}
