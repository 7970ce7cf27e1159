/**
 * Prints the permissions of the tests that depend on the machine: to write
 * where temporary files go, and to run this very `deno`.
 *
 * @module
 */

import { tmpdir } from "node:os";

/** Gives the flags; a path that a shell would split grants everything. */
export function testPermissions(): string[] {
  return [
    permission("write", tmpdir()),
    permission("run", Deno.execPath()),
  ];
}

function permission(name: string, path: string): string {
  return /[\s,]/.test(path) ? `--allow-${name}` : `--allow-${name}=${path}`;
}

if (import.meta.main) console.log(testPermissions().join(" "));
