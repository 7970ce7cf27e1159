const FIRST_CAPACITY = 16;

/** A first-in first-out queue on a power-of-two array. */
export class Ring<T> {
  #items: (T | undefined)[] = new Array(FIRST_CAPACITY);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = item;
    this.#size++;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#size--;
    return item;
  }

  /** Takes out all items. */
  drain(): T[] {
    const items = [...this];
    this.#items = new Array(FIRST_CAPACITY);
    this.#head = this.#size = 0;
    return items;
  }

  /** The item at `index`, counted from the head. */
  at(index: number): T | undefined {
    if (index >= this.#size) return undefined;
    return this.#items[(this.#head + index) & (this.#items.length - 1)];
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = 0; i < this.#size; i++) yield this.at(i) as T;
  }

  #grow(): void {
    const { length } = this.#items;
    const wider: (T | undefined)[] = new Array(length * 2);
    for (let i = 0; i < length; i++) {
      wider[i] = this.#items[(this.#head + i) & (length - 1)];
    }
    this.#items = wider;
    this.#head = 0;
  }
}
