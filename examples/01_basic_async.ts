/**
 * Three tasks of 2 s take 6 s if each blocks, and 2 s if they wait at once.
 *
 * Run it: `deno run examples/01_basic_async.ts`
 */
import { gather } from "@ilmek/async/gather";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { Timer } from "@ilmek/async/timer";
import { type Block, blockThread } from "./_block.ts";
import { clockText } from "./_clock.ts";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /** How `syncTask` blocks; virtual time needs a way of its own. */
  block?: Block;
}

/** A plain function: it holds the thread, and nothing else runs meanwhile. */
export function syncTask(name: string, ms: number, block: Block): string {
  console.log(`[${clockText()}] ${name} başladı`);
  block(ms);
  console.log(`[${clockText()}] ${name} bitti`);
  return `${name} tamamlandı`;
}

/** An async function: only its caller waits, and others go on. */
export async function asyncTask(name: string, ms: number): Promise<string> {
  console.log(`[${clockText()}] ${name} başladı`);
  await sleep(ms);
  console.log(`[${clockText()}] ${name} bitti`);
  return `${name} tamamlandı`;
}

/** Takes 6 s: the sum. */
export function runSync(block: Block): void {
  const timer = new Timer();
  syncTask("Task-1", 2000, block);
  syncTask("Task-2", 2000, block);
  syncTask("Task-3", 2000, block);
  console.log(`Toplam süre: ${seconds(timer)} saniye`);
}

/** Takes 2 s: the longest. */
export async function runAsync(): Promise<void> {
  const timer = new Timer();
  await gather([
    () => asyncTask("Task-1", 2000),
    () => asyncTask("Task-2", 2000),
    () => asyncTask("Task-3", 2000),
  ]);
  console.log(`Toplam süre: ${seconds(timer)} saniye`);
}

export async function main(options: MainOptions = {}): Promise<void> {
  const { block = blockThread } = options;
  console.log("=== Senkron Çalıştırma ===");
  runSync(block);

  console.log("\n=== Asenkron Çalıştırma ===");
  await runAsync();
}

function seconds(timer: Timer): string {
  return (timer.elapsedMs / 1000).toFixed(2);
}

if (import.meta.main) await run(() => main());
