/**
 * The few things that it takes to draw with SVG.
 */

/** Where something is drawn. */
export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Gives the place of a value. */
export type Scale = (value: number) => number;

/** Spreads the values `from` over the places `to`, evenly. */
export function scaleOf(
  from: readonly [number, number],
  to: readonly [number, number],
): Scale {
  const factor = (to[1] - to[0]) / (from[1] - from[0]);
  return (value) => to[0] + (value - from[0]) * factor;
}

/** Options of {@linkcode ticksOf}. */
export interface TicksOptions {
  /**
   * Whether the last tick is the end or beyond it.
   *
   * @default {false}
   */
  readonly isUpTo?: boolean;
}

/** Round numbers from 0 to `end`, about `most` of them. */
export function ticksOf(
  end: number,
  most: number,
  options: TicksOptions = {},
): number[] {
  const { isUpTo = false } = options;
  const power = 10 ** Math.floor(Math.log10(end / most));
  const factor = [1, 2, 5, 10].find((it) => it * power * most >= end) ?? 10;
  const step = factor * power;
  const last = isUpTo ? Math.ceil(end / step) : Math.floor(end / step);
  return Array.from({ length: last + 1 }, (_, i) => i * step);
}

/** An element with its attributes, and what is in it. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: string = "",
): string {
  const written = Object.entries(attributes).map(([key, value]) =>
    ` ${key}="${typeof value === "number" ? number(value) : escapeText(value)}"`
  );
  const open = `<${name}${written.join("")}`;
  return content === "" ? `${open}/>` : `${open}>${content}</${name}>`;
}

/** A number as short as it may be. */
export function number(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A text that means nothing but itself. */
export function escapeText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
