import { assert, assertEquals } from "@std/assert";
import { pathToFileURL } from "node:url";
import type { Program } from "../../examples/_programs.ts";
import { perform, problemsOf, TRACED } from "./_programs.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);

/** Calls of `sleep` that do not run here: on demand only, and in a thread. */
const UNREACHED = [
  "signalHandlerExample",
  "asyncTaskInThread",
  "createApplication",
];

for (const program of TRACED) {
  Deno.test(`A change of any sleep() in ${program.file} shows`, async (t) => {
    const source = await Deno.readTextFile(new URL(program.file, EXAMPLES));
    const calls = [...source.matchAll(/\bsleep\(/g)].map(({ index }) => index);
    assert(calls.length > 0);

    for (const index of calls) {
      const owner = functionAround(source, index);
      if (UNREACHED.includes(owner)) continue;
      await t.step(owner, async () => {
        // What another wait outlasts, or cuts short, shows in one of the two.
        assert(
          await shows(program, stretch(source, index, 1 / 4)) ||
            await shows(program, stretch(source, index, 4)),
        );
      });
    }
  });

  Deno.test(`A copy of ${program.file} without a change shows nothing`, async () => {
    const source = await Deno.readTextFile(new URL(program.file, EXAMPLES));
    const changed = await importChanged(program, source);

    const captured = await perform(program, { changed });

    assertEquals(problemsOf(program, captured), []);
  });
}

async function shows(program: Program, source: string): Promise<boolean> {
  const changed = await importChanged(program, source);
  const captured = await perform(program, { changed });
  return problemsOf(program, captured).length > 0;
}

/** Makes one call of `sleep` wait for several times as long. */
function stretch(source: string, index: number, factor: number): string {
  return source.slice(0, index) + "stretched(" +
    source.slice(index + "sleep(".length) +
    `\nfunction stretched(ms, ...rest) {
      return sleep(ms * ${factor}, ...rest);
    }\n`;
}

/** The name of the function in which something stands. */
function functionAround(source: string, index: number): string {
  const names = [
    ...source.slice(0, index).matchAll(/^export .*function\*? (\w+)/gm),
  ];
  return names.at(-1)?.[1] ?? "main";
}

/** Imports a copy, which shares all other modules with the original. */
async function importChanged(
  program: Program,
  source: string,
): Promise<object> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/${program.file}`;
    const copy = source.replaceAll(
      /(from|import\.meta\.resolve\() ?"(@ilmek\/async\/[\w-]+|\.\/\w+\.ts)"/g,
      (_, head, specifier) => `${head} "${resolve(specifier)}"`,
    );
    await Deno.writeTextFile(path, copy);
    return await import(pathToFileURL(path).href);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function resolve(specifier: string): string {
  return specifier.startsWith(".")
    ? new URL(specifier, EXAMPLES).href
    : import.meta.resolve(specifier);
}
