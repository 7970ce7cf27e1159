import type { EventLoop } from "../_internal/event_loop.ts";
import { isCancelled } from "../primitives/errors.ts";
import type { PoolCall } from "./_pool_call.ts";
import {
  type PoolAnswer,
  type PoolCallEnd,
  type PoolCallMessage,
  type PoolRequest,
  RUNNING,
  SLOTS,
  TAKEN_BACK,
  WAITING,
} from "./_pool_messages.ts";
import { stuckWorkers } from "./_stuck_workers.ts";
import { unpackThrown } from "./_wire_error.ts";

/** How much work a thread may have in advance, in milliseconds. */
const AHEAD_MS = 1;
/** How much the latest call weighs in the mean of how long calls take. */
const WEIGHT = 0.2;

/** What a pool is told by its threads. */
export interface PoolThreadOwner {
  readonly preload: readonly string[];
  readonly tellsHeap: boolean;
  /** The thread can be used. */
  ready(thread: PoolThread): void;
  /** The thread has room for another call. */
  roomy(thread: PoolThread): void;
  /**
   * The thread is gone. `calls` had not begun; `victim` is the call that ran.
   */
  gone(thread: PoolThread, how: ThreadEnd): void;
}

/** How a thread has ended. */
export interface ThreadEnd {
  readonly kind: "retired" | "given-up" | "crashed" | "unready";
  readonly how: string;
  readonly cause?: unknown;
  /** Calls that had not begun, in order. */
  readonly unbegun: readonly PoolCall[];
  /** The call that ran. */
  readonly victim: PoolCall | undefined;
}

/** One thread of a pool, and the calls that it holds. */
export class PoolThread {
  readonly name: string;
  readonly bornAt: number;
  readonly loop: EventLoop;
  /** How many calls have ended in here. */
  completed = 0;
  /** The size of its heap after the last call, in bytes, if it is known. */
  heapBytes = 0;
  /** Since when it has nothing to do. */
  idleSince: number;
  state: "booting" | "ready" | "gone" = "booting";
  /** It takes no more calls. */
  retiring = false;
  readonly #worker: Worker;
  readonly #owner: PoolThreadOwner;
  readonly #states: Int32Array;
  readonly #flags: Int32Array;
  readonly #calls: (PoolCall | undefined)[] = new Array(SLOTS);
  readonly #free: number[] = Array.from({ length: SLOTS }, (_, i) => i);
  /** The slots in use, in the order in which their calls were sent. */
  readonly #sent = new Set<number>();
  readonly #known = new Set<number>();
  readonly #outbox: PoolCallMessage[] = [];
  #isSending = false;
  #isFilling = false;
  #meanMs = AHEAD_MS;
  /** Whether the thread takes messages after it was told to end a call. */
  #isListening = false;
  /** How many requests for a sign of life were not answered. */
  #pings = 0;
  #release: (() => void) | undefined = undefined;
  #answeredAt: number;

  constructor(name: string, loop: EventLoop, owner: PoolThreadOwner) {
    this.name = name;
    this.loop = loop;
    this.#owner = owner;
    this.bornAt = loop.time();
    this.idleSince = this.bornAt;
    this.#answeredAt = this.bornAt;
    const flags = new SharedArrayBuffer(
      2 * SLOTS * Int32Array.BYTES_PER_ELEMENT,
    );
    this.#states = new Int32Array(flags, 0, SLOTS);
    this.#flags = new Int32Array(flags, this.#states.byteLength, SLOTS);
    // Written like this, tools see that the file belongs to the program.
    this.#worker = new Worker(
      new URL("./_pool_entry.ts", import.meta.url),
      { type: "module", name },
    );
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.#crash("an answer is damaged");
    this.#worker.onerror = (event) => {
      // Else an error in the worker ends the whole process.
      event.preventDefault();
      this.#crash(event.message);
    };
    const { preload, tellsHeap } = owner;
    this.#post({ kind: "boot", flags, preload, tellsHeap, debug: loop.debug });
  }

  /** How many calls it holds. */
  get load(): number {
    return this.#sent.size;
  }

  get idle(): boolean {
    return this.state === "ready" && this.#sent.size === 0;
  }

  /** Whether it has calls that have not ended; others were taken back. */
  get working(): boolean {
    for (const slot of this.#sent) {
      if (this.#calls[slot] !== undefined) return true;
    }
    return false;
  }

  /**
   * How many calls it may hold. As long as calls are short some go ahead, so that
   * the thread need not wait for the next one.
   */
  get depth(): number {
    if (this.#meanMs >= AHEAD_MS) return 1;
    return Math.min(SLOTS, Math.ceil(AHEAD_MS / Math.max(this.#meanMs, 0.01)));
  }

  /** Whether a call may be sent. */
  takes(call: PoolCall): boolean {
    if (this.state !== "ready" || this.retiring) return false;
    if (this.#sent.size === 0) return true;
    if (!call.movable) return false;
    // It is filled up when it has half, so that many calls go as one message.
    const { depth } = this;
    if (this.#sent.size * 2 <= depth) this.#isFilling = true;
    else if (this.#sent.size >= depth) this.#isFilling = false;
    return this.#isFilling && this.#sent.size < depth && this.#isMovable();
  }

  /** Sends a call; those of one step go as one message. */
  send(call: PoolCall): void {
    const { target, args, transfer } = call.plan;
    const slot = this.#free.pop() as number;
    this.#calls[slot] = call;
    this.#sent.add(slot);
    Atomics.store(this.#states, slot, WAITING);
    Atomics.store(this.#flags, slot, 0);
    const define = this.#known.has(target.id) ? undefined : target.target;
    const message: PoolCallMessage = define === undefined
      ? [slot, target.id, args]
      : [slot, target.id, args, define];
    call.sentTo(this);
    if (transfer.length > 0) return this.#sendOne(message, [...transfer]);
    this.#outbox.push(message);
    // What defines a target must have arrived before another call counts on it.
    if (define !== undefined) return this.#flush();
    if (this.#isSending) return;
    this.#isSending = true;
    queueMicrotask(() => this.#flush());
  }

  /** Ends a call that was sent to this thread. */
  endCall(call: PoolCall): void {
    const slot = this.#calls.indexOf(call);
    if (this.#takeBack(slot)) return call.fail(undefined);
    Atomics.store(this.#flags, slot, 1);
    this.#post({ kind: "cancel", slot });
    this.#isListening = false;
    call.awaitEnd(() => this.#giveUp(call));
  }

  /** Takes back calls that have not begun, the last first. */
  takeBack(): PoolCall[] {
    const taken: PoolCall[] = [];
    for (const slot of [...this.#sent].reverse()) {
      const call = this.#calls[slot];
      if (call === undefined || !this.#takeBack(slot)) continue;
      call.takenBack();
      taken.push(call);
    }
    return taken;
  }

  /** How many calls wait in here behind another one. */
  get ahead(): number {
    return Math.max(0, this.#sent.size - 1);
  }

  /** Since when its present call has run, as far as is known. */
  get silentMs(): number {
    return this.loop.time() - Math.max(this.#answeredAt, this.idleSince);
  }

  /** Asks for a sign of life; `false` if the last two have not come. */
  ping(): boolean {
    if (this.#pings === 2) return false;
    this.#pings++;
    // Time that is virtual must not pass before the answer is there.
    this.#release ??= this.loop.hold(`a sign of life of "${this.name}"`);
    this.#post({ kind: "ping" });
    return true;
  }

  /** Says that the thread does not answer any more. */
  lost(how: string): void {
    this.#crash(how);
  }

  /** Ends a thread that has nothing to do. */
  retire(): void {
    this.#end({ kind: "retired", how: "it was not needed any more" });
  }

  #receive(answer: PoolAnswer): void {
    if (this.state === "gone") return;
    if (isValue(answer)) {
      const [value, ...end] = answer;
      return this.#ended(end, (call) => call.succeed(value));
    }
    switch (answer.kind) {
      case "ready":
        this.state = "ready";
        this.idleSince = this.loop.time();
        return this.#owner.ready(this);
      case "unready":
        return this.#end({
          kind: "unready",
          how: "a module could not be loaded",
          cause: unpackThrown(answer.error),
        });
      case "error":
        return this.#ended(answer.end, (call) => {
          const error = unpackThrown(answer.error);
          if (call.endedBy !== undefined && !isCancelled(error)) {
            this.#report("has failed while it was cancelled", call, error);
          }
          call.fail(error);
        });
      case "skipped":
        this.#forget(answer.slot);
        return this.#owner.roomy(this);
      case "ending":
        this.#isListening = true;
        return;
      case "closing":
        return this.#crash(`it was ended by ${answer.by}`);
      case "pong":
        this.#alive();
    }
  }

  #ended(
    [slot, ms, heap]: PoolCallEnd,
    tell: (call: PoolCall) => void,
  ): void {
    const call = this.#calls[slot];
    this.#answeredAt = this.loop.time();
    this.#forget(slot, this.#answeredAt);
    this.completed++;
    this.heapBytes = heap;
    this.#meanMs += WEIGHT * (ms - this.#meanMs);
    this.#alive();
    if (call !== undefined) tell(call);
    this.#owner.roomy(this);
  }

  #alive(): void {
    this.#pings = 0;
    this.#release?.();
    this.#release = undefined;
  }

  #forget(slot: number, now: number = this.loop.time()): void {
    this.#calls[slot] = undefined;
    this.#sent.delete(slot);
    this.#free.push(slot);
    if (this.#sent.size === 0) this.idleSince = now;
  }

  /** Takes a call away from the thread, if it has not begun. */
  #takeBack(slot: number): boolean {
    const before = Atomics.compareExchange(
      this.#states,
      slot,
      WAITING,
      TAKEN_BACK,
    );
    // The slot is free when the thread has passed it.
    if (before === WAITING) this.#calls[slot] = undefined;
    return before === WAITING;
  }

  /** Whether what it holds leaves room for calls behind it. */
  #isMovable(): boolean {
    for (const slot of this.#sent) {
      if (this.#calls[slot]?.movable === false) return false;
    }
    return true;
  }

  #flush(): void {
    this.#isSending = false;
    if (this.#outbox.length === 0 || this.state === "gone") return;
    const calls = this.#outbox.splice(0);
    try {
      this.#post(calls);
      for (const [, target] of calls) this.#known.add(target);
    } catch {
      // One of them cannot be copied: the others must not suffer.
      for (const call of calls) this.#sendOne(call);
    }
  }

  #sendOne(message: PoolCallMessage, transfer?: Transferable[]): void {
    try {
      this.#post([message], transfer);
      this.#known.add(message[1]);
    } catch (error) {
      const [slot] = message;
      const call = this.#calls[slot];
      this.#forget(slot);
      call?.fail(error);
      this.#owner.roomy(this);
    }
  }

  #post(request: PoolRequest, transfer?: Transferable[]): void {
    // With a list, even an empty one, the platform takes a slower way.
    if (transfer === undefined) this.#worker.postMessage(request);
    else this.#worker.postMessage(request, transfer);
  }

  #crash(how: string): void {
    if (this.state === "gone") return;
    const kind = this.state === "booting" ? "unready" : "crashed";
    this.#end({ kind, how });
  }

  #giveUp(call: PoolCall): void {
    // What spins is not ended by the platform, either.
    if (!this.#isListening) stuckWorkers.push(this.name);
    const { graceMs } = call.plan;
    this.#report(`has not ended within the grace of ${graceMs} ms`, call);
    this.#end({ kind: "given-up", how: "its call did not end" });
  }

  #end(end: Pick<ThreadEnd, "kind" | "how" | "cause">): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.#alive();
    this.#worker.terminate();
    const unbegun: PoolCall[] = [];
    let victim: PoolCall | undefined;
    for (const slot of this.#sent) {
      const call = this.#calls[slot];
      if (call === undefined) continue;
      if (Atomics.load(this.#states, slot) === RUNNING) victim = call;
      else unbegun.push(call);
    }
    this.#sent.clear();
    this.#owner.gone(this, { ...end, unbegun, victim });
  }

  #report(what: string, call: PoolCall, exception?: unknown): void {
    call.loop.report({
      message: `Thread "${this.name}" ${what}: ${call.label}`,
      ...(exception === undefined ? {} : { exception }),
    });
  }
}

function isValue(
  answer: PoolAnswer,
): answer is readonly [unknown, ...PoolCallEnd] {
  return Array.isArray(answer);
}
