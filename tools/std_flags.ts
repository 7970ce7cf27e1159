/**
 * Prints the flags with which tests find `@std`: none where jsr.io can be
 * reached or the packages are cached, else those for the stand-ins.
 *
 * `ILMEK_STD=jsr` or `ILMEK_STD=standin` decides by hand. With `--peers`, the
 * packages from npm that benchmarks compare with are mapped too, and with
 * `--services` the clients of the services that tests talk to.
 *
 * @module
 */

const PACKAGES = ["assert", "async", "fs", "testing"];
const PROBE_TIMEOUT_MS = 5000;
const STANDIN_MAP = "tools/std_standin/import_map.json";
const PEERS_MAP = "bench/import_map.json";
const SERVICES_MAP = "tests/services/import_map.json";

/** Where `@std` comes from. */
export type StdSource = "jsr" | "standin";

/** Decides where `@std` comes from, and says so on stderr if it is not jsr.io. */
export async function chooseStd(): Promise<StdSource> {
  const choice = Deno.env.get("ILMEK_STD");
  if (choice === "jsr" || choice === "standin") return choice;
  if (await canLoadStd()) return "jsr";
  console.error("note: jsr.io cannot be reached, so stand-ins replace @std");
  return "standin";
}

/** Gives the flags of `deno test`, `deno check` and their like. */
export function stdFlags(source: StdSource): string[] {
  return source === "jsr" ? [] : [`--import-map=${STANDIN_MAP}`];
}

/** Gives the flags of what compares with packages from npm. */
export function peerFlags(source: StdSource): string[] {
  return npmFlags(source, PEERS_MAP);
}

/** Gives the flags of tests that talk to services. */
export function serviceFlags(source: StdSource): string[] {
  return npmFlags(source, SERVICES_MAP);
}

function npmFlags(source: StdSource, npmMap: string): string[] {
  const map = source === "jsr" ? npmMap : mergedMap(npmMap);
  return [`--import-map=${map}`, "--no-lock", "--node-modules-dir=none"];
}

async function canLoadStd(): Promise<boolean> {
  const timeout = Promise.withResolvers<false>();
  const timer = setTimeout(() => timeout.resolve(false), PROBE_TIMEOUT_MS);
  const loads = PACKAGES.map((name) => {
    const file = name === "testing" ? "/time" : "";
    return import(`jsr:@std/${name}@^1${file}`);
  });
  const loaded = Promise.all(loads).then(() => true, () => false);
  try {
    return await Promise.race([loaded, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** One map of packages from npm and the stand-ins, as a `data:` URL. */
function mergedMap(npmMap: string): string {
  const imports = { ...readImports(npmMap), ...readImports(STANDIN_MAP) };
  const text = encodeURIComponent(JSON.stringify({ imports }));
  return `data:application/json,${text}`;
}

function readImports(map: string): Record<string, string> {
  const url = new URL(`../${map}`, import.meta.url);
  const { imports } = JSON.parse(Deno.readTextFileSync(url)) as {
    imports: Record<string, string>;
  };
  return Object.fromEntries(
    Object.entries(imports).map(([name, target]) => [
      name,
      target.startsWith("./") ? new URL(target, url).href : target,
    ]),
  );
}

if (import.meta.main) {
  const source = await chooseStd();
  const flags = Deno.args.includes("--peers")
    ? peerFlags
    : Deno.args.includes("--services")
    ? serviceFlags
    : stdFlags;
  console.log(flags(source).join(" "));
  // A registry that never answers would keep the process alive.
  Deno.exit(0);
}
