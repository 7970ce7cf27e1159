/**
 * What it costs to log: a level that is off, and a line of JSON that goes nowhere.
 *
 * @module
 */
import { ContextVar } from "@ilmek/async/context-var";
import { lineSink } from "@ilmek/async/log-sink";
import { Logger } from "@ilmek/async/logger";
import { pino } from "pino";
import { type Question, registerBenches } from "../question.ts";

const CALLS = 1000;

let length = 0;
const write = (line: string): void => {
  length = line.length;
};

const request = new ContextVar<string>("request");
const ours = new Logger(lineSink(write), { name: "app", context: { request } });
const peer = pino({ base: { name: "app" } }, { write });

/** The questions, by name. */
export const questions: Record<string, Question> = {
  off: {
    kind: "speed",
    group: "a level that is off",
    items: CALLS,
    cases: [
      {
        name: "if (false)",
        kind: "limit",
        run: (items) => {
          for (let i = 0; i < items; i++) if (length < 0) write("");
        },
      },
      {
        name: "Logger.debug()",
        kind: "ours",
        run: (items) => {
          for (let i = 0; i < items; i++) ours.debug("order taken");
        },
      },
      {
        name: "pino",
        kind: "peer",
        run: (items) => {
          for (let i = 0; i < items; i++) peer.debug("order taken");
        },
      },
    ],
  },
  line: {
    kind: "speed",
    group: "a line of JSON",
    items: CALLS,
    cases: [
      {
        name: "JSON.stringify()",
        kind: "limit",
        run: (items) => {
          for (let i = 0; i < items; i++) {
            const time = Date.now();
            write(JSON.stringify({
              time,
              level: "info",
              logger: "app",
              message: "order taken",
              fields: { order: i, rows: 2 },
            }));
          }
        },
      },
      {
        name: "Logger.info()",
        kind: "ours",
        run: (items) => {
          for (let i = 0; i < items; i++) {
            ours.info("order taken", { order: i, rows: 2 });
          }
        },
      },
      {
        name: "pino",
        kind: "peer",
        run: (items) => {
          for (let i = 0; i < items; i++) {
            peer.info({ order: i, rows: 2 }, "order taken");
          }
        },
      },
    ],
  },
};

registerBenches(questions);
