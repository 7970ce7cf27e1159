import { assertEquals } from "@std/assert";
import { pathToFileURL } from "node:url";
import { checkDocs } from "../../tools/check_docs.ts";

const HEAD = `/**
 * A module.
 *
 * \`\`\`ts
 * import { f } from "@ilmek/async/x";
 * \`\`\`
 *
 * @module
 */
`;

const EXAMPLE = ` * @example Use it
 * \`\`\`ts
 * import { f } from "@ilmek/async/x";
 *
 * f();
 * \`\`\``;

/** Checks a repository with one module, and gives back what is wrong. */
async function check(source: string): Promise<string[]> {
  const root = pathToFileURL(`${Deno.makeTempDirSync()}/`);
  try {
    Deno.mkdirSync(new URL("io/", root));
    Deno.writeTextFileSync(new URL("io/x.ts", root), source);
    const problems = await checkDocs(root);
    return problems.map((problem) =>
      problem.replace(/^io\/x\.ts(:\d+)?: /, "")
    );
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("checkDocs() accepts what is documented", async () => {
  const problems = await check(`${HEAD}
/**
 * Does it.
 *
${EXAMPLE}
 */
export function f(): void {}

/** What went wrong. */
export class XError extends Error {}

/** Options. */
export interface Options {
  /** A number. */
  x?: number;
}

/**
 * A class.
 *
${EXAMPLE}
 */
export class C {
  #hidden = 1;
  /** A number. */
  get x(): number {
    return this.#hidden;
  }
  set x(value: number) {
    this.#hidden = value;
  }
}
`);

  assertEquals(problems, []);
});

Deno.test("checkDocs() reports a module without a snippet", async () => {
  const problems = await check("/**\n * A module.\n *\n * @module\n */\n");

  assertEquals(problems, ["the module doc has no snippet"]);
});

Deno.test("checkDocs() reports what lacks a doc comment or an example", async () => {
  const problems = await check(`${HEAD}
export function f(): void {}

/** A class. */
export class C {
  x = 1;
}

/** Options. */
export interface Options {
  x?: number;
}
`);

  assertEquals(problems, [
    "f has no doc comment",
    "f has no @example",
    "C has no @example",
    "C.x has no doc comment",
    "Options.x has no doc comment",
  ]);
});

Deno.test("checkDocs() reports examples without title or import", async () => {
  const problems = await check(`${HEAD}
/**
 * Does it.
 *
 * @example
 * \`\`\`ts
 * f();
 * \`\`\`
 */
export function f(): void {}
`);

  assertEquals(problems, [
    "an @example of f has no title",
    "no @example of f imports the package by name",
  ]);
});
