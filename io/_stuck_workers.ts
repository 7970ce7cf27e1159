/**
 * The names of workers that were given up, and spin on: nothing on the platform
 * ends them, and they keep the process alive.
 */
export const stuckWorkers: string[] = [];
