/**
 * Checks that the files of the chapters, `exports` in `deno.json`, `mod.ts` and the
 * tables of the READMEs agree, that nothing is imported in a circle, and that names are unique.
 *
 * With `--fix`, writes `exports` and `mod.ts` anew from the files that exist.
 *
 * @module
 */

import { libraryFiles, type Module, publicModules } from "./modules.ts";
import { originOf, readDocs } from "./deno_doc.ts";

const FILE_NAME_REGEXP = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;

/** Statements that still import something at run time. */
const IMPORT_REGEXP =
  /^(?:import|export)\s+(?!type\s)(?:[\w*{][^;"'()]*?\s+from\s+)?"(\.[^"]+)"/gm;

const READMES = ["README.md", "README.tr.md"];

const DEFAULT_HEAD = `/**
 * Async programming for Deno, with the names and the rules of asyncio.
 *
 * @module
 */`;

/** Lists what is wrong, a line each. */
export async function checkModules(root: URL): Promise<string[]> {
  const modules = publicModules(root);
  return [
    ...checkNames(modules),
    ...checkExports(root, modules),
    ...checkMod(root, modules),
    ...checkModuleDocs(root, modules),
    ...checkReadmes(root, modules),
    ...checkCycles(root),
    ...await checkSymbols(root, modules),
  ];
}

/** Writes `exports` and `mod.ts` anew from the files that exist. */
export function fixModules(root: URL): void {
  const modules = publicModules(root);
  const config = read(root, "deno.json") ?? "{}";
  const exports = JSON.stringify(exportsOf(modules), null, 2)
    .replaceAll("\n", "\n  ");
  write(
    root,
    "deno.json",
    config.replace(/"exports": \{[^}]*\}/, () => `"exports": ${exports}`),
  );

  const head = read(root, "mod.ts")?.split(/^export /m)[0] ?? DEFAULT_HEAD;
  const lines = modLines(modules);
  write(root, "mod.ts", `${head.trimEnd()}\n\n${lines.join("\n")}\n`);
}

function exportsOf(modules: readonly Module[]): Record<string, string> {
  const entries = modules.map(({ entry, path }) => [entry, `./${path}`]);
  return Object.fromEntries([[".", "./mod.ts"], ...entries.sort()]);
}

function modLines(modules: readonly Module[]): string[] {
  return modules
    .filter(({ entryOnly }) => !entryOnly)
    .map(({ path }) => `export * from "./${path}";`);
}

function checkNames(modules: readonly Module[]): string[] {
  const problems = modules
    .filter(({ name }) => !FILE_NAME_REGEXP.test(name))
    .map(({ path }) => `${path}: the name of a file is snake_case`);
  const byEntry = Map.groupBy(modules, ({ entry }) => entry);
  for (const [entry, same] of byEntry) {
    if (same.length === 1) continue;
    const paths = same.map(({ path }) => path).join(", ");
    problems.push(`${entry}: several modules have this name: ${paths}`);
  }
  return problems;
}

function checkExports(root: URL, modules: readonly Module[]): string[] {
  const { exports } = JSON.parse(read(root, "deno.json") ?? "{}") as {
    exports: Record<string, string>;
  };
  const actual = JSON.stringify(exports);
  if (actual === JSON.stringify(exportsOf(modules))) return [];
  return ['deno.json: "exports" differs from the files: run with --fix'];
}

function checkMod(root: URL, modules: readonly Module[]): string[] {
  const text = read(root, "mod.ts") ?? "";
  const code = text.replace(/^\/\*\*.*?\*\//s, "").trim();
  if (code === modLines(modules).join("\n")) return [];
  return ["mod.ts: differs from the files: run with --fix"];
}

function checkModuleDocs(root: URL, modules: readonly Module[]): string[] {
  return ["mod.ts", ...modules.map(({ path }) => path)]
    .filter((path) => {
      const opening = /^\/\*\*.*?\*\//s.exec(read(root, path) ?? "");
      return !opening?.[0].includes("@module");
    })
    .map((path) => `${path}: does not open with a doc comment with @module`);
}

/** Whoever reads the README finds every module in a table. */
function checkReadmes(root: URL, modules: readonly Module[]): string[] {
  return READMES.flatMap((readme) => {
    const text = read(root, readme);
    if (text === undefined) return [];
    return modules
      .map(({ entry }) => entry.slice("./".length))
      .filter((name) => !text.includes(`| \`${name}\` `))
      .map((name) => `${readme}: has no row for \`${name}\``);
  });
}

function checkCycles(root: URL): string[] {
  const imports = new Map(
    libraryFiles(root).map((path) => [path, importsOf(root, path)]),
  );
  const done = new Set<string>();
  const problems: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      const circle = [...trail.slice(start), path].join(" -> ");
      problems.push(`${path}: imported in a circle: ${circle}`);
    }
    if (done.has(path) || start !== -1) return;
    for (const next of imports.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return problems;
}

function importsOf(root: URL, path: string): string[] {
  const base = new URL(path, root);
  return [...(read(root, path) ?? "").matchAll(IMPORT_REGEXP)]
    .map(([, specifier = ""]) => new URL(specifier, base).href)
    .map((url) => url.slice(root.href.length));
}

/** A name may come from several modules only if it is one declaration. */
async function checkSymbols(
  root: URL,
  modules: readonly Module[],
): Promise<string[]> {
  const shared = modules.filter(({ ownNames }) => !ownNames);
  const docs = await readDocs(root, shared.map(({ path }) => path));
  const found = [...docs].flatMap(([path, { symbols }]) =>
    symbols.map(({ name, declarations }) => {
      const places = declarations.map(originOf)
        .map(({ filename, line }) => `${filename}:${line}`);
      return { name, path, source: places.join() };
    })
  );
  const problems: string[] = [];
  for (const [name, same] of Map.groupBy(found, ({ name }) => name)) {
    if (new Set(same.map(({ source }) => source)).size === 1) continue;
    const paths = same.map(({ path }) => path).join(", ");
    problems.push(`${name}: exported with different meanings by ${paths}`);
  }
  return problems;
}

function read(root: URL, path: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(path, root));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function write(root: URL, path: string, text: string): void {
  Deno.writeTextFileSync(new URL(path, root), text);
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  if (Deno.args.includes("--fix")) fixModules(root);
  const problems = await checkModules(root);
  for (const problem of problems) console.error(problem);
  Deno.exit(problems.length === 0 ? 0 : 1);
}
