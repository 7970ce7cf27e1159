/** Deep equality by the rules of `@std/assert`. */

const TypedArray = Object.getPrototypeOf(Uint8Array) as abstract new () =>
  & ArrayLike<unknown>
  & object;

/** Classes whose instances are told apart by their string form. */
const TEXTUAL_PROTOTYPES = new Set<unknown>([
  Intl.Locale.prototype,
  RegExp.prototype,
  Temporal.Duration.prototype,
  Temporal.Instant.prototype,
  Temporal.PlainDate.prototype,
  Temporal.PlainDateTime.prototype,
  Temporal.PlainMonthDay.prototype,
  Temporal.PlainTime.prototype,
  Temporal.PlainYearMonth.prototype,
  Temporal.ZonedDateTime.prototype,
  URL.prototype,
  URLSearchParams.prototype,
]);

type Seen = Map<object, object>;
type Fields = Record<PropertyKey, unknown>;

/**
 * Tells whether two values are deeply equal.
 *
 * `0` equals `-0` and `NaN` equals itself. Objects need the same prototype,
 * where a null prototype counts as that of a plain object.
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, seen: Seen): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (a instanceof Date && b instanceof Date) {
    return Object.is(a.getTime(), b.getTime());
  }
  if (plainPrototypeOf(a) !== plainPrototypeOf(b)) return false;
  if (a instanceof TypedArray && b instanceof TypedArray) {
    return sameElements(a, b);
  }
  if (isBuffer(a) && isBuffer(b)) {
    return sameElements(new Uint8Array(a), new Uint8Array(b));
  }
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`Cannot compare ${a.constructor.name} instances`);
  }
  if (a instanceof WeakRef && b instanceof WeakRef) {
    return compare(a.deref(), b.deref(), seen);
  }
  // A pair under comparison further up is taken as equal: so cycles end.
  if (seen.get(a) === b) return true;
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  seen.set(a, b);
  if (isCollection(a) && isCollection(b)) return sameEntries(a, b, seen);
  if (TEXTUAL_PROTOTYPES.has(Object.getPrototypeOf(a))) {
    return String(a) === String(b);
  }
  return sameFields(a as Fields, b as Fields, seen);
}

function sameElements(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  }
  return true;
}

/** Order does not count, and keys that are objects are compared deeply. */
function sameEntries(
  a: Map<unknown, unknown> | Set<unknown>,
  b: Map<unknown, unknown> | Set<unknown>,
  seen: Seen,
): boolean {
  if (a.size !== b.size) return false;
  const entriesOfB = [...b.entries()];
  if ([...a.keys()].every((key) => !isObject(key) && !isFunction(key))) {
    const found = new Map<unknown, unknown>(entriesOfB);
    return [...a.entries()].every(([key, value]) =>
      found.has(key) && compare(value, found.get(key), seen)
    );
  }
  let unmatched = a.size;
  for (const [keyOfA, valueOfA] of a.entries()) {
    const matches = entriesOfB.some(([keyOfB, valueOfB]) =>
      compare(keyOfA, keyOfB, seen) && compare(valueOfA, valueOfB, seen)
    );
    if (matches) unmatched--;
  }
  return unmatched === 0;
}

function sameFields(a: Fields, b: Fields, seen: Seen): boolean {
  for (const key of new Set([...fieldsOf(a), ...fieldsOf(b)])) {
    if ((key in a) !== (key in b)) return false;
    if (!compare(a[key], b[key], seen)) return false;
  }
  return true;
}

/** Own enumerable keys of plain objects and arrays; of others all, inherited too. */
function fieldsOf(value: object): PropertyKey[] {
  const prototype = plainPrototypeOf(value);
  if (prototype === Object.prototype || prototype === Array.prototype) {
    return Reflect.ownKeys(value).filter((key) =>
      Object.prototype.propertyIsEnumerable.call(value, key)
    );
  }
  const keys: PropertyKey[] = [];
  let owner: object | null = value;
  while (
    owner !== null && owner !== Object.prototype && owner !== Array.prototype
  ) {
    keys.push(...Reflect.ownKeys(owner));
    owner = Object.getPrototypeOf(owner);
  }
  return keys;
}

function plainPrototypeOf(value: object): object {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function isCollection(
  value: object,
): value is Map<unknown, unknown> | Set<unknown> {
  return value instanceof Map || value instanceof Set;
}
