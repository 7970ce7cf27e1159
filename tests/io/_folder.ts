import { abortable } from "@ilmek/async/checkpoint";

/** Runs a test with a folder of its own. The clock of a virtual loop stands for it. */
export async function inFolder(
  fn: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await abortable(Deno.makeTempDir());
  try {
    await fn(await Deno.realPath(folder));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
