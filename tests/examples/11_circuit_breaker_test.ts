import { CircuitOpenError } from "@ilmek/async/circuit-breaker";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  createCircuit,
  describeCall,
  ServiceError,
  UnreliableService,
} from "../../examples/11_circuit_breaker.ts";
import { capture } from "./_capture.ts";

const down = () => Promise.reject(new ServiceError("down"));

/** What `fn` prints. */
async function printed(fn: () => Promise<void>): Promise<string[]> {
  const virtual = new VirtualLoop();
  const { lines } = await capture(virtual, () => virtual.run(fn));
  return lines.map(({ text }) => text);
}

Deno.test("createCircuit() lets one probe through, and refuses the others", async () => {
  const lines = await printed(async () => {
    const circuit = createCircuit();
    for (let i = 0; i < 3; i++) await circuit.run(down).catch(() => {});
    await sleep(5000);
    let probes = 0;
    const probe = () =>
      circuit.run(async () => {
        probes++;
        await sleep(1000);
      });

    const results = await gather([probe, probe, probe], {
      returnExceptions: true,
    });
    assertEquals(probes, 1);
    assert(results.slice(1).every((it) => it instanceof CircuitOpenError));
  });

  assertEquals(lines, [
    "Circuit OPEN oldu! (threshold: 3)",
    "Circuit HALF_OPEN durumuna geçti (test)",
    "Circuit CLOSED durumuna döndü (başarılı test)",
  ]);
});

Deno.test("createCircuit() forgets failures once a call has succeeded", async () => {
  const lines = await printed(async () => {
    const circuit = createCircuit();
    for (const isDown of [true, false, false, true, false, true]) {
      await circuit.run(() => isDown ? down() : "ok").catch(() => {});
    }
    assertEquals(circuit.state, "closed");
  });

  assertEquals(lines, []);
});

Deno.test("createCircuit() ignores what comes of a call from before", async () => {
  await printed(async () => {
    const circuit = createCircuit();
    const late = createTask(() => circuit.run(() => sleep(6000)));
    await sleep(0);
    for (let i = 0; i < 3; i++) await circuit.run(down).catch(() => {});
    await sleep(5000);
    const probe = createTask(() => circuit.run(() => sleep(3000)));
    await late;

    assertEquals(circuit.state, "half-open");
    await probe;
    assertEquals(circuit.state, "closed");
  });
});

Deno.test("a refusal by createCircuit() tells when to come back", async () => {
  await printed(async () => {
    const circuit = createCircuit();
    for (let i = 0; i < 3; i++) await circuit.run(down).catch(() => {});
    await sleep(2000);

    const error = await assertRejects(
      () => circuit.run(down),
      CircuitOpenError,
    );
    assertEquals([error.retryAfterMs, error.rejected], [3000, true]);
  });
});

Deno.test("describeCall() lets errors pass that are not the service's", async () => {
  const service = new UnreliableService();
  service.call = () => {
    throw new RangeError("a bug");
  };

  await assertRejects(() => describeCall(createCircuit(), service), RangeError);
});
