/** A member of at most one {@linkcode LinkedList} at a time. */
export interface Linked<N> {
  prev: N | undefined;
  next: N | undefined;
}

/** An intrusive doubly linked list: the member itself is the node. */
export class LinkedList<N extends Linked<N>> {
  head: N | undefined = undefined;
  tail: N | undefined = undefined;
  size = 0;

  push(node: N): void {
    node.prev = this.tail;
    node.next = undefined;
    if (this.tail === undefined) this.head = node;
    else this.tail.next = node;
    this.tail = node;
    this.size++;
  }

  /** Puts `node` behind `place`, or in front of all if there is no place. */
  insertAfter(place: N | undefined, node: N): void {
    const next = place === undefined ? this.head : place.next;
    node.prev = place;
    node.next = next;
    if (place === undefined) this.head = node;
    else place.next = node;
    if (next === undefined) this.tail = node;
    else next.prev = node;
    this.size++;
  }

  remove(node: N): void {
    if (node.prev === undefined) this.head = node.next;
    else node.prev.next = node.next;
    if (node.next === undefined) this.tail = node.prev;
    else node.next.prev = node.prev;
    node.prev = undefined;
    node.next = undefined;
    this.size--;
  }

  shift(): N | undefined {
    const node = this.head;
    if (node !== undefined) this.remove(node);
    return node;
  }
}
