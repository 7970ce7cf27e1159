/**
 * Runs the checks that need npm: `deno task ok:net`.
 *
 * @module
 */

import { fileExists, sourceFiles } from "./source_files.ts";
import { chooseStd, peerFlags, serviceFlags } from "./std_flags.ts";
import { runSteps, type Step } from "./steps.ts";
import { testPermissions } from "./test_permissions.ts";

const BENCH_GOALS = "tools/bench_goals.ts";
const NODE_SMOKE = "tools/node_smoke.ts";

const root = new URL("../", import.meta.url);
const std = await chooseStd();
const flags = peerFlags(std);
const permissions = [
  "--allow-read",
  "--allow-env",
  "--allow-sys",
  "--allow-net=127.0.0.1",
  ...testPermissions(),
];
const benches = sourceFiles(root, "bench/");
const peerTests = sourceFiles(root, "tests/peers/");
const serviceTests = sourceFiles(root, "tests/services/");

const steps: Step[] = [
  {
    name: "types of benchmarks",
    args: benches.length > 0 ? ["check", ...flags, ...benches] : undefined,
  },
  {
    name: "types of tests with services",
    args: ["check", ...serviceFlags(std), ...serviceTests],
  },
  {
    name: "tests against peers",
    args: peerTests.length > 0
      ? ["test", ...flags, ...permissions, "tests/peers"]
      : undefined,
  },
  {
    name: "goals of benchmarks",
    args: fileExists(root, BENCH_GOALS)
      ? ["run", ...flags, ...permissions, BENCH_GOALS, "--quick"]
      : undefined,
  },
  {
    name: "Node",
    command: "npx",
    args: fileExists(root, NODE_SMOKE)
      ? ["-y", "node@24", NODE_SMOKE]
      : undefined,
  },
];

const succeeded = await runSteps(steps, { cwd: root, env: { ILMEK_STD: std } });
Deno.exit(succeeded ? 0 : 1);
