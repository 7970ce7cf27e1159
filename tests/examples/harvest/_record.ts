/**
 * A record of a run that did not take place.
 */
import { RunRecord } from "../../../examples/harvest/run_record.ts";
import { testClean } from "../../_leaks.ts";

/**
 * Registers a test that receives a record of ten seconds in virtual time: 200
 * documents, a pause that was made longer, an open circuit, and one loss.
 */
export function testRecord(
  name: string,
  fn: (record: RunRecord) => void,
): void {
  testClean(name, ({ virtual }) => {
    const record = new RunRecord({ wanted: 301, before: 100 });
    for (let i = 1; i <= 200; i++) {
      const sentAt = virtual.now;
      virtual.advance(50);
      record.addAttempt("ok", sentAt + 50 - (i % 100 + 1) / 2);
      if (i === 20) record.addFreeze("a", 1000);
      if (i === 30) record.addFreeze("a", 1000);
      if (i === 100) record.addCircuit("a", "open");
      if (i === 101) record.addAttempt("status", virtual.now - 7);
      if (i === 110) record.addCircuit("a", "half-open");
      if (i === 120) record.addCircuit("a", "closed");
      if (i % 100 === 0) record.addStored(100);
    }
    record.addLoss("documents/9", new RangeError("no <such> thing"));
    record.end();
    virtual.advance(5000);
    fn(record);
  });
}
