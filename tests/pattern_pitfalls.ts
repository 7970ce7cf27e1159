/**
 * Pitfalls of policies, pools, queues and servers that the trackers of others
 * record, and the tests that keep this package out of them.
 *
 * @module
 */
import type { Pitfall } from "./pitfalls.ts";

const ADAPTIVE_BULKHEAD = "patterns/adaptive_bulkhead_test.ts";
const APPLICATION = "io/application_test.ts";
const BATCHER = "patterns/batcher_test.ts";
const BULKHEAD = "patterns/bulkhead_test.ts";
const CHANNEL = "primitives/channel_test.ts";
const CIRCUIT_BREAKER = "patterns/circuit_breaker_test.ts";
const CLIENT_THROTTLE = "patterns/client_throttle_test.ts";
const CONNECTION_POOL = "io/connection_pool_test.ts";
const EXPLAIN = "patterns/explain_test.ts";
const HEALTH = "patterns/health_test.ts";
const HEDGE = "patterns/hedge_test.ts";
const HTTP_SESSION = "io/http_session_test.ts";
const HTTP_SESSION_POLICIES = "io/http_session_policies_test.ts";
const KEYED = "patterns/keyed_test.ts";
const MEMO = "patterns/memo_test.ts";
const PEERS_CIRCUIT_BREAKER = "peers/circuit_breaker_test.ts";
const PEERS_RATE_LIMITER = "peers/rate_limiter_test.ts";
const PEERS_RETRY = "peers/retry_test.ts";
const PEERS_THREAD_POOL = "peers/thread_pool_test.ts";
const POLICIES_SWEEP = "patterns/policies_sweep_test.ts";
const POLICY = "patterns/policy_test.ts";
const RATE_ALGORITHMS = "patterns/rate_algorithms_test.ts";
const RATE_LIMITER = "patterns/rate_limiter_test.ts";
const RATE_LIMITER_ALL = "patterns/rate_limiter_all_test.ts";
const RATE_LIMIT_HEADERS = "patterns/rate_limit_headers_test.ts";
const RESOURCE_POOL = "patterns/resource_pool_test.ts";
const RETRY = "patterns/retry_test.ts";
const RETRY_AFTER = "internal/retry_after_test.ts";
const SCHEDULE = "patterns/schedule_test.ts";
const SERVE = "io/serve_test.ts";
const SIGNAL = "internal/signal_test.ts";
const SIMULATED_CIRCUIT_BREAKER = "simulation/circuit_breaker_test.ts";
const SIMULATED_RETRY_BUDGET = "simulation/retry_budget_test.ts";
const SINGLE_FLIGHT = "patterns/single_flight_test.ts";
const SLEEP = "primitives/sleep_test.ts";
const SUPERVISOR = "patterns/supervisor_test.ts";
const SYSTEM_CLOCK = "internal/system_clock_test.ts";
const TCP = "io/tcp_test.ts";
const THREAD_POOL = "io/thread_pool_test.ts";
const TIMEOUT_POLICY = "patterns/timeout_policy_test.ts";
const WORKER_POOL = "patterns/worker_pool_test.ts";
const WORK_QUEUE = "patterns/work_queue_test.ts";

/** All pitfalls, by number; files are below `tests/`. */
export const PATTERN_PITFALLS: Readonly<Record<number, Pitfall>> = {
  1: {
    title: "Everybody rushes through a circuit when its time is over",
    tests: {
      [CIRCUIT_BREAKER]: [
        "a half-open circuit lets so many probes through, and refuses the rest",
      ],
      [SIMULATED_CIRCUIT_BREAKER]: [
        "CircuitBreaker never has more probes than it may, loses nobody, and forgets late results",
      ],
    },
  },
  2: {
    title:
      "A circuit stays half-open, since a probe never gives its place back",
    tests: {
      [CIRCUIT_BREAKER]: [
        "a probe that is cancelled gives its place back, and decides nothing",
        "a probe that takes too long has failed, and is late",
        "a place that a late probe leaves goes to who waits",
      ],
    },
  },
  3: {
    title: "A probe that is cancelled closes the circuit",
    tests: {
      [CIRCUIT_BREAKER]: [
        "a probe that is cancelled gives its place back, and decides nothing",
      ],
      [PEERS_CIRCUIT_BREAKER]: [
        "CircuitBreaker learns nothing from a probe that is cancelled",
      ],
    },
  },
  4: {
    title: "Callers who leave open the circuit",
    tests: {
      [CIRCUIT_BREAKER]: [
        "the caller's own cancellation says nothing of the work",
        "a timeout within is a failure, a timeout outside is none",
      ],
    },
  },
  5: {
    title: "A late result of an earlier period changes the state",
    tests: {
      [CIRCUIT_BREAKER]: [
        "a result from an earlier period changes nothing",
        "late probes leave the calls alone that came after them",
      ],
      [PEERS_CIRCUIT_BREAKER]: [
        "CircuitBreaker ignores a call from before while it probes",
      ],
    },
  },
  6: {
    title: "All calls rush back once a circuit has closed",
    tests: {
      [CIRCUIT_BREAKER]: [
        "a circuit that has closed lets calls through step by step",
      ],
    },
  },
  7: {
    title: "All clients probe at the same moment",
    tests: {
      [CIRCUIT_BREAKER]: [
        "the open time is random in its upper part",
      ],
    },
  },
  8: {
    title: "The first failure of all opens a circuit",
    tests: {
      [CIRCUIT_BREAKER]: [
        "CircuitBreaker opens at a share of failures, of enough calls",
      ],
      [PEERS_CIRCUIT_BREAKER]: [
        "CircuitBreaker does not judge before it has seen enough",
      ],
    },
  },
  9: {
    title: "Calls in flight, or those that were refused, dilute the rate",
    tests: {
      [CIRCUIT_BREAKER]: [
        "calls in flight do not dilute the rate",
        "calls that take too long open the circuit before they are over",
        "a call that counted as slow does not count again when it is over",
      ],
    },
  },
  10: {
    title: "A call and its outcome are counted in different windows",
    tests: {
      [CLIENT_THROTTLE]: [
        "a success counts where its call was made, however late it comes",
        "a success that comes after its window counts nowhere",
      ],
      [CIRCUIT_BREAKER]: [
        "a time window forgets calls when their time is over",
      ],
    },
  },
  11: {
    title: "A clock that is set back stops everything",
    tests: {
      [PEERS_CIRCUIT_BREAKER]: [
        "CircuitBreaker does not look at the time of day",
      ],
      [RETRY_AFTER]: [
        "retryAfterOfHeaders() compares a date with the server's own clock",
      ],
    },
  },
  12: {
    title:
      "A process that was asleep finds dead connections, or lets a crowd through",
    tests: {
      [RESOURCE_POOL]: [
        "when the process was asleep, idle resources are replaced",
      ],
      [RATE_LIMITER]: [
        "A thread that was blocked releases no more than the burst",
      ],
    },
  },
  13: {
    title: "All calls of a policy share one signal",
    tests: {
      [RETRY]: [
        "RetryContext.signal belongs to one attempt",
      ],
      [POLICY]: [
        "PolicyContext.signal fires when an attempt is over, not a result",
      ],
    },
  },
  14: {
    title: "A timeout frees the slot of work that goes on",
    tests: {
      [BULKHEAD]: [
        "a slot is held until work ends whose caller has left by a timeout",
        "zombies tells how many slots are held by work without a caller",
      ],
      [ADAPTIVE_BULKHEAD]: [
        "a slot is held until work ends whose caller has left",
      ],
      [PEERS_CIRCUIT_BREAKER]: [
        "Bulkhead holds its slot until work has ended that has timed out",
      ],
    },
  },
  15: {
    title: "A caller who leaves is told of a timeout",
    tests: {
      [TIMEOUT_POLICY]: [
        "Timeout says nothing of a caller who was cancelled first",
        "Timeout gives what the caller's signal says",
      ],
      [PEERS_RETRY]: [
        "Timeout gives the caller's reason when the caller aborts",
      ],
    },
  },
  16: {
    title: "A call that waits in line does not end when it is aborted",
    tests: {
      [BULKHEAD]: [
        "a call that is aborted in line leaves it at once, and frees its place",
      ],
      [RATE_LIMITER]: [
        "RateLimiter.acquire() leaves the line when its signal aborts",
      ],
      [HTTP_SESSION_POLICIES]: [
        "the signal of a request ends its wait for another attempt",
      ],
    },
  },
  17: {
    title: "A newcomer takes the slot of who waits",
    tests: {
      [BULKHEAD]: [
        "a newcomer never takes the slot that was handed to a waiter",
      ],
      [CIRCUIT_BREAKER]: [
        "a newcomer never takes the place that a waiter was given",
      ],
      [RATE_LIMITER]: [
        "RateLimiter.acquire() lets no newcomer overtake",
      ],
      [RESOURCE_POOL]: [
        "ResourcePool gives a newcomer nothing before those who wait",
      ],
      [WORKER_POOL]: [
        "a newcomer never takes the place of who waits for room",
      ],
    },
  },
  18: {
    title: "Releasing twice makes a permit out of nothing",
    tests: {
      [RESOURCE_POOL]: [
        "releasing twice does nothing, and is told in debug mode",
      ],
      [CONNECTION_POOL]: [
        "releasing twice gives a connection to one user only",
      ],
    },
  },
  19: {
    title: "A limiter locks others out while one of them sleeps",
    tests: {
      [RATE_LIMITER_ALL]: [
        "Who is blocked elsewhere holds up nobody whom it need not",
        "RateLimiter.all() takes from all limiters at once, or from none",
      ],
      [PEERS_RATE_LIMITER]: [
        "RateLimiter.all() takes once for each call",
      ],
    },
  },
  20: {
    title: "All who wait for a limiter wake together",
    tests: {
      [RATE_LIMITER]: [
        "Those who wait are spread, and do not wake together",
      ],
    },
  },
  21: {
    title: "A thread that was blocked lets a crowd through",
    tests: {
      [RATE_LIMITER]: [
        "A thread that was blocked lets no crowd through",
      ],
      [PEERS_RATE_LIMITER]: [
        "RateLimiter releases one window after a stall",
      ],
    },
  },
  22: {
    title: "Twice the limit passes around the edge of a window",
    tests: {
      [RATE_ALGORITHMS]: [
        "Only fixedWindow() lets twice the limit through around an edge",
        "slidingWindow() never lets twice the limit into a window",
      ],
    },
  },
  23: {
    title: "A wait that is given up keeps its place",
    tests: {
      [RATE_LIMITER]: [
        "RateLimiter survives a cancellation at every wait point",
        "RateLimiter.acquire() waits no longer than it may, whatever happens meanwhile",
      ],
      [BULKHEAD]: [
        "Bulkhead loses no slot, wherever its callers are cancelled",
      ],
      [POLICIES_SWEEP]: [
        "A stack of policies gives everything back, wherever its caller is cancelled",
      ],
    },
  },
  24: {
    title: "Jitter is lost where delays reach their limit",
    tests: {
      [SCHEDULE]: [
        "Schedule.jittered() spreads what was limited before",
      ],
      [RETRY]: [
        "retry() waits with full jitter, up to 10 s, if nothing else is said",
      ],
      [PEERS_RETRY]: [
        "Retry spreads the delays that have reached their limit, too",
      ],
    },
  },
  25: {
    title: "A delay is no number after many attempts",
    tests: {
      [SCHEDULE]: [
        "exponential() stays finite after many attempts",
        "fibonacci() adds the last two delays, and stays finite",
      ],
      [RETRY]: [
        "Retry never waits for what nothing but a decision can change",
      ],
    },
  },
  26: {
    title: "An abort between two attempts is not heard",
    tests: {
      [RETRY]: [
        "Retry ends its wait at once when the caller is cancelled",
        "Retry ends its wait at once when its signal aborts",
      ],
      [HTTP_SESSION_POLICIES]: [
        "closing a session ends what waits for another attempt",
      ],
      [PEERS_RETRY]: [
        "Retry ends at once when its caller aborts, without another call",
      ],
    },
  },
  27: {
    title: "All attempts share one limit of time by mistake",
    tests: {
      [TIMEOUT_POLICY]: [
        "Timeout limits each attempt inside of a retry, and all outside",
      ],
      [RETRY]: [
        "RetryContext.signal belongs to one attempt",
      ],
    },
  },
  28: {
    title: "The limit of an attempt is taken for that of the call",
    tests: {
      [TIMEOUT_POLICY]: [
        "Timeout limits each attempt inside of a retry, and all outside",
      ],
      [HTTP_SESSION_POLICIES]: [
        "a timeout around all attempts ends the one that is under way",
      ],
      [EXPLAIN]: [
        "explain() warns of a total limit without one for each attempt",
      ],
    },
  },
  29: {
    title: "Retries of several layers multiply",
    tests: {
      [RETRY]: [
        "Retry inside a retry does not multiply its attempts",
        "Retry spends a budget that all share",
      ],
      [SIMULATED_RETRY_BUDGET]: [
        "RetryBudget keeps an outage from multiplying the load",
      ],
    },
  },
  30: {
    title:
      "A hint of the server is multiplied, waited for all day, or undercut",
    tests: {
      [RETRY]: [
        "Retry gives up at once if it would have to wait too long",
        "Retry never comes back before a server's hint",
      ],
      [RETRY_AFTER]: [
        "retryAfterOfHeaders() takes nothing for a hint that is none",
      ],
    },
  },
  31: {
    title: "A request that has an effect is sent twice",
    tests: {
      [HTTP_SESSION_POLICIES]: [
        "POST without a key is sent again only if nothing was sent",
        "POST is sent again with the same key, and other posts have another",
        "a body that is a stream is sent once",
      ],
      [RETRY]: [
        "Retry repeats work that may not be done twice only if it never began",
      ],
    },
  },
  32: {
    title: "The body of a response that nobody gets holds its connection",
    tests: {
      [RETRY]: [
        "Retry cancels the body of a response that it does not give back",
      ],
      [HEDGE]: [
        "Hedge cancels the body of a response that comes too late",
      ],
      [HTTP_SESSION]: [
        "HttpSession drops a response that came too late",
      ],
    },
  },
  33: {
    title:
      "A hedge that loses counts as a failure, and one that wins loses its body",
    tests: {
      [HEDGE]: [
        "Hedge's losers are no failures for what is inside of it",
        "Hedge leaves the signal of the winner alone",
      ],
    },
  },
  34: {
    title: "A pool loses a resource when who waits for it gives up",
    tests: {
      [RESOURCE_POOL]: [
        "a caller that gives up leaves its creation to the next",
        "a creation that nobody waits for any more becomes idle",
        "ResourcePool loses nothing, wherever a user is cancelled",
      ],
    },
  },
  35: {
    title: "A pool creates in a busy loop what cannot be created",
    tests: {
      [RESOURCE_POOL]: [
        "a failed creation is tried again, after a pause that doubles",
        "when all attempts have failed, all who wait get the cause",
      ],
    },
  },
  36: {
    title: "A validation that throws loses its resource",
    tests: {
      [RESOURCE_POOL]: [
        "a validation that throws takes no place, and nobody's turn",
      ],
    },
  },
  37: {
    title: "All resources of a pool expire in the same second",
    tests: {
      [RESOURCE_POOL]: [
        "lifetimes differ by up to 2.5 percent, so that not all end together",
      ],
    },
  },
  38: {
    title: "A connection that has died while idle is handed out",
    tests: {
      [CONNECTION_POOL]: [
        "a connection that was lost while idle is replaced unseen",
        "an idle connection is asked before it is used again",
      ],
      [RESOURCE_POOL]: [
        "an idle resource is looked at now and then, with keepaliveMs",
      ],
    },
  },
  39: {
    title: "Closing a pool hangs, or leaves those who wait hanging",
    tests: {
      [RESOURCE_POOL]: [
        "ResourcePool.close() refuses, rejects, waits and destroys",
        "ResourcePool.close() takes back what is still in use, and tells",
      ],
      [CONNECTION_POOL]: [
        "ConnectionPool.close() refuses, wakes, and closes what comes back",
      ],
    },
  },
  40: {
    title: "Tasks that hold one resource wait for a second one for ever",
    tests: {
      [RESOURCE_POOL]: [
        "tasks that hold one each and wait for another are told of",
        "in debug mode they are told of at once",
      ],
    },
  },
  41: {
    title: "A worker that crashes loses calls of others",
    tests: {
      [THREAD_POOL]: [
        "a crash is told to the call that ran, and to no other",
        "an idempotent call is made again after a crash, once",
      ],
    },
  },
  42: {
    title: "A call that is aborted in line blocks those behind",
    tests: {
      [THREAD_POOL]: [
        "a call that is cancelled in line never begins, and blocks nobody",
      ],
      [WORKER_POOL]: [
        "a job that is cancelled in the line never begins, and blocks nobody",
      ],
    },
  },
  43: {
    title: "To abort one call kills its neighbours",
    tests: {
      [THREAD_POOL]: [
        "a call that runs is told to end, and its thread is kept",
      ],
      [WORKER_POOL]: [
        "a job that is cancelled ends alone: its worker goes on",
      ],
    },
  },
  44: {
    title: "Workers that crash at the start are started for ever",
    tests: {
      [THREAD_POOL]: [
        "a pool whose threads do not start backs off, then fails",
      ],
      [SUPERVISOR]: [
        "a service that crashes too often makes the supervisor give up",
      ],
    },
  },
  45: {
    title: "An error in a worker that nobody catches ends the process",
    tests: {
      [THREAD_POOL]: [
        "a crash is told to the call that ran, and to no other",
      ],
      [PEERS_THREAD_POOL]: [
        "ThreadPool repeats a call that may be, if its thread crashes",
      ],
    },
  },
  46: {
    title: "One mark of the end is not enough for several consumers",
    tests: {
      [CHANNEL]: [
        "every receiver ends with its channel, however many there are",
      ],
      [WORK_QUEUE]: [
        "a closed queue takes no items, and tells those who wait in vain",
      ],
    },
  },
  47: {
    title: "A queue grows without bound",
    tests: {
      [WORKER_POOL]: [
        "WorkerPool.submitNowait() refuses a job for which there is no room",
      ],
      [WORK_QUEUE]: [
        "WorkQueue.put() refuses items for which there is no room",
      ],
      [BATCHER]: [
        "Batcher refuses items when too many wait, or when it is closed",
      ],
      [RATE_LIMITER]: [
        "A RateLimiter refuses newcomers when its line is full",
      ],
      [THREAD_POOL]: [
        "ThreadPool refuses calls for which there is no room",
      ],
    },
  },
  48: {
    title: "What is kept by key grows without bound",
    tests: {
      [KEYED]: [
        "keyed() drops the least recently used if there are too many",
        "keyed() refuses a new key if none may go",
      ],
      [MEMO]: [
        "Memo forgets what was not asked for the longest",
      ],
      [HTTP_SESSION_POLICIES]: [
        "hosts are bounded: one that is as new makes room, one in use does not",
      ],
    },
  },
  49: {
    title: "A key is forgotten while it still limits somebody",
    tests: {
      [KEYED]: [
        "keyed() keeps what is no longer as it was made",
      ],
      [RATE_LIMITER]: [
        "keyed() keeps limiters apart, and drops none that limits somebody",
      ],
      [CIRCUIT_BREAKER]: [
        "a breaker is pristine only as long as a new one could stand in for it",
      ],
    },
  },
  50: {
    title: "A refusal says to come again at once",
    tests: {
      [RATE_LIMITER]: [
        "A refusal never says to come again at once",
      ],
      [RATE_LIMIT_HEADERS]: [
        "formatRateLimitHeaders() never tells a client to come at once",
      ],
    },
  },
  51: {
    title: "A look at the database decides whether a program is alive",
    tests: {
      [HEALTH]: [
        "HealthChecks keeps the three questions apart",
        "of a check that is too old nothing is known: not ready, but alive",
      ],
    },
  },
  52: {
    title: "A program that drains counts as dead",
    tests: {
      [HEALTH]: [
        "a program that is drained is not ready, but alive",
      ],
    },
  },
  53: {
    title: "Requests are cut when the listener closes first",
    tests: {
      [APPLICATION]: [
        "it is not ready first, and goes on for a while before it stops",
        "work in flight is finished, and no more is begun",
      ],
    },
  },
  54: {
    title: "The second signal is not heard, and a hook hangs for ever",
    tests: {
      [APPLICATION]: [
        "the second signal leaves nobody time, the third ends the process",
        "a flush that hangs is named, and holds the deadline up no longer",
      ],
    },
  },
  55: {
    title: "The times of several steps add up beyond that of the platform",
    tests: {
      [SUPERVISOR]: [
        "all services share one deadline",
      ],
      [APPLICATION]: [
        "the delay of the endpoints is part of the deadline, and ends by a second signal",
      ],
    },
  },
  56: {
    title: "A stream that never ends keeps a server from stopping",
    tests: {
      [SERVE]: [
        "Server.shutdown() cuts a stream that does not end",
      ],
      [TCP]: [
        "TcpServer.shutdown() cancels what takes longer than its grace",
      ],
    },
  },
  57: {
    title: "The first caller who leaves ends the call of all",
    tests: {
      [SINGLE_FLIGHT]: [
        "the first caller's deadline does not end the call for others",
        "a newcomer never joins a call that is about to end",
        "SingleFlight.forget() keeps an old call from ending a new one",
      ],
    },
  },
  58: {
    title: "A long wait is over at once",
    tests: {
      [SLEEP]: [
        "sleep() waits beyond 2^31-1 ms",
      ],
      [SYSTEM_CLOCK]: [
        "SystemClock waits beyond 2^31-1 ms in pieces",
      ],
    },
  },
  59: {
    title: "A listener that throws breaks what it listens to",
    tests: {
      [POLICY]: [
        "A hook that throws or rejects goes to the exception handler",
      ],
      [CIRCUIT_BREAKER]: [
        "hooks run when all is done, and what they throw breaks nothing",
      ],
      [RETRY]: [
        "Retry goes on when a hook throws",
        "Retry reports an isRetriable that throws, and goes by the default",
      ],
    },
  },
  60: {
    title: "Signals that live on gather listeners",
    tests: {
      [POLICY]: [
        "PolicyContext.signal leaves no listener on a parent that lives on",
      ],
      [SIGNAL]: [
        "10,000 listeners on one signal cost one event listener",
      ],
    },
  },
};
