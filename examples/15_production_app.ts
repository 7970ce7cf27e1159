/**
 * A program for production: a pool of connections, and an application with workers,
 * a health check and an orderly shutdown.
 *
 * Run it: `deno run examples/15_production_app.ts`; with `--production` at the end
 * it runs the application until Ctrl+C.
 */
import { type AppConfig, Application } from "@ilmek/async/application";
import { gather } from "@ilmek/async/gather";
import { ResourcePool } from "@ilmek/async/resource-pool";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import type { SupervisorEvent } from "@ilmek/async/supervisor";
import { Logger } from "./_logger.ts";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /**
   * How many connections there may be.
   *
   * @default {3}
   */
  maxConnections?: number;
  /**
   * How many want one.
   *
   * @default {6}
   */
  workers?: number;
}

const logger = new Logger("__main__");

/** What stands for a connection to a server. */
export interface Connection {
  readonly name: string;
}

/**
 * Makes a pool of connections.
 *
 * The guide's pool counts a connection only once it is there, so that all who come
 * meanwhile make one more; to give back the fourth then hangs. Here the place is
 * taken first. A lease is given back once, by itself, whatever happens.
 */
export function createConnectionPool(
  maxConnections: number,
): ResourcePool<Connection> {
  let created = 0;
  return new ResourcePool<Connection>(async () => {
    await sleep(500); // Bağlantı simülasyonu
    return { name: `Connection-${++created}` };
  }, { max: maxConnections, createConcurrency: maxConnections, order: "fifo" });
}

export async function connectionPoolExample(
  options: MainOptions = {},
): Promise<void> {
  const { maxConnections = 3, workers = 6 } = options;
  const pool = createConnectionPool(maxConnections);

  const useConnection = async (workerId: number): Promise<void> => {
    const lease = await pool.acquire();
    const { name } = lease.resource;
    try {
      logger.info(`Worker-${workerId} bağlantı aldı: ${name}`);
      await sleep(1000);
    } finally {
      lease.release();
    }
    logger.info(`Worker-${workerId} bağlantıyı geri verdi: ${name}`);
  };

  try {
    await gather(
      Array.from({ length: workers }, (_, i) => () => useConnection(i)),
    );
  } finally {
    await pool.close();
    logger.info("Connection pool kapatıldı");
  }
}

/**
 * Makes an application with workers, a health check and an orderly shutdown.
 *
 * The guide's application cancels its workers at once, starts none again that has
 * crashed, never looks at its limit for a task, and leaves everything running when
 * its own start is cancelled. Here a worker finishes what it does, and is started
 * again after a crash; each step is limited; whatever ends the start, all is shut
 * down. A second Ctrl+C hurries, a third ends the process.
 */
export function createApplication(config: AppConfig = {}): Application {
  let isLookedAfter = false;
  const application: Application = new Application({
    ...config,
    worker: async ({ id }) => {
      await sleep(1000); // İş yap
      logger.debug(`Worker-${id} çalışıyor...`);
    },
    supervisor: { onEvent: logWorker },
    onHealth: () => {
      if (!isLookedAfter) logger.info("Health check başlatıldı");
      isLookedAfter = true;
      const { active, total } = application.workers;
      logger.info(`Health check: ${active}/${total} worker aktif`);
    },
    onSignal: (name) => logger.info(`Signal alındı: ${name}`),
    onShutdown: () => logger.info("Graceful shutdown başlatılıyor..."),
    onReport: ({ complete, text }) => {
      if (isLookedAfter) logger.info("Health check iptal edildi");
      if (complete) logger.info("Tüm worker'lar düzgün şekilde durdu");
      else {
        logger.error("Shutdown timeout! Bazı worker'lar durdurulamadı");
        logger.error(text);
      }
      logger.info("Uygulama durdu");
    },
  });
  return application;
}

/** Tells what happens to workers. */
function logWorker(event: SupervisorEvent): void {
  const worker = event.service.replace("worker-", "Worker-");
  if (event.kind === "ready") logger.info(`${worker} başlatıldı`);
  else if (event.kind === "failed") {
    logger.error(`${worker} hata aldı: ${event.error}`);
  } else if (event.kind === "stopped") {
    if (event.stop.how !== "drained") logger.info(`${worker} iptal edildi`);
    if (event.stop.how !== "stuck") logger.info(`${worker} durdu`);
  }
}

/** Starts an application, and returns once it has been shut down. */
export async function startApplication(
  application: Application,
): Promise<void> {
  logger.info("Uygulama başlatılıyor...");
  const running = application.start();
  logger.info("Uygulama başlatıldı");
  const { exitCode } = await running;
  if (exitCode !== 0) Deno.exitCode = exitCode;
}

/** Runs until a signal comes. */
export async function productionAppExample(): Promise<void> {
  const application = createApplication({
    workerCount: 3,
    shutdownMs: 10_000,
    healthIntervalMs: 2000,
  });
  await startApplication(application);
}

export async function main(options: MainOptions = {}): Promise<void> {
  console.log("=== Connection Pool Example ===");
  await connectionPoolExample(options);
}

/** The part that ends by a signal only: it is run on demand. */
export async function productionMain(): Promise<void> {
  console.log("=== Production App (Ctrl+C ile durdurun) ===");
  await productionAppExample();
}

if (import.meta.main) {
  // The application takes the signals itself.
  if (!Deno.args.includes("--production")) await run(() => main());
  else await run(productionMain, { interrupt: "none" });
}
