import { show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import type { ScopeNode } from "../_internal/scope_node.ts";
import { waitsIn } from "../_internal/waits.ts";
import { abortable } from "../primitives/checkpoint.ts";
import { isCancelled } from "../primitives/errors.ts";
import { getRunningLoop, type Loop } from "../primitives/loop.ts";
import { currentScope } from "../primitives/scope.ts";
import { createTask, type Task } from "../primitives/task.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { workAfterAnswer } from "./_work_after_answer.ts";

/** How all requests of a server are answered. */
export interface ExchangePlan {
  readonly handler: (
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ) => Response | PromiseLike<Response>;
  readonly onError:
    | ((
      error: unknown,
      request: Request,
    ) => Response | void | PromiseLike<Response | void>)
    | undefined;
  /** How long the handler may take; `Infinity` for ever. */
  readonly deadlineMs: number;
  /** Called once the task of the request has ended. */
  readonly onEnd: (exchange: Exchange) => void;
}

/** One request: its handler at work, and the delivery of its response. */
export class Exchange {
  /** What the platform is to send. It never rejects. */
  readonly response: Promise<Response>;
  readonly name: string;
  readonly #request: Request;
  readonly #info: Deno.ServeHandlerInfo<Deno.NetAddr>;
  readonly #plan: ExchangePlan;
  readonly #loop: Loop = getRunningLoop();
  readonly #resolve: (response: Response) => void;
  readonly #task: Task<void>;
  readonly #start: number = this.#loop.time();
  /** The scope of the task, once it has begun. */
  #scope: ScopeNode | undefined;
  #isAnswered = false;

  /** Starts the handler in a task below the present scope. */
  constructor(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
    plan: ExchangePlan,
  ) {
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#resolve = resolve;
    this.#request = request;
    this.#info = info;
    this.#plan = plan;
    this.name = `${request.method} ${pathOf(request.url)}`;
    this.#task = createTask(() => this.#run(), {
      name: this.name,
      scope: "current",
    });
    this.#task.addDoneCallback(() => {
      // A task that was cancelled has not answered.
      if (!this.#isAnswered) this.#answer(unavailable());
      plan.onEnd(this);
    });
  }

  cancel(reason: string): void {
    this.#task.cancel(reason);
  }

  /** What it does now, for reports. */
  status(): { name: string; ms: number; waitsFor: string[] } {
    const ms = this.#loop.time() - this.#start;
    const waitsFor = this.#scope === undefined ? [] : waitsIn(this.#scope);
    return { name: this.name, ms, waitsFor };
  }

  async #run(): Promise<void> {
    this.#scope = currentFrame().scope;
    // Most answers come at once: only for the others the signal is looked at,
    // which costs time, and makes some versions of Deno print a warning.
    const watching = this.#loop.callSoon(() => this.#watchClient());
    try {
      const response = await this.#handle();
      this.#answer(response);
      await abortable(this.#info.completed).catch(() => {});
      const more = workAfterAnswer.get(response);
      if (more !== undefined) await more;
    } finally {
      watching.cancel();
    }
  }

  async #handle(): Promise<Response> {
    const { deadlineMs } = this.#plan;
    if (deadlineMs === Infinity) return await this.#call();
    // The client gets its answer even if the handler takes time to end.
    const early = this.#loop.callLater(
      deadlineMs,
      () => this.#answer(unavailable()),
    );
    try {
      const result = await moveOnAfter(deadlineMs, () => this.#call());
      return result.timedOut ? unavailable() : result.value;
    } finally {
      early.cancel();
    }
  }

  async #call(): Promise<Response> {
    try {
      const response = await this.#plan.handler(this.#request, this.#info);
      if (response instanceof Response) return response;
      throw new TypeError(
        `Cannot answer ${this.name} as the handler must return a Response: current value is ${
          show(response)
        }`,
      );
    } catch (error) {
      if (currentScope().cancelled && isCancelled(error)) throw error;
      return await this.#answerFailure(error);
    }
  }

  async #answerFailure(error: unknown): Promise<Response> {
    const { onError } = this.#plan;
    if (onError === undefined) this.#report("the handler has failed", error);
    else {
      try {
        const response = await onError(error, this.#request);
        if (response instanceof Response) return response;
      } catch (second) {
        this.#report("the handler has failed", error);
        this.#report('"onError" has failed', second);
      }
    }
    return new Response("Internal Server Error", { status: 500 });
  }

  #answer(response: Response): void {
    if (this.#isAnswered) {
      response.body?.cancel().catch(() => {});
      return;
    }
    this.#isAnswered = true;
    this.#resolve(response);
  }

  /** Cancels the task when the client leaves before all was delivered. */
  #watchClient(): void {
    let isDelivered = false;
    this.#info.completed.then(
      () => isDelivered = true,
      () => this.cancel("the response cannot be delivered"),
    );
    const check = (): void => {
      if (!isDelivered) this.cancel("the client has left");
    };
    // The signal also aborts after a success: then `completed` was resolved right
    // before, and its callback runs before this one.
    this.#request.signal.addEventListener(
      "abort",
      () => queueMicrotask(check),
    );
  }

  #report(what: string, exception: unknown): void {
    this.#loop.callExceptionHandler({
      message: `Cannot answer ${this.name}: ${what}`,
      exception,
    });
  }
}

/** What a client gets whose request was cancelled. */
export function unavailable(): Response {
  return new Response("Service Unavailable", { status: 503 });
}

function pathOf(url: string): string {
  return /^[^:]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? url;
}
