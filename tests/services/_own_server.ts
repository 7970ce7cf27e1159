/**
 * A PostgreSQL of a test's own, which can be stopped and started without harm to
 * others.
 *
 * @module
 */
import { type Process, runProcess, startProcess } from "@ilmek/async/process";
import { sleep } from "@ilmek/async/sleep";
import { type Address, connect } from "./_postgres.ts";

/** Where the programs of PostgreSQL are, if this machine has them. */
export const POSTGRES_BIN: string | undefined = findPrograms();

/** A server with an empty database, in a directory that is removed with it. */
export class OwnServer implements AsyncDisposable {
  readonly address: Address;
  readonly #directory: string;
  #process: Process | undefined;

  constructor(directory: string, port: number) {
    this.#directory = directory;
    this.address = { host: "127.0.0.1", port };
  }

  /** Makes a server, and starts it. */
  static async create(): Promise<OwnServer> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const directory = await Deno.makeTempDir({ prefix: "ilmek_pg_" });
    const server = new OwnServer(directory, port);
    // It refuses to run as root.
    if (Deno.uid() === 0) await runProcess(["chown", "postgres", directory]);
    await runProcess(server.#command(
      "initdb",
      ...["--auth=trust", "--username=postgres", "--no-sync"],
      `--pgdata=${directory}/data`,
    ));
    await server.start();
    await runProcess(server.#command(
      "createdb",
      ...["--host=127.0.0.1", `--port=${port}`, "--username=postgres", "test"],
    ));
    return server;
  }

  /** Starts the server, and waits until it answers. */
  async start(): Promise<void> {
    const { port } = this.address;
    this.#process = startProcess(
      this.#command(
        "postgres",
        ...["-D", `${this.#directory}/data`, "-k", this.#directory],
        ...["-p", String(port), "-c", "listen_addresses=127.0.0.1"],
      ),
      { stdout: "null" },
    );
    for (;;) {
      try {
        const client = await connect("ilmek start", this.address, "postgres");
        await client.end();
        return;
      } catch {
        await sleep(20);
      }
    }
  }

  /** Stops the server; connections are cut. */
  async stop(): Promise<void> {
    const pid = await Deno.readTextFile(
      `${this.#directory}/data/postmaster.pid`,
    );
    Deno.kill(Number(pid.split("\n")[0]), "SIGINT");
    await this.#process?.wait();
    await this.#process?.terminate();
  }

  /** Stops the server, and removes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#directory, { recursive: true });
  }

  #command(program: string, ...args: readonly string[]): string[] {
    const path = `${POSTGRES_BIN}/${program}`;
    return Deno.uid() === 0
      ? ["runuser", "-u", "postgres", "--", path, ...args]
      : [path, ...args];
  }
}

function findPrograms(): string | undefined {
  const root = "/usr/lib/postgresql";
  try {
    const [newest] = [...Deno.readDirSync(root)]
      .map(({ name }) => name)
      .sort((a, b) => Number(b) - Number(a));
    const bin = `${root}/${newest}/bin`;
    return Deno.statSync(`${bin}/initdb`).isFile ? bin : undefined;
  } catch {
    return undefined;
  }
}
