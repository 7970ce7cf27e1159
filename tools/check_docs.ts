/**
 * Checks that everything public is documented: each module with a snippet, each
 * function and class with an example, each member with a sentence.
 *
 * @module
 */

import {
  type Declaration,
  type Doc,
  type ExportedSymbol,
  type Member,
  readDocs,
} from "./deno_doc.ts";
import { publicModules } from "./modules.ts";

const CODE_REGEXP = /```ts\b[^\n]*\n(.*?)```/gs;
const IMPORT_REGEXP = /from "@ilmek\/async(\/[a-z0-9-]+)?"/;

/** Where a class or an interface keeps its members. */
const MEMBER_LISTS = [
  "constructors",
  "properties",
  "methods",
  "callSignatures",
  "indexSignatures",
];

/** Lists what is wrong, a line each. */
export async function checkDocs(root: URL): Promise<string[]> {
  const docs = await readDocs(
    root,
    publicModules(root).map(({ path }) => path),
  );
  const problems = new Set<string>();
  for (const [path, { moduleDoc, symbols }] of docs) {
    if (codeBlocks(moduleDoc?.doc).length === 0) {
      problems.add(`${path}: the module doc has no snippet`);
    }
    for (const symbol of symbols) {
      const place = placeOf(root, symbol);
      for (const problem of checkSymbol(symbol)) {
        problems.add(`${place}: ${problem}`);
      }
    }
  }
  return [...problems];
}

function checkSymbol({ name, declarations }: ExportedSymbol): string[] {
  if (declarations.some(({ kind }) => kind === "reference")) return [];
  const problems: string[] = [];
  if (!declarations.some(({ jsDoc }) => isDocumented(jsDoc))) {
    problems.push(`${name} has no doc comment`);
  }
  const needsExample = !name.endsWith("Error") &&
    declarations.some(({ kind }) => kind === "function" || kind === "class");
  if (needsExample) problems.push(...checkExamples(name, declarations));
  return [...problems, ...declarations.flatMap((it) => checkMembers(name, it))];
}

function checkExamples(
  name: string,
  declarations: readonly Declaration[],
): string[] {
  const examples = declarations
    .flatMap(({ jsDoc }) => jsDoc?.tags ?? [])
    .filter(({ kind }) => kind === "example")
    .map(({ doc = "" }) => doc);
  if (examples.length === 0) return [`${name} has no @example`];

  const problems: string[] = [];
  if (examples.some((text) => text.startsWith("```"))) {
    problems.push(`an @example of ${name} has no title`);
  }
  const imports = examples.flatMap(codeBlocks)
    .some((code) => IMPORT_REGEXP.test(code));
  if (!imports) {
    problems.push(`no @example of ${name} imports the package by name`);
  }
  return problems;
}

function checkMembers(name: string, { def = {} }: Declaration): string[] {
  const members = MEMBER_LISTS
    .flatMap((list) => (def[list] ?? []) as readonly Member[]);
  const documented = new Set(
    members.filter(({ jsDoc }) => isDocumented(jsDoc)).map(({ name }) => name),
  );
  // One doc is enough for overloads, and for a getter with its setter.
  const missing = members
    .filter(({ accessibility }) => accessibility !== "private")
    .map((member) => member.name)
    .filter((member) => !documented.has(member));
  return missing.map((member) =>
    `${name}.${member ?? "(signature)"} has no doc comment`
  );
}

/** The doc of the module does not count, though it stands above the symbol. */
function isDocumented({ doc = "", tags = [] }: Doc = {}): boolean {
  return doc.trim() !== "" && !tags.some(({ kind }) => kind === "module");
}

function codeBlocks(text = ""): string[] {
  return [...text.matchAll(CODE_REGEXP)].map(([, code = ""]) => code);
}

function placeOf(root: URL, { declarations: [first] }: ExportedSymbol): string {
  if (first === undefined) return "?";
  const { filename, line } = first.location;
  return `${filename.slice(root.href.length)}:${line + 1}`;
}

if (import.meta.main) {
  const problems = await checkDocs(new URL("../", import.meta.url));
  for (const problem of problems) console.error(problem);
  Deno.exit(problems.length === 0 ? 0 : 1);
}
