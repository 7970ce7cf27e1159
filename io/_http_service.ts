import { InvalidStateError } from "../_internal/errors.ts";
import type {
  HealthAnswer,
  HealthChecks,
  HealthReport,
} from "../patterns/health.ts";
import type { ServiceContext } from "../patterns/supervisor.ts";
import { abortable } from "../primitives/checkpoint.ts";
import { race } from "../primitives/race.ts";
import type { ApplicationHttpOptions } from "./_application_types.ts";
import type { ShutdownBlocker } from "./_shutdown_report.ts";
import { WebSockets } from "./_web_sockets.ts";
import { serve, type Server } from "./serve.ts";

/** The HTTP server of an application, as a service. */
export class HttpService {
  /** The server at work, if there is one. */
  server: Server | undefined;
  readonly #options: ApplicationHttpOptions;
  readonly #health: HealthChecks;
  /** What had no time left to finish. */
  readonly #cut: ShutdownBlocker[] = [];

  constructor(options: ApplicationHttpOptions, health: HealthChecks) {
    this.#options = options;
    this.#health = health;
  }

  /** Requests and WebSockets that had no time left to finish. */
  get cut(): readonly ShutdownBlocker[] {
    return this.#cut;
  }

  async run(service: ServiceContext): Promise<void> {
    const { handler, healthPath: _path, healthDetails: _details, ...options } =
      this.#options;
    const sockets = new WebSockets();
    const server = serve((request, info) => {
      return this.#answerHealth(request) ?? handler(request, {
        info,
        upgradeWebSocket: (options) => sockets.upgrade(request, options),
      });
    }, {
      name: service.name,
      ...options,
      // Who looks after the program goes on to ask.
      onRefused: (request) => this.#answerHealth(request),
    });
    this.server = server;
    try {
      service.ready();
      await race([
        () => service.untilStopping(),
        async () => {
          await server.finished;
          throw new InvalidStateError(
            `Cannot serve any more: "${service.name}" does not listen`,
          );
        },
      ]);
      await this.#drain(server, sockets);
    } finally {
      this.server = undefined;
    }
  }

  async #drain(server: Server, sockets: WebSockets): Promise<void> {
    const closing = server.shutdown({ graceMs: Infinity });
    sockets.close();
    try {
      await abortable(closing);
    } catch (error) {
      // There is no time left: what is open now is cut off.
      for (const { name, waitsFor } of server.requests) {
        this.#cut.push({ name, how: "cut", waitsFor });
      }
      await server.shutdown({ graceMs: 0 });
      throw error;
    }
  }

  #answerHealth(request: Request): Response | undefined {
    const { healthPath = "/health", healthDetails = false } = this.#options;
    if (healthPath === null) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") return undefined;
    const { pathname } = new URL(request.url);
    for (const question of ["startup", "live", "ready"] as const) {
      if (pathname !== `${healthPath}/${question}`) continue;
      const answer = this.#health.report()[question];
      return responseOf(question, answer, healthDetails);
    }
    return undefined;
  }
}

function responseOf(
  question: keyof HealthReport,
  answer: HealthAnswer,
  details: boolean,
): Response {
  const { ok, degraded, reasons } = answer;
  const status = !ok ? "no" : degraded ? "degraded" : "yes";
  const body = { [question]: status, ...(details ? { reasons } : {}) };
  return Response.json(body, {
    status: ok ? 200 : 503,
    headers: { "cache-control": "no-store" },
  });
}
