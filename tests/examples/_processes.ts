import { fileURLToPath } from "node:url";
import type { Line } from "./_capture.ts";
import { turnOf } from "./_turn.ts";

const ROOT = new URL("../../", import.meta.url);

/** What came of a process. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Options of {@linkcode runProgram}. */
export interface RunProgramOptions {
  /** Flags for `deno run`, permissions among them. */
  readonly flags?: readonly string[];
  /** Arguments for the program. */
  readonly args?: readonly string[];
  /** Sends a signal once this has been printed. */
  readonly interruptAfter?: string;
  /**
   * Which signal is sent.
   *
   * @default {"SIGINT"}
   */
  readonly signal?: Deno.Signal;
  /** Where it runs; the root of the project by default. */
  readonly cwd?: string;
  /** Called when it has been started. */
  readonly onStart?: (child: Deno.ChildProcess) => void;
}

/** Runs a program of `examples/` in a process of its own. */
export async function runProgram(
  file: string,
  options: RunProgramOptions = {},
): Promise<Ended> {
  const { flags = [], args = [], interruptAfter, cwd = ROOT } = options;
  const { signal = "SIGINT" } = options;
  const script = fileURLToPath(new URL(`examples/${file}`, ROOT));
  const config = fileURLToPath(new URL("deno.json", ROOT));
  using _turn = await turnOf(file);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-lock", "--config", config],
      ...[...flags, script, ...args],
    ],
    cwd,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  options.onStart?.(child);
  const [out, err] = await Promise.all([
    readAll(child.stdout, (text) => {
      if (interruptAfter === undefined) return;
      if (text.includes(interruptAfter)) child.kill(signal);
    }),
    readAll(child.stderr, () => {}),
  ]);
  return { code: (await child.status).code, out, err };
}

/** The permissions that the first comment of a program names. */
export async function permissionsOf(file: string): Promise<string[]> {
  const source = await Deno.readTextFile(new URL(`examples/${file}`, ROOT));
  const [comment = ""] = /^\/\*\*.*?\*\//s.exec(source) ?? [];
  const [, flags, named] =
    /`deno run ([^`]*?)examples\/(\w+\.ts)`/.exec(comment) ?? [];
  if (named !== file) {
    throw new RangeError(`Cannot find the command of ${file}`);
  }
  return (flags ?? "").split(/\s+/).filter((flag) => flag !== "");
}

/** The lines of an output; when they came is not known. */
export function linesOf(out: string): Line[] {
  return out.trimEnd().replaceAll("\n\n", "\n\v").split("\n")
    .map((text): Line => ({
      t: NaN,
      stream: "out",
      text: text.replace("\v", "\n"),
    }));
}

async function readAll(
  stream: ReadableStream<Uint8Array>,
  onText: (text: string) => void,
): Promise<string> {
  let all = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    all += text;
    onText(text);
  }
  return all;
}
