/** What `assertObjectMatch` compares. */

/** Copies from `value` what `like` has too, so that the two can be compared. */
export function pick(value: unknown, like: unknown): unknown {
  const seen = new WeakMap<object, object>();
  return pickKeys(value, like as object);

  function pickKeys(value: unknown, like: object): object {
    if (Object(value) !== value) {
      throw new TypeError(
        `Cannot assertObjectMatch ${
          value === null ? null : `type ${typeof value}`
        }`,
      );
    }
    const source = value as Record<PropertyKey, unknown>;
    if (seen.get(source) === like) return source;
    seen.set(source, like);
    const wanted = Reflect.ownKeys(like);
    const present = Reflect.ownKeys(source);
    const common = present.filter((key) => wanted.includes(key));
    // Nothing in common: everything is shown, rather than an empty object.
    if (common.length === 0 && wanted.length > 0) {
      return Object.fromEntries(present.map((key) => [key, source[key]]));
    }
    return Object.fromEntries(common.map((key) => [
      key,
      pickValue(source[key], (like as Record<PropertyKey, unknown>)[key]),
    ]));
  }

  function pickValue(value: unknown, like: unknown): unknown {
    if (!isObject(value) || !isObject(like) || value instanceof RegExp) {
      return value;
    }
    if (Array.isArray(value) && Array.isArray(like)) {
      if (seen.get(value) === like) return value;
      seen.set(value, like);
      return value.slice(0, like.length)
        .map((item, i) => pickValue(item, like[i]));
    }
    if (value instanceof Map && like instanceof Map) {
      return new Map(
        [...value].filter(([key]) => like.has(key)).map(([key, item]) => {
          const other = like.get(key);
          return [
            key,
            isObject(item) && isObject(other) ? pickKeys(item, other) : item,
          ];
        }),
      );
    }
    if (value instanceof Set && like instanceof Set) {
      return value.intersection(like);
    }
    return pickKeys(value, like);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
