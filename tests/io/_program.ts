/**
 * Programs of their own, that tests start, talk to and send signals to.
 *
 * @module
 */

/** How a program ended, and what it wrote. */
export interface ProgramEnd {
  readonly code: number;
  /** The signal that ended it by its default action, if one did. */
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A file of `fixtures/`, at work in a process of its own. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #stdout = "";

  /** Starts the file with its arguments; `flags` are those of `deno run`. */
  constructor(
    file: string,
    args: readonly string[] = [],
    flags: readonly string[] = [],
  ) {
    const path = new URL(`fixtures/${file}`, import.meta.url).href;
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-check", "--no-prompt", ...flags, path, ...args],
      env: { NO_COLOR: "1", ILMEK_DEBUG: "1" },
      stdout: "piped",
      stderr: "piped",
    });
    this.#child = command.spawn();
    this.#stderr = textOf(this.#child.stderr);
    this.#reader = this.#child.stdout
      .pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits until the program has written `text`. */
  async wrote(text: string): Promise<void> {
    while (!this.#stdout.includes(text)) {
      if (!await this.#readMore()) {
        throw new TypeError(
          `Cannot find ${JSON.stringify(text)}:\n${this.#stdout}\n${await this
            .#stderr}`,
        );
      }
    }
  }

  /** Waits until the program has written what `pattern` finds, and gives its group. */
  async find(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#stdout)?.[1];
      if (found !== undefined) return found;
      if (await this.#readMore()) continue;
      throw new TypeError(
        `Cannot find ${pattern}:\n${this.#stdout}\n${await this.#stderr}`,
      );
    }
  }

  /** Sends a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for the end of the program. */
  async end(): Promise<ProgramEnd> {
    while (await this.#readMore());
    const { code, signal } = await this.#child.status;
    return { code, signal, stdout: this.#stdout, stderr: await this.#stderr };
  }

  /** Ends the program, if it has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.end();
  }

  async #readMore(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (!done) this.#stdout += value;
    return !done;
  }
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}
