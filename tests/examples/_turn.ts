import { tmpdir } from "node:os";
import { join } from "node:path";

/** Programs that write where the guide does: two runs at once would collide. */
const FILES: readonly string[] = [
  "08_async_context_managers.ts",
  "09_async_iterators.ts",
  "guide.ts",
];

/** Keeps other test runs on this machine from running a program meanwhile. */
export async function turnOf(program: string): Promise<Disposable> {
  if (!FILES.includes(program)) return { [Symbol.dispose]: () => {} };
  const file = await Deno.open(join(tmpdir(), "ilmek_examples.lock"), {
    create: true,
    write: true,
  });
  await file.lock(true);
  return file;
}
