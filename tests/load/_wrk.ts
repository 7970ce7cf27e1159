/**
 * Load from outside: `wrk`, which has to be installed.
 *
 * @module
 */

const SCRIPT = new URL("fixtures/clients.lua", import.meta.url).pathname;
const CONNECTIONS = 64;

/** How many clients ask, for how many paths, and for how long. */
export interface Load {
  readonly clients: number;
  readonly paths: number;
  readonly seconds: number;
}

/** How requests were answered. */
export interface LoadResult {
  /** Answers with the status 200. */
  readonly ok: number;
  /** Answers with the status 429. */
  readonly limited: number;
  /** Answers with any other status. */
  readonly failed: number;
  /** Connections, reads and writes that failed, and answers that never came. */
  readonly socketErrors: number;
  /** How long it went on. */
  readonly ms: number;
  /** In which time 99 % of the answers came. */
  readonly p99Ms: number;
}

/** Asks as often as it can be answered. */
export async function runWrk(url: string, load: Load): Promise<LoadResult> {
  const { clients, paths, seconds } = load;
  const command = new Deno.Command("wrk", {
    args: [
      ...["--threads", "2", "--connections", String(CONNECTIONS)],
      ...["--duration", `${seconds}s`, "--timeout", "10s"],
      ...["--script", SCRIPT, url, "--", String(clients), String(paths)],
    ],
  });
  let output: Deno.CommandOutput;
  try {
    output = await command.output();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new TypeError(
      'Cannot run the load test as "wrk" must be installed: there is none; on Debian it comes by "apt-get install wrk"',
      { cause },
    );
  }
  const { success, stdout, stderr } = output;
  const said = new TextDecoder().decode(stdout);
  const [json] = said.match(/^\{.*\}$/m) ?? [];
  if (!success || json === undefined) {
    throw new TypeError(
      `Cannot run the load test: wrk said ${said}${
        new TextDecoder().decode(stderr)
      }`,
    );
  }
  return JSON.parse(json);
}
