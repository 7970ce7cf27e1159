import { show } from "../_internal/check.ts";

/** What can stand in a query. */
export type QueryValue = string | number | boolean;

/** The parameters of a query; a list gives its name several times. */
export interface Query {
  /** The value of one parameter; `undefined` leaves it out. */
  readonly [name: string]: QueryValue | readonly QueryValue[] | undefined;
}

/** The URL of a path below a base, which has no way out of its origin. */
export function urlBelow(base: URL | undefined, path: string | URL): URL {
  const text = String(path);
  const url = URL.parse(base ? text.replace(/^\/+/, "") : text, base?.href);
  if (url === null) {
    throw new TypeError(
      `Cannot send a request as "path" must be a URL where the session has no "baseUrl": current value is ${
        show(text)
      }`,
    );
  }
  if (base === undefined || url.origin === base.origin) return url;
  throw new TypeError(
    `Cannot send a request as "path" must stay below ${base.origin}: current value is ${
      show(text)
    }`,
  );
}

/** Checks a base URL, and makes it one that paths can be put to. */
export function parseBase(baseUrl: string | URL): URL {
  const url = URL.parse(String(baseUrl));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(
      `Cannot create a session as "baseUrl" must be a URL of HTTP: current value is ${
        show(String(baseUrl))
      }`,
    );
  }
  // Without the slash the last part of the path would get lost.
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** Adds parameters to those that a URL has. */
export function addQuery(url: URL, query: Query): void {
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) {
      url.searchParams.append(name, String(one));
    }
  }
}
