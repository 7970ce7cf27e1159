import { type Linked, LinkedList } from "./linked_list.ts";

/** A member of a {@linkcode PriorityLine}. */
export interface Prioritized<N> extends Linked<N> {
  readonly priority: number;
}

/**
 * A line in which a higher priority goes first, and the first come among equals.
 *
 * It is made for few different priorities: taking out is constant, a new priority
 * costs as much as there are others.
 */
export class PriorityLine<N extends Prioritized<N>> {
  readonly #lists = new Map<number, LinkedList<N>>();
  /** Invariant: ascending, and each has a list that is not empty. */
  readonly #priorities: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get head(): N | undefined {
    return this.#first()?.head;
  }

  push(node: N): void {
    this.#listOf(node.priority).push(node);
    this.#size++;
  }

  /** Puts `node` in front of its equals: it has been at the head before. */
  unshift(node: N): void {
    this.#listOf(node.priority).insertAfter(undefined, node);
    this.#size++;
  }

  shift(): N | undefined {
    const node = this.head;
    if (node !== undefined) this.remove(node);
    return node;
  }

  remove(node: N): void {
    const list = this.#lists.get(node.priority);
    if (list === undefined) return;
    list.remove(node);
    this.#size--;
    if (list.size > 0) return;
    this.#lists.delete(node.priority);
    this.#priorities.splice(this.#placeOf(node.priority), 1);
  }

  *[Symbol.iterator](): Iterator<N> {
    for (let i = this.#priorities.length - 1; i >= 0; i--) {
      const list = this.#lists.get(this.#priorities[i] as number);
      for (let n = list?.head; n !== undefined; n = n.next) yield n;
    }
  }

  #first(): LinkedList<N> | undefined {
    const { length } = this.#priorities;
    if (length === 0) return undefined;
    return this.#lists.get(this.#priorities[length - 1] as number);
  }

  #listOf(priority: number): LinkedList<N> {
    let list = this.#lists.get(priority);
    if (list === undefined) {
      list = new LinkedList();
      this.#lists.set(priority, list);
      this.#priorities.splice(this.#placeOf(priority), 0, priority);
    }
    return list;
  }

  /** Where a priority stands among the others, or has to stand. */
  #placeOf(priority: number): number {
    let low = 0;
    let high = this.#priorities.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#priorities[middle] as number) < priority) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
