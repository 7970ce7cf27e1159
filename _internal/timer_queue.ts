import type { Line } from "./claim.ts";
import type { Job, JobKind } from "./job.ts";
import { type Linked, LinkedList } from "./linked_list.ts";

/** Up to how many lists the empty ones are kept. */
const MAX_LISTS_KEPT = 32;

/** What happens when a timer is due. It never throws. */
export interface TimerTarget {
  readonly label: string;
  expire(): void;
}

/** How a timer is kept. */
export interface TimerOptions {
  /** Neither the process nor virtual time waits for an idle timer. */
  readonly idle?: boolean;
}

/**
 * One entry of a {@linkcode TimerQueue}: the line of a claim that sleeps, and a
 * job where a loop orders what is due.
 */
export class Timer implements Linked<Timer>, Line, Job {
  prev: Timer | undefined = undefined;
  next: Timer | undefined = undefined;
  readonly when: number;
  readonly seq: number;
  readonly target: TimerTarget;
  readonly idle: boolean;
  /** Invariant: set as long as the timer is in the queue. */
  list: TimerList | undefined;
  #cancelled = false;

  constructor(
    when: number,
    seq: number,
    target: TimerTarget,
    list: TimerList,
    idle: boolean,
  ) {
    this.when = when;
    this.seq = seq;
    this.target = target;
    this.list = list;
    this.idle = idle;
  }

  get kind(): JobKind {
    return "turn";
  }

  get label(): string {
    return this.target.label;
  }

  cancel(): void {
    this.#cancelled = true;
    this.list?.queue.remove(this);
  }

  withdraw(): void {
    this.cancel();
  }

  run(): void {
    if (!this.#cancelled) this.target.expire();
  }
}

/** The timers of one duration: whoever came first is due first. */
class TimerList extends LinkedList<Timer> {
  readonly queue: TimerQueue;
  readonly ms: number;
  /** Invariant: `queue.#heap[heapIndex] === this` while the list has timers. */
  heapIndex = -1;

  constructor(queue: TimerQueue, ms: number) {
    super();
    this.queue = queue;
    this.ms = ms;
  }
}

/**
 * All timers of a loop, ordered by time and then by age.
 *
 * Programs use few distinct durations: a list for each makes adding and removing
 * constant, and a heap of the lists finds the next to be due.
 */
export class TimerQueue {
  readonly #now: () => number;
  readonly #onChange: () => void;
  readonly #lists = new Map<number, TimerList>();
  readonly #heap: TimerList[] = [];
  #seq = 0;
  #size = 0;
  #idle = 0;

  /** `onChange` is called when another timer has become the next to be due. */
  constructor(now: () => number, onChange: () => void) {
    this.#now = now;
    this.#onChange = onChange;
  }

  /** How many timers somebody waits for. */
  get busy(): number {
    return this.#size - this.#idle;
  }

  /** What somebody waits for, in no particular order. */
  *targets(): Generator<TimerTarget> {
    for (const list of this.#lists.values()) {
      for (let t = list.head; t !== undefined; t = t.next) {
        if (!t.idle) yield t.target;
      }
    }
  }

  /** When the next timer is due, or `Infinity`. */
  get next(): number {
    return this.#heap[0]?.head?.when ?? Infinity;
  }

  after(ms: number, target: TimerTarget, options?: TimerOptions): Timer {
    return this.#add(ms, this.#now() + ms, target, options);
  }

  at(when: number, target: TimerTarget, options?: TimerOptions): Timer {
    return this.#add(when - this.#now(), when, target, options);
  }

  /** How many timers there ever were. */
  get planned(): number {
    return this.#seq;
  }

  /** Takes out the next timer that is due at `now`, among the first `planned`. */
  takeDue(now: number, planned: number): Timer | undefined {
    const timer = this.#heap[0]?.head;
    if (timer === undefined || timer.when > now) return undefined;
    if (timer.seq >= planned) return undefined;
    this.#unlink(timer);
    return timer;
  }

  /** Forgets all timers. */
  clear(): void {
    for (const list of [...this.#lists.values()]) {
      for (let t = list.head; t !== undefined; t = list.head) t.cancel();
    }
  }

  remove(timer: Timer): void {
    if (timer.list === undefined) return;
    const wasNext = timer.list.heapIndex === 0 && timer.prev === undefined;
    this.#unlink(timer);
    if (wasNext || this.busy === 0) this.#onChange();
  }

  #add(
    ms: number,
    when: number,
    target: TimerTarget,
    options: TimerOptions = {},
  ): Timer {
    const { idle = false } = options;
    let list = this.#lists.get(ms);
    if (list === undefined) {
      list = new TimerList(this, ms);
      this.#lists.set(ms, list);
    }
    const timer = new Timer(when, this.#seq++, target, list, idle);
    this.#size++;
    if (idle) this.#idle++;
    else if (this.busy === 1) this.#onChange();
    let place = list.tail;
    // Only rounding can make an older timer of the same duration due later.
    while (place !== undefined && place.when > when) place = place.prev;
    list.insertAfter(place, timer);
    if (list.size === 1) {
      list.heapIndex = this.#heap.length;
      this.#heap.push(list);
    }
    if (place === undefined) this.#siftUp(list);
    if (list.heapIndex === 0 && place === undefined) this.#onChange();
    return timer;
  }

  #unlink(timer: Timer): void {
    const list = timer.list as TimerList;
    const wasHead = timer.prev === undefined;
    timer.list = undefined;
    list.remove(timer);
    this.#size--;
    if (timer.idle) this.#idle--;
    if (list.size === 0) this.#drop(list);
    else if (wasHead) this.#siftDown(list);
  }

  #drop(list: TimerList): void {
    // Durations come again: a few empty lists are kept.
    if (this.#lists.size > MAX_LISTS_KEPT) this.#lists.delete(list.ms);
    const last = this.#heap.pop() as TimerList;
    if (last === list) return;
    this.#put(last, list.heapIndex);
    this.#siftUp(last);
    this.#siftDown(last);
  }

  #put(list: TimerList, index: number): void {
    this.#heap[index] = list;
    list.heapIndex = index;
  }

  #siftUp(list: TimerList): void {
    let index = list.heapIndex;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex] as TimerList;
      if (isBefore(parent, list)) break;
      this.#put(parent, index);
      index = parentIndex;
    }
    this.#put(list, index);
  }

  #siftDown(list: TimerList): void {
    const heap = this.#heap;
    let index = list.heapIndex;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      let child = heap[childIndex] as TimerList;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        childIndex++;
      }
      if (isBefore(list, child)) break;
      this.#put(child, index);
      index = childIndex;
    }
    this.#put(list, index);
  }
}

function isBefore(a: TimerList, b: TimerList): boolean {
  const x = a.head as Timer;
  const y = b.head as Timer;
  return x.when < y.when || (x.when === y.when && x.seq < y.seq);
}
