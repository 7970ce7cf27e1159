import { assertEquals, assertStringIncludes } from "@std/assert";
import { pathToFileURL } from "node:url";
import { checkModules, fixModules } from "../../tools/check_modules.ts";

const DOC = "/**\n * A module.\n *\n * @module\n */\n";

/** A repository in a temporary directory, removed at the end. */
class Repo implements Disposable {
  readonly root: URL;

  constructor(files: Record<string, string>) {
    this.root = pathToFileURL(`${Deno.makeTempDirSync()}/`);
    this.write("deno.json", '{ "name": "@a/b", "exports": {} }');
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  read(path: string): string {
    return Deno.readTextFileSync(new URL(path, this.root));
  }

  write(path: string, text: string): void {
    const url = new URL(path, this.root);
    Deno.mkdirSync(new URL(".", url), { recursive: true });
    Deno.writeTextFileSync(url, text);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.root, { recursive: true });
  }
}

Deno.test("fixModules() writes exports and mod.ts from the files", async () => {
  using repo = new Repo({
    "primitives/task_group.ts": `${DOC}export const a = 1;`,
    "primitives/_line.ts": "export const c = 1;",
    "io/run.ts": `${DOC}export const b = 1;`,
    "testing/virtual.ts": `${DOC}export const d = 1;`,
  });

  fixModules(repo.root);

  assertEquals(JSON.parse(repo.read("deno.json")).exports, {
    ".": "./mod.ts",
    "./run": "./io/run.ts",
    "./task-group": "./primitives/task_group.ts",
    "./virtual": "./testing/virtual.ts",
  });
  assertEquals(repo.read("mod.ts").split("\n").slice(-4), [
    "",
    'export * from "./io/run.ts";',
    'export * from "./primitives/task_group.ts";',
    "",
  ]);
  assertEquals(await checkModules(repo.root), []);
});

Deno.test("fixModules() keeps the doc of mod.ts", () => {
  using repo = new Repo({
    "mod.ts": `${DOC}\nexport * from "./gone.ts";\n`,
    "io/run.ts": DOC,
  });

  fixModules(repo.root);

  assertEquals(repo.read("mod.ts"), `${DOC}\nexport * from "./io/run.ts";\n`);
});

Deno.test("checkModules() reports files that nothing exports", async () => {
  using repo = new Repo({ "primitives/task.ts": DOC });
  fixModules(repo.root);
  repo.write("primitives/queue.ts", DOC);

  assertEquals(await checkModules(repo.root), [
    'deno.json: "exports" differs from the files: run with --fix',
    "mod.ts: differs from the files: run with --fix",
  ]);
});

Deno.test("checkModules() reports circles, unless they are of types", async () => {
  using repo = new Repo({
    "_internal/a.ts": 'import { b } from "./b.ts";\nexport const a = b;',
    "_internal/b.ts": 'import { a } from "./a.ts";\nexport const b = a;',
    "_internal/c.ts": 'import type { D } from "./d.ts";\nexport type C = D;',
    "_internal/d.ts": 'import type { C } from "./c.ts";\nexport type D = C;',
  });
  fixModules(repo.root);

  assertEquals(await checkModules(repo.root), [
    "_internal/a.ts: imported in a circle: _internal/a.ts -> _internal/b.ts -> _internal/a.ts",
  ]);
});

Deno.test("checkModules() reports names with two meanings", async () => {
  using repo = new Repo({
    "_internal/shared.ts": "export const shared = 1;",
    "io/a.ts": `${DOC}export { shared } from "../_internal/shared.ts";
export const twice = 1;`,
    "io/b.ts": `${DOC}export { shared } from "../_internal/shared.ts";
export const twice = 2;`,
  });
  fixModules(repo.root);

  const problems = await checkModules(repo.root);

  assertEquals(problems.length, 1);
  assertStringIncludes(String(problems), "twice: exported with different");
});

Deno.test("checkModules() lets the operators of iterators have names of others", async () => {
  using repo = new Repo({
    "primitives/iter.ts": `${DOC}export const merge = 1;`,
    "primitives/merge.ts": `${DOC}export const merge = 2;`,
  });
  fixModules(repo.root);

  assertEquals(await checkModules(repo.root), []);
  assertEquals(
    repo.read("mod.ts").trimEnd().split("\n").at(-1),
    'export * from "./primitives/merge.ts";',
  );
});

Deno.test("checkModules() reports modules that share an entry, or lack a doc", async () => {
  using repo = new Repo({
    "io/file.ts": DOC,
    "patterns/file.ts": DOC,
    "io/Other.ts": "export const a = 1;",
  });
  fixModules(repo.root);

  assertEquals(await checkModules(repo.root), [
    "io/Other.ts: the name of a file is snake_case",
    "./file: several modules have this name: io/file.ts, patterns/file.ts",
    "io/Other.ts: does not open with a doc comment with @module",
  ]);
});

Deno.test("checkModules() finds modules that a README does not tell of", async () => {
  using repo = new Repo({
    "io/run.ts": `${DOC}export const b = 1;`,
    "io/task_group.ts": `${DOC}export const a = 1;`,
    "README.md": "| `run` | what | when |\n",
  });
  fixModules(repo.root);

  assertEquals(await checkModules(repo.root), [
    "README.md: has no row for `task-group`",
  ]);
});
