import { assertEquals } from "@std/assert";
import { RunRecord } from "../../../examples/harvest/run_record.ts";
import { testRecord } from "./_record.ts";

testRecord("RunRecord counts what has happened, until its end", (record) => {
  assertEquals(record.elapsedMs, 10_000);
  assertEquals([record.stored, record.complete], [200, 300]);
  assertEquals([record.failed, record.countOf("status")], [1, 1]);
  assertEquals(record.openings, 1);
  assertEquals(record.circuitState, "closed");
});

testRecord(
  "RunRecord.quantiles() tells of the attempts that succeeded",
  (record) => {
    assertEquals(record.quantiles(), { p50: 25, p90: 45, p99: 49.5, max: 50 });
  },
);

testRecord(
  "RunRecord.rates() spreads documents over the time of the run",
  (record) => {
    assertEquals(record.rates(2).map(Math.round), [20, 20]);
    assertEquals(Math.round(record.rate(2000)), 20);
  },
);

testRecord("RunRecord.interruptions() joins pauses that overlap", (record) => {
  assertEquals(record.interruptions(), [
    { from: 1000, to: 2500, kind: "paused" },
    { from: 5000, to: 5500, kind: "open" },
    { from: 5500, to: 6000, kind: "half-open" },
  ]);
});

Deno.test("RunRecord.circuitState is that of the host that is worst off", () => {
  const record = new RunRecord({ wanted: 1, before: 0 });
  record.addCircuit("a", "open");
  record.addCircuit("b", "open");
  record.addCircuit("b", "half-open");
  const worst = record.circuitState;
  record.addCircuit("a", "half-open");
  record.addCircuit("a", "closed");

  assertEquals(worst, "open");
  assertEquals(record.circuitState, "half-open");
});

Deno.test("RunRecord has no quantiles before the first document", () => {
  const record = new RunRecord({ wanted: 1, before: 0 });

  assertEquals(record.quantiles().p50, NaN);
  assertEquals(record.rate(1000), 0);
});
