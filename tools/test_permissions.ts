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
    permission("write", ...foldersToWrite()),
    permission("run", Deno.execPath()),
  ];
}

/** Where temporary files go, and where the program of the guide writes its file. */
function foldersToWrite(): string[] {
  return Deno.build.os === "windows"
    ? [tmpdir()]
    : [...new Set([tmpdir(), "/tmp"])];
}

function permission(name: string, ...paths: string[]): string {
  return paths.some((path) => /[\s,]/.test(path))
    ? `--allow-${name}`
    : `--allow-${name}=${paths.join(",")}`;
}

if (import.meta.main) console.log(testPermissions().join(" "));
