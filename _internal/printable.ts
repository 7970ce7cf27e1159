/** Makes the consoles of Deno and Node print objects by their `toString`. */
export function makePrintable(prototype: object): void {
  for (const name of ["Deno.customInspect", "nodejs.util.inspect.custom"]) {
    Object.defineProperty(prototype, Symbol.for(name), {
      value(this: object): string {
        return this.toString();
      },
    });
  }
}
