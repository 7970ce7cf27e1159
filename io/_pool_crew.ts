import type { EventLoop } from "../_internal/event_loop.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import type { PoolCall } from "./_pool_call.ts";
import { PoolThread, type PoolThreadOwner } from "./_pool_thread.ts";

/** How long a thread may keep others waiting before they are taken from it. */
const STEAL_MS = 2;

/** When threads come and go. */
export interface CrewPlan {
  readonly name: string;
  readonly maxThreads: number;
  readonly minThreads: number;
  readonly idleMs: number;
  readonly heartbeatMs: number;
  readonly maxTasks: number;
  readonly maxAgeMs: number;
  readonly maxHeapBytes: number;
  readonly random: () => number;
}

/** What is known about one thread besides what it knows itself. */
interface Member {
  readonly maxTasks: number;
  readonly maxAgeMs: number;
  /** Tells when the run ends that the thread was started in. */
  readonly keeper: ScopeNode;
  rest: Timer | undefined;
}

/** The threads of a pool: starts them, chooses among them, and ends them. */
export class PoolCrew {
  readonly plan: CrewPlan;
  readonly #owner: PoolThreadOwner;
  readonly #members = new Map<PoolThread, Member>();
  #started = 0;
  #closed = false;

  constructor(plan: CrewPlan, owner: PoolThreadOwner) {
    this.plan = plan;
    this.#owner = owner;
  }

  get size(): number {
    return this.#members.size;
  }

  get threads(): Iterable<PoolThread> {
    return this.#members.keys();
  }

  count(is: (thread: PoolThread) => boolean): number {
    let count = 0;
    for (const thread of this.#members.keys()) if (is(thread)) count++;
    return count;
  }

  start(loop: EventLoop): void {
    const { name, maxTasks, maxAgeMs, random } = this.plan;
    const keeper = new ScopeNode(loop, loop.root, {
      name: `a thread of ${name}`,
    });
    const thread = new PoolThread(
      `${name}-${++this.#started}`,
      loop,
      this.#owner,
    );
    keeper.onStruck = () => this.retire(thread);
    this.#members.set(thread, {
      maxTasks: maxTasks * (1 - random() / 10),
      maxAgeMs: maxAgeMs * (1 - random() / 10),
      keeper,
      rest: undefined,
    });
  }

  /** A thread is gone. */
  forget(thread: PoolThread): void {
    const member = this.#members.get(thread);
    if (member === undefined) return;
    this.#members.delete(thread);
    member.rest?.cancel();
    member.keeper.onStruck = undefined;
    member.keeper.exit();
  }

  /** Who does a call: an idle thread, else one whose calls are short. */
  choose(call: PoolCall): PoolThread | undefined {
    let best: PoolThread | undefined;
    for (const thread of this.#members.keys()) {
      if (!thread.takes(call)) continue;
      if (best === undefined || isBetter(thread, best)) best = thread;
    }
    return best;
  }

  /** Who has calls that others could begin, and has kept them waiting for long. */
  overloaded(): PoolThread | "later" | undefined {
    let found: PoolThread | "later" | undefined;
    for (const thread of this.#members.keys()) {
      if (thread.ahead === 0) continue;
      if (thread.silentMs >= STEAL_MS) return thread;
      found = "later";
    }
    return found;
  }

  get stealMs(): number {
    return STEAL_MS;
  }

  /** A thread has nothing to do: it waits, or is ended if its time has come. */
  rest(thread: PoolThread): void {
    const member = this.#members.get(thread);
    if (member === undefined || !thread.idle) return;
    if (this.#closed || thread.retiring || this.#isUsedUp(thread, member)) {
      return thread.retire();
    }
    if (member.rest !== undefined) return;
    const { idleMs, heartbeatMs } = this.plan;
    const ms = Math.min(idleMs, heartbeatMs);
    if (ms === Infinity) return;
    member.rest = thread.loop.timers.after(ms, {
      label: "a thread that has nothing to do",
      expire: () => {
        member.rest = undefined;
        this.#look(thread);
      },
    }, { idle: true });
  }

  /** Ends a thread, when its calls have ended. */
  retire(thread: PoolThread): void {
    thread.retiring = true;
    if (!thread.working) thread.retire();
  }

  /** Ends all threads, when their calls have ended. */
  close(): void {
    this.#closed = true;
    for (const thread of [...this.#members.keys()]) this.retire(thread);
  }

  #isUsedUp(thread: PoolThread, member: Member): boolean {
    return thread.completed >= member.maxTasks ||
      thread.heapBytes >= this.plan.maxHeapBytes ||
      member.maxAgeMs !== Infinity &&
        thread.loop.time() - thread.bornAt >= member.maxAgeMs;
  }

  #look(thread: PoolThread): void {
    // A thread that works sets no other timer: it rests again when it has ended.
    if (!thread.idle) return;
    const { idleMs, minThreads } = this.plan;
    const idleFor = thread.loop.time() - thread.idleSince;
    if (idleFor >= idleMs && this.size > minThreads) return thread.retire();
    if (thread.ping()) this.rest(thread);
    else thread.lost("it gives no sign of life");
  }
}

/** Whether a thread is to be preferred: idle ones, the latest first. */
function isBetter(thread: PoolThread, other: PoolThread): boolean {
  if (thread.load !== other.load) return thread.load < other.load;
  return thread.load === 0 && thread.idleSince > other.idleSince;
}
