/**
 * Example 15 of the guide, as the guide has it: what is wrong with it is kept.
 *
 * @module
 */
import { isCancelled } from "@ilmek/async/errors";
import { Event } from "@ilmek/async/event";
import { gather } from "@ilmek/async/gather";
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { TimeoutError } from "@ilmek/async/timeout";
import { waitFor } from "@ilmek/async/wait-for";
import { Example } from "./guide.ts";
import type { Tracer } from "./harness.ts";

/** The guide's record of settings; times are in milliseconds here. */
export interface Example15Config {
  readonly workerCount: number;
  readonly shutdownMs: number;
  readonly healthIntervalMs: number;
}

/** The guide's application. */
export class Example15Application extends Example {
  readonly config: Example15Config;
  workers: Task<void>[] = [];
  running = false;
  readonly shutdownEvent: Event = new Event();

  constructor(t: Tracer, config: Example15Config) {
    super(t);
    this.config = config;
  }

  info(line: string): void {
    this.t("log:info", line);
  }

  async worker(workerId: number): Promise<void> {
    this.info(`Worker-${workerId} başlatıldı`);

    try {
      while (!this.shutdownEvent.isSet) await sleep(1000);
    } catch (error) {
      if (isCancelled(error)) this.info(`Worker-${workerId} iptal edildi`);
      throw error;
    } finally {
      this.info(`Worker-${workerId} durdu`);
    }
  }

  async healthCheck(): Promise<void> {
    this.info("Health check başlatıldı");

    while (!this.shutdownEvent.isSet) {
      try {
        const active = this.workers.filter(({ done }) => !done).length;
        this.info(
          `Health check: ${active}/${this.workers.length} worker aktif`,
        );

        await sleep(this.config.healthIntervalMs);
      } catch (error) {
        if (isCancelled(error)) this.info("Health check iptal edildi");
        throw error;
      }
    }
  }

  async start(): Promise<void> {
    this.info("Uygulama başlatılıyor...");
    this.running = true;

    this.workers = Array.from(
      { length: this.config.workerCount },
      (_, i) => createTask(() => this.worker(i)),
    );

    const healthCheckTask = createTask(() => this.healthCheck());

    // Signals come from the scenario.
    this.info("Uygulama başlatıldı");

    await this.shutdownEvent.wait();

    await this.shutdown(healthCheckTask);
  }

  signalHandler(name: string): void {
    this.info(`Signal alındı: ${name}`);
    this.shutdownEvent.set();
  }

  async shutdown(healthCheckTask: Task<void>): Promise<void> {
    this.info("Graceful shutdown başlatılıyor...");

    healthCheckTask.cancel();
    try {
      await healthCheckTask;
    } catch (error) {
      if (!isCancelled(error)) throw error;
    }

    for (const worker of this.workers) worker.cancel();

    try {
      await waitFor(
        () => gather(this.workers, { returnExceptions: true }),
        this.config.shutdownMs,
      );
      this.info("Tüm worker'lar düzgün şekilde durdu");
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      this.t("log:error", "Shutdown timeout! Bazı worker'lar durdurulamadı");
    }

    this.running = false;
    this.info("Uygulama durdu");
  }
}

/** The guide's pool of connections. */
export class Example15Pool extends Example {
  readonly maxConnections: number;
  readonly pool: Queue<string>;
  createdConnections = 0;

  constructor(t: Tracer, maxConnections: number) {
    super(t);
    this.maxConnections = maxConnections;
    this.pool = new Queue({ capacity: maxConnections });
  }

  async createConnection(): Promise<string> {
    await sleep(500);
    this.createdConnections++;
    return `Connection-${this.createdConnections}`;
  }

  async getConnection(): Promise<string> {
    const idle = this.pool.tryGet();
    if (idle !== undefined) return idle;
    if (this.createdConnections < this.maxConnections) {
      return await this.createConnection();
    }
    return await this.pool.get();
  }

  async releaseConnection(connection: string): Promise<void> {
    await this.pool.put(connection);
  }

  async close(): Promise<void> {
    while (this.pool.size > 0) await this.pool.get();
    this.t("log:info", "Connection pool kapatıldı");
  }
}

/** Example 15: six workers on a pool of three connections. */
export class Example15 extends Example {
  async connectionPoolExample(): Promise<void> {
    const pool = new Example15Pool(this.t, 3);

    const useConnection = async (workerId: number): Promise<void> => {
      const conn = await pool.getConnection();
      this.t("log:info", `Worker-${workerId} bağlantı aldı: ${conn}`);

      await sleep(1000);

      await pool.releaseConnection(conn);
      this.t("log:info", `Worker-${workerId} bağlantıyı geri verdi: ${conn}`);
    };

    await gather(
      Array.from({ length: 6 }, (_, i) => () => useConnection(i)),
    );

    await pool.close();
  }
}
