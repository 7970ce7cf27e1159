/**
 * Programs for `deno serve`, that tests start and ask.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);
const LISTENING_REGEXP = /http:\/\/127\.0\.0\.1:\d+/;

/** A program at work in a process of its own. */
export interface ServedProgram extends AsyncDisposable {
  /** Where it listens. */
  readonly url: string;
  /** Ends it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of {@linkcode denoServe}. */
export interface DenoServeOptions {
  /** More flags of `deno serve`. */
  flags?: readonly string[];
  /** The variables of its environment that it may read. */
  env?: Readonly<Record<string, string>>;
}

/** Serves a file of this repository, with access to 127.0.0.1 only. */
export async function denoServe(
  file: string,
  options: DenoServeOptions = {},
): Promise<ServedProgram> {
  const { flags = [], env = {} } = options;
  const names = Object.keys(env);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "serve",
      "--no-lock",
      "--port=0",
      "--host=127.0.0.1",
      "--allow-net=127.0.0.1",
      ...(names.length > 0 ? [`--allow-env=${names.join(",")}`] : []),
      ...flags,
      file,
    ],
    cwd: ROOT,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const stderr = child.stderr.pipeThrough(new TextDecoderStream());
  let said = "";
  for await (const text of stderr.values({ preventCancel: true })) {
    said += text;
    if (LISTENING_REGEXP.test(said)) break;
  }
  const [url] = LISTENING_REGEXP.exec(said) ?? [];
  if (url === undefined) {
    await child.status;
    throw new TypeError(`Cannot serve "${file}": it said ${said}`);
  }
  // What it writes later must not fill the pipe.
  const drained = stderr.pipeTo(new WritableStream()).catch(() => {});
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await drained;
    },
  };
}
