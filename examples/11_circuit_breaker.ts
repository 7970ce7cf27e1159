/**
 * A circuit breaker: calls of a service that fails are refused, until a probe has
 * shown that it has recovered.
 *
 * Run it: `deno run examples/11_circuit_breaker.ts`
 */
import {
  CircuitBreaker,
  CircuitOpenError,
  type CircuitStateChange,
} from "@ilmek/async/circuit-breaker";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";

const FAILURE_THRESHOLD = 3;
const RECOVERY_MS = 5000;

/** Thrown by the service while it is down. */
export class ServiceError extends Error {
  static {
    this.prototype.name = "ServiceError";
  }
}

/**
 * The guide's breaker never forgets a failure, and lets any number of trials
 * through at once. This one opens at failures in a row, and lets one probe through.
 * What comes of a call from before counts no more, and a refusal has its own error.
 */
export function createCircuit(): CircuitBreaker {
  return new CircuitBreaker({
    name: "service",
    consecutiveFailures: FAILURE_THRESHOLD,
    openMs: RECOVERY_MS,
    jitter: 0,
    probes: 1,
    onStateChange: printChange,
  });
}

function printChange({ to }: CircuitStateChange): void {
  const texts = {
    "open": `Circuit OPEN oldu! (threshold: ${FAILURE_THRESHOLD})`,
    "half-open": "Circuit HALF_OPEN durumuna geçti (test)",
    "closed": "Circuit CLOSED durumuna döndü (başarılı test)",
  };
  console.log(texts[to]);
}

/** A service that can be broken, and tells of its failures. */
export class UnreliableService {
  isDown = true;
  #failures = 0;

  call(): string {
    if (!this.isDown) return "Başarılı";
    console.log(`Hata #${++this.#failures}: Servis hatası!`);
    throw new ServiceError("Servis hatası!");
  }
}

/** Makes one call, and tells what has come of it. */
export async function describeCall(
  circuit: CircuitBreaker,
  service: UnreliableService,
): Promise<string> {
  try {
    return `: ${await circuit.run(() => service.call())}`;
  } catch (error) {
    if (error instanceof CircuitOpenError) {
      return " başarısız: Circuit OPEN! İstekler engelleniyor.";
    }
    if (error instanceof ServiceError) return ` başarısız: ${error.message}`;
    throw error;
  }
}

export async function circuitBreakerExample(): Promise<void> {
  const circuit = createCircuit();
  const service = new UnreliableService();

  for (let i = 0; i < 10; i++) {
    console.log(`Çağrı ${i + 1}${await describeCall(circuit, service)}`);

    await sleep(1000);

    if (i === 5) {
      service.isDown = false;
      console.log("\n>>> Servis düzeltildi <<<\n");
    }
  }
}

export async function main(): Promise<void> {
  await circuitBreakerExample();
}

if (import.meta.main) await run(main);
