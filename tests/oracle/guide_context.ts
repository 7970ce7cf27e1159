/**
 * The classes of the guide's example 8, as the guide has them; see guide.ts.
 *
 * @module
 */
import type {
  AsyncContextManager,
  ContextFailure,
  EnteredContext,
} from "@ilmek/async/context-manager";
import { withContext } from "@ilmek/async/context-manager";
import { InvalidStateError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { Semaphore } from "@ilmek/async/semaphore";
import { sleep } from "@ilmek/async/sleep";
import { Example } from "./guide.ts";
import type { Tracer } from "./harness.ts";

interface Row {
  readonly id: number;
  readonly name: string;
}

/** The part of a class that `async with` calls: its state is shared by entries. */
abstract class SharedManager implements AsyncContextManager<void> {
  readonly #t: Tracer;

  constructor(t: Tracer) {
    this.#t = t;
  }

  print(line: string): void {
    this.#t("out:", line);
  }

  abstract aenter(): Promise<void>;
  abstract aexit(failure?: ContextFailure): Promise<void>;

  async enter(): Promise<EnteredContext<void>> {
    await this.aenter();
    return { value: undefined, exit: (failure) => this.aexit(failure) };
  }
}

/** One start for all that use it. */
export class AsyncTimer extends SharedManager {
  readonly name: string;
  #startMs = 0;

  constructor(t: Tracer, name: string) {
    super(t);
    this.name = name;
  }

  override aenter(): Promise<void> {
    this.#startMs = getRunningLoop().time();
    this.print(`[${this.name}] Başladı`);
    return Promise.resolve();
  }

  override aexit(): Promise<void> {
    const seconds = (getRunningLoop().time() - this.#startMs) / 1000;
    this.print(`[${this.name}] Bitti (${seconds.toFixed(2)}s)`);
    return Promise.resolve();
  }
}

/** One connection for all that use it. */
export class AsyncDatabaseConnection extends SharedManager {
  readonly host: string;
  readonly database: string;
  connection: string | null = null;

  constructor(t: Tracer, host: string, database: string) {
    super(t);
    this.host = host;
    this.database = database;
  }

  override async aenter(): Promise<void> {
    this.print(`Bağlantı açılıyor: ${this.host}/${this.database}`);
    await sleep(500);
    this.connection = `Connection<${this.host}/${this.database}>`;
    this.print("Bağlantı açıldı");
  }

  override async aexit(failure?: ContextFailure): Promise<void> {
    this.print("Bağlantı kapatılıyor...");
    await sleep(200);
    this.connection = null;
    this.print("Bağlantı kapatıldı");
    if (failure !== undefined) {
      const { name } = failure.error as Error;
      this.print(`Hata ile kapatıldı: ${name}`);
    }
  }

  async query(sql: string): Promise<Row[]> {
    if (this.connection === null) {
      throw new InvalidStateError("Bağlantı açık değil");
    }
    this.print(`Sorgu çalıştırılıyor: ${sql}`);
    await sleep(300);
    return [{ id: 1, name: "Test" }];
  }
}

/** At most so many at once. */
export class AsyncResourcePool extends SharedManager {
  readonly name: string;
  readonly size: number;
  activeCount = 0;
  readonly #semaphore: Semaphore;

  constructor(t: Tracer, name: string, size: number) {
    super(t);
    this.name = name;
    this.size = size;
    this.#semaphore = new Semaphore(size);
  }

  override async aenter(): Promise<void> {
    await this.#semaphore.acquire();
    this.activeCount++;
    this.print(
      `[${this.name}] Kaynak alındı (aktif: ${this.activeCount}/${this.size})`,
    );
  }

  override aexit(): Promise<void> {
    this.activeCount--;
    // asyncio wakes the next one after this step.
    const { name, activeCount, size } = this;
    this.print(
      `[${name}] Kaynak serbest bırakıldı (aktif: ${activeCount}/${size})`,
    );
    this.#semaphore.release();
    return Promise.resolve();
  }
}

/** Example 8: context managers. */
export class Example8 extends Example {
  asyncDatabaseConnection(h: string, d: string): AsyncDatabaseConnection {
    return new AsyncDatabaseConnection(this.t, h, d);
  }

  async databaseExample(): Promise<void> {
    const db = this.asyncDatabaseConnection("localhost", "mydb");
    await withContext(db, async () => {
      const results = await db.query("SELECT * FROM users");
      const list = results.map(({ id, name }) =>
        `{'id': ${id}, 'name': '${name}'}`
      );
      this.print(`Sonuçlar: [${list.join(", ")}]`);
    });
  }

  async resourcePoolExample(): Promise<void> {
    const pool = new AsyncResourcePool(this.t, "DBPool", 2);
    const useResource = (workerId: number) =>
      withContext(pool, async () => {
        this.print(`Worker ${workerId} çalışıyor`);
        await sleep(1000);
        this.print(`Worker ${workerId} bitti`);
      });
    await gather([0, 1, 2, 3, 4].map((i) => () => useResource(i)));
  }
}
