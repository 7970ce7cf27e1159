/**
 * Context managers: a timer, a database, a file, an HTTP session, a pool, and one
 * that is made of a generator.
 *
 * Run it: `deno run --allow-net=127.0.0.1 --allow-read=/tmp --allow-write=/tmp examples/08_async_context_managers.ts`
 */
import {
  asyncContextManager,
  type GeneratorContextManager,
} from "@ilmek/async/context-manager";
import {
  type Database,
  openSqlite,
  sql,
  type SqlRow,
  type SqlStatement,
} from "@ilmek/async/database";
import { InvalidStateError } from "@ilmek/async/errors";
import { AsyncExitStack } from "@ilmek/async/exit-stack";
import { type AsyncFile, type FileMode, openFile } from "@ilmek/async/file";
import { gather } from "@ilmek/async/gather";
import { HttpSession } from "@ilmek/async/http-session";
import { run } from "@ilmek/async/run";
import { Semaphore } from "@ilmek/async/semaphore";
import { sleep } from "@ilmek/async/sleep";
import { Timer } from "@ilmek/async/timer";
import { repr } from "./_python.ts";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /** Where the posts are; a server on this machine by default. */
  baseUrl?: string | undefined;
  /**
   * Where the file is written.
   *
   * @default {"/tmp/test_async.txt"}
   */
  path?: string;
}

/** What came of a request. */
export interface FetchedData {
  readonly status: number;
  readonly data: unknown;
}

/**
 * Tells how long its body takes.
 *
 * The guide keeps the start in the manager, for all that use it at once, and reads
 * the time of day, which may go back. Here each entry has a stopwatch of its own.
 */
export const asyncTimer: (name: string) => GeneratorContextManager<Timer> =
  asyncContextManager(async function* asyncTimer(
    name: string,
  ) {
    const timer = new Timer(name);
    console.log(`[${name}] Başladı`);
    try {
      yield timer;
    } finally {
      const seconds = timer.stop() / 1000;
      console.log(`[${name}] Bitti (${seconds.toFixed(2)}s)`);
    }
  });

export async function timerExample(): Promise<void> {
  await asyncTimer("İşlem-1").use(async () => {
    await sleep(1000);
    console.log("İşlem çalışıyor...");
  });
}

/** A connection to a database of SQLite, with the way to a server in front of it. */
export class DatabaseConnection {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Opens a database with one user in it. */
  static async open(): Promise<DatabaseConnection> {
    const database = openSqlite(":memory:");
    await database.execute(
      sql`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)`,
    );
    await database.execute(sql`INSERT INTO users VALUES (1, ${"Test"})`);
    return new DatabaseConnection(database);
  }

  get isOpen(): boolean {
    return !this.#database.broken;
  }

  async query(statement: SqlStatement): Promise<SqlRow[]> {
    if (!this.isOpen) throw new InvalidStateError("Bağlantı açık değil");

    const { text } = statement.render((index) => `$${index}`);
    console.log(`Sorgu çalıştırılıyor: ${text}`);
    await sleep(300);
    return await this.#database.query(statement);
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

/**
 * Opens a connection, and closes it.
 *
 * In the guide the manager is the connection: used by two at once, the first to
 * leave closes it under the other; and if it is cancelled while it closes, it is
 * open for ever. Here each entry has its own, and closing is not cut short.
 */
export const databaseConnection: (
  host: string,
  database: string,
) => GeneratorContextManager<DatabaseConnection> = asyncContextManager(
  async function* databaseConnection(host: string, database: string) {
    console.log(`Bağlantı açılıyor: ${host}/${database}`);
    await sleep(500);
    const connection = await DatabaseConnection.open();
    console.log("Bağlantı açıldı");

    let failure = "";
    try {
      yield connection;
    } catch (error) {
      failure = error instanceof Error ? error.name : String(error);
      throw error;
    } finally {
      console.log("Bağlantı kapatılıyor...");
      await connection.close();
      await sleep(200);
      console.log("Bağlantı kapatıldı");
      if (failure !== "") console.log(`Hata ile kapatıldı: ${failure}`);
    }
  },
);

export async function databaseExample(): Promise<void> {
  await databaseConnection("localhost", "mydb").use(async (db) => {
    const results = await db.query(sql`SELECT * FROM users`);
    console.log(`Sonuçlar: ${repr(results)}`);
  });
}

/** Opens a file, gives it, and closes it. */
export const fileManager: (
  path: string,
  mode?: FileMode,
) => GeneratorContextManager<AsyncFile> = asyncContextManager(
  async function* fileManager(
    path: string,
    mode: FileMode = "r",
  ) {
    console.log(`Dosya açılıyor: ${path}`);
    await using file = await openFile(path, mode);
    try {
      yield file;
    } finally {
      console.log(`Dosya kapatılıyor: ${path}`);
    }
  },
);

export async function fileExample(path: string): Promise<void> {
  await AsyncExitStack.run(async (stack) => {
    stack.callback(() => Deno.remove(path));

    await fileManager(path, "w").use(async (file) => {
      await file.write("Async file operations\n");
      await file.write("Line 2\n");
    });

    await fileManager(path).use(async (file) => {
      console.log("Dosya içeriği:");
      for await (const line of file) console.log(line);
    });
  });
}

/**
 * Asks a server for JSON.
 *
 * The guide takes an answer with a bad status for data. Here it is an
 * `HttpStatusError`, what is no JSON a `JsonError`, and a lost connection a
 * `NetworkError`; the session is closed in each case.
 */
export class JsonSession {
  readonly #session: HttpSession;

  constructor(session: HttpSession) {
    this.#session = session;
  }

  async get(path: string): Promise<FetchedData> {
    const response = await this.#session.get(path);
    return { status: response.status, data: await response.json() };
  }
}

export const httpSession: (
  baseUrl: string,
  timeoutMs?: number,
) => GeneratorContextManager<JsonSession> = asyncContextManager(
  async function* httpSession(
    baseUrl: string,
    timeoutMs: number = 10_000,
  ) {
    console.log("HTTP session oluşturuluyor...");
    await using session = new HttpSession({
      baseUrl,
      timeoutMs,
      throwOnError: true,
    });
    try {
      yield new JsonSession(session);
    } finally {
      console.log("HTTP session kapatılıyor...");
    }
  },
);

export async function httpSessionExample(baseUrl: string): Promise<void> {
  await httpSession(baseUrl).use(async (session) => {
    const result = await session.get("/posts/1");
    console.log(`Status: ${result.status}`);
    console.log(`Data: ${repr(result.data)}`);
  });
}

/** Lets in so many at once. */
export class ResourcePool {
  readonly name: string;
  readonly size: number;
  readonly #semaphore: Semaphore;
  #active = 0;

  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
    this.#semaphore = new Semaphore(size);
  }

  get active(): number {
    return this.#active;
  }

  /** Runs `fn` when there is room. */
  async use<T>(fn: () => Promise<T>): Promise<T> {
    const permit = await this.#semaphore.acquire();
    this.#active++;
    this.#tell("alındı");
    try {
      return await fn();
    } finally {
      this.#active--;
      this.#tell("serbest bırakıldı");
      permit.release();
    }
  }

  #tell(what: string): void {
    console.log(
      `[${this.name}] Kaynak ${what} (aktif: ${this.#active}/${this.size})`,
    );
  }
}

export async function resourcePoolExample(): Promise<void> {
  const pool = new ResourcePool("DBPool", 2);

  const useResource = (workerId: number) =>
    pool.use(async () => {
      console.log(`Worker ${workerId} çalışıyor`);
      await sleep(1000);
      console.log(`Worker ${workerId} bitti`);
    });

  // Five workers, of which two have the resource at a time.
  await gather([0, 1, 2, 3, 4].map((id) => () => useResource(id)));
}

/** A context manager made of a generator. */
export const asyncResource: (
  name: string,
) => GeneratorContextManager<string> = asyncContextManager(
  async function* asyncResource(
    name: string,
  ) {
    console.log(`[${name}] Kaynak alınıyor`);
    await sleep(100);

    try {
      yield name;
    } finally {
      console.log(`[${name}] Kaynak temizleniyor`);
      await sleep(100);
    }
  },
);

export async function decoratorExample(): Promise<void> {
  await asyncResource("MyResource").use(async (resource) => {
    console.log(`Kaynak kullanılıyor: ${resource}`);
    await sleep(500);
  });
}

export async function main(options: MainOptions = {}): Promise<void> {
  const { baseUrl, path = "/tmp/test_async.txt" } = options;

  console.log("=== Timer Example ===");
  await timerExample();

  console.log("\n=== Database Example ===");
  await databaseExample();

  console.log("\n=== File Example ===");
  await fileExample(path);

  console.log("\n=== HTTP Session Example ===");
  if (baseUrl !== undefined) await httpSessionExample(baseUrl);
  else {
    await using server = servePosts();
    await httpSessionExample(`http://127.0.0.1:${server.addr.port}`);
  }

  console.log("\n=== Resource Pool Example ===");
  await resourcePoolExample();

  console.log("\n=== Decorator Example ===");
  await decoratorExample();
}

/** Serves the post that the guide asks a server for. */
function servePosts(): Deno.HttpServer<Deno.NetAddr> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  return Deno.serve(options, (request) => {
    if (new URL(request.url).pathname !== "/posts/1") {
      return new Response("Not Found", { status: 404 });
    }
    return Response.json({
      userId: 1,
      id: 1,
      title:
        "post 1 title lorem ipsum dolor sit amet consectetur adipiscing elit",
      body: "body of post 1\nsecond line",
    });
  });
}

if (import.meta.main) await run(() => main());
