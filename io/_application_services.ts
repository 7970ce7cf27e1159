import type { Service, ServiceContext } from "../patterns/supervisor.ts";
import { getRunningLoop } from "../primitives/loop.ts";
import { sleep } from "../primitives/sleep.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import type {
  ApplicationOptions,
  ApplicationWorker,
} from "./_application_types.ts";
import type { HttpService } from "./_http_service.ts";

const FLUSH = "flush";

/** What was made of the options before. */
export interface ServicesPlan {
  readonly workerCount: number;
  readonly taskTimeoutMs: number;
  readonly http: HttpService | undefined;
}

/**
 * All services of an application: what flushes at the bottom, then those of the
 * caller, the workers, and HTTP on top. They are stopped from top to bottom.
 */
export function servicesOf(
  options: ApplicationOptions,
  plan: ServicesPlan,
): { services: Service[]; workerNames: ReadonlySet<string> } {
  const { services = [], flush, worker } = options;
  const all: Service[] = [];
  if (flush !== undefined) all.push(flusher(flush));
  for (const service of services) {
    all.push(flush === undefined ? service : atop(service, FLUSH));
  }
  const names = all.map(({ name }) => name);
  const workerNames = new Set<string>();
  for (let id = 0; id < plan.workerCount && worker !== undefined; id++) {
    const name = `worker-${id}`;
    workerNames.add(name);
    all.push({
      name,
      dependsOn: names,
      shutdownMs: Infinity,
      run: (service) => work(worker, id, plan.taskTimeoutMs, service),
    });
  }
  const { http } = plan;
  if (http !== undefined) {
    all.push({
      name: "http",
      dependsOn: all.map(({ name }) => name),
      readiness: "told",
      shutdownMs: Infinity,
      run: (service) => http.run(service),
    });
  }
  return { services: all, workerNames };
}

/** Does one step after the other, until the worker is asked to end. */
async function work(
  step: (worker: ApplicationWorker) => unknown,
  id: number,
  taskTimeoutMs: number,
  service: ServiceContext,
): Promise<void> {
  const { name, attempt } = service;
  const worker: ApplicationWorker = {
    id,
    name,
    attempt,
    get stopping() {
      return service.stopping;
    },
    get signal() {
      return service.signal;
    },
    untilStopping: () => service.untilStopping(),
    stoppingOp: () => service.stoppingOp(),
  };
  while (!service.stopping) {
    const { timedOut } = await moveOnAfter(
      taskTimeoutMs,
      async () => await step(worker),
    );
    if (timedOut) {
      getRunningLoop().callExceptionHandler({
        message:
          `A step of "${name}" was cancelled: it took longer than ${taskTimeoutMs} ms`,
      });
    }
    // Steps that do not wait leave others a turn.
    await sleep(0);
  }
}

/** A service that ends last, and sends off what is buffered. */
function flusher(flush: () => unknown): Service {
  return {
    name: FLUSH,
    shutdownMs: Infinity,
    async run(service) {
      await service.untilStopping();
      await flush();
    },
  };
}

/** A service that depends on one more. */
function atop(service: Service, other: string): Service {
  return {
    ...service,
    name: service.name,
    // A method of a class is not copied.
    run: (context) => service.run(context),
    dependsOn: [...service.dependsOn ?? [], other],
  };
}
