/**
 * Runs every check that needs no network: `deno task ok`.
 *
 * @module
 */

import { publicModules } from "./modules.ts";
import { sourceFiles } from "./source_files.ts";
import { chooseStd, stdFlags } from "./std_flags.ts";
import { runSteps, type Step } from "./steps.ts";

/** What imports packages from npm is checked by `deno task ok:net`. */
const NEEDS_NPM_REGEXP = /^(bench|tests\/(peers|services))\//;

const root = new URL("../", import.meta.url);
const std = await chooseStd();
const sources = sourceFiles(root).filter((path) =>
  !NEEDS_NPM_REGEXP.test(path)
);
const entries = ["mod.ts", ...publicModules(root).map(({ path }) => path)];
const tool = (path: string) => [
  "run",
  "--allow-read",
  `--allow-run=${Deno.execPath()}`,
  path,
];

const steps: (Step | Step[])[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "types", args: ["check", ...stdFlags(std), ...sources] },
  { name: "modules", args: tool("tools/check_modules.ts") },
  { name: "doc lint", args: ["doc", "--lint", ...entries] },
  { name: "doc completeness", args: tool("tools/check_docs.ts") },
  // Each of the two keeps a core busy.
  [
    { name: "tests", args: ["task", "test"] },
    { name: "code in documents", args: ["task", "test:doc"] },
  ],
  {
    name: "publish (dry run)",
    args: ["publish", "--dry-run", "--allow-dirty"],
  },
];

const succeeded = await runSteps(steps, { cwd: root, env: { ILMEK_STD: std } });
Deno.exit(succeeded ? 0 : 1);
