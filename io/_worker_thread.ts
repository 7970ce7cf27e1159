import { abortable } from "../primitives/checkpoint.ts";
import { isCancelled } from "../primitives/errors.ts";
import { getRunningLoop, type Loop } from "../primitives/loop.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { stuckWorkers } from "./_stuck_workers.ts";
import { unpackThrown } from "./_wire_error.ts";
import type {
  WorkerAnswer,
  WorkerRequest,
  WorkerTarget,
} from "./_worker_messages.ts";

/** Thrown if a thread ended without an answer. */
export class WorkerCrashedError extends Error {
  static {
    this.prototype.name = "WorkerCrashedError";
  }
  /** The name of the thread. */
  readonly thread: string;

  /** Creates the error of a thread; `how` says in a few words how it ended. */
  constructor(thread: string, how: string) {
    super(`Cannot get the result of thread "${thread}": ${how}`);
    this.thread = thread;
  }
}

/** A worker that runs one function. */
export class WorkerThread {
  readonly #name: string;
  readonly #worker: Worker;
  readonly #loop: Loop = getRunningLoop();
  readonly #flag = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  readonly #answer = Promise.withResolvers<unknown>();
  #isWorking = true;
  /** Whether the worker takes messages after it was told to end. */
  #isListening = false;

  constructor(name: string) {
    this.#name = name;
    // Written like this, tools see that the file belongs to the program.
    this.#worker = new Worker(
      new URL("./_worker_entry.ts", import.meta.url),
      { type: "module", name },
    );
    this.#answer.promise.catch(() => {});
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.#crash("its answer is damaged");
    this.#worker.onerror = (event) => {
      // Else an error in the worker ends the whole process.
      event.preventDefault();
      this.#crash(event.message);
    };
  }

  get answer(): Promise<unknown> {
    return this.#answer.promise;
  }

  get working(): boolean {
    return this.#isWorking;
  }

  run(
    target: WorkerTarget,
    args: readonly unknown[],
    transfer: Transferable[],
  ): void {
    const { debug } = this.#loop;
    try {
      this.#send(
        { kind: "run", target, args, debug, flag: this.#flag },
        transfer,
      );
    } catch (error) {
      this.terminate();
      throw error;
    }
  }

  /** Tells the worker to end, and waits for that as long as the grace allows. */
  async end(graceMs: number): Promise<void> {
    Atomics.store(new Int32Array(this.#flag), 0, 1);
    this.#send({ kind: "cancel" });
    const ended = this.#answer.promise.then(() => {}, (error) => {
      if (isCancelled(error)) return;
      this.#report("has failed while it was cancelled", error);
    });
    try {
      await uncancellable(async () => {
        const { timedOut } = await moveOnAfter(graceMs, () => abortable(ended));
        if (timedOut) this.#giveUp(graceMs);
      }, { name: `the end of thread "${this.#name}"`, graceMs: Infinity });
    } catch (error) {
      // A hard cancellation leaves no time; the first one is what is thrown.
      if (!isCancelled(error)) throw error;
    }
  }

  terminate(): void {
    this.#isWorking = false;
    this.#worker.terminate();
  }

  #send(request: WorkerRequest, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #receive(answer: WorkerAnswer): void {
    if (answer.kind === "ending") this.#isListening = true;
    else if (answer.kind === "closing") {
      this.#crash(`it was ended by ${answer.by}`);
    } else {
      this.#isWorking = false;
      if (answer.kind === "value") this.#answer.resolve(answer.value);
      else this.#answer.reject(unpackThrown(answer.error));
    }
  }

  #crash(how: string): void {
    this.#isWorking = false;
    this.#answer.reject(new WorkerCrashedError(this.#name, how));
  }

  #giveUp(graceMs: number): void {
    // What spins is not ended by the platform, either.
    if (!this.#isListening) stuckWorkers.push(this.#name);
    this.#report(`has not ended within the grace of ${graceMs} ms`);
  }

  #report(what: string, exception?: unknown): void {
    this.#loop.callExceptionHandler({
      message: `Thread "${this.#name}" ${what}`,
      ...(exception === undefined ? {} : { exception }),
    });
  }
}
