/**
 * Pitfalls of async libraries that their trackers record, and the tests that keep
 * this one out of them.
 *
 * @module
 */

/** A pitfall, and the tests that cover it, by their files. */
export interface Pitfall {
  readonly title: string;
  readonly tests: Readonly<Record<string, readonly string[]>>;
}

const CHECKPOINT = "primitives/checkpoint_test.ts";
const ITER_MAP = "primitives/async_iter_map_test.ts";
const ITER_STUCK = "primitives/async_iter_stuck_test.ts";
const GENERATOR = "primitives/generator_test.ts";
const CONDITION = "primitives/condition_test.ts";
const CONTEXT = "primitives/context_var_test.ts";
const DETACH = "primitives/detach_test.ts";
const EXITS = "primitives/exit_stack_test.ts";
const FUTURE = "primitives/future_test.ts";
const GATHER = "primitives/gather_test.ts";
const GROUP = "primitives/task_group_test.ts";
const EVENT = "primitives/event_test.ts";
const LOCK = "primitives/lock_test.ts";
const LOOP = "primitives/loop_test.ts";
const ONCE = "primitives/once_test.ts";
const QUEUE = "primitives/queue_test.ts";
const RW_LOCK = "primitives/rw_lock_test.ts";
const RUNNER = "primitives/runner_test.ts";
const SCOPE = "primitives/scope_test.ts";
const SELECT = "primitives/select_test.ts";
const SEMAPHORE = "primitives/semaphore_test.ts";
const SLEEP = "primitives/sleep_test.ts";
const TASK = "primitives/task_test.ts";
const TIMEOUT = "primitives/timeout_test.ts";
const UNCANCELLABLE = "primitives/uncancellable_test.ts";
const WAIT_FOR = "primitives/wait_for_test.ts";

/** All pitfalls, by number; files are below `tests/`. */
export const PITFALLS: Readonly<Record<number, Pitfall>> = {
  1: {
    title: "A waiter that is granted, then cancelled, loses what it got",
    tests: {
      [QUEUE]: [
        "an item that was handed over is not lost by a late cancel",
        "a get that is cancelled takes no item",
      ],
      [FUTURE]: [
        "a value wins over a cancellation of the waiter in the same step",
      ],
      [GROUP]: [
        "TaskGroup.slot() passes on when the first in line does not use it",
      ],
      [LOCK]: [
        "a lock that was handed over is kept in spite of a late cancel",
        "Lock loses nothing, wherever its waiters are cancelled",
      ],
      [SEMAPHORE]: [
        "permits that were granted are kept in spite of a late cancel",
        "Semaphore loses no permit, wherever its waiters are cancelled",
      ],
      [EVENT]: [
        "AutoResetEvent loses no wake-up, wherever its waiters are cancelled",
      ],
      [CONDITION]: [
        "a notification is not lost by a late cancel",
        "Condition loses no notification, wherever its waiters are cancelled",
      ],
    },
  },
  2: {
    title: "A cancelled head of the line leaves others asleep behind it",
    tests: {
      [QUEUE]: ["a put that is cancelled leaves no item"],
      [GROUP]: ["TaskGroup.slot() leaves the line when its scope is cancelled"],
      [SEMAPHORE]: [
        "a cancelled head of the line lets pass who comes next",
        "a select that leaves the line of a semaphore lets others pass",
      ],
      [RW_LOCK]: ["a cancelled writer lets the readers behind it pass"],
    },
  },
  3: {
    title: "Weighted permits that were partly collected are lost on cancel",
    tests: {
      [SEMAPHORE]: ["several permits are taken at once, or none of them"],
    },
  },
  4: {
    title: "A future is completed while its waiters change the list",
    tests: {
      [FUTURE]: [
        "Future.setResult() wakes all who wait, in order",
        "a done callback may set another future, and read this one",
      ],
      "internal/outcome_test.ts": [
        "claims and callbacks are served in one line",
      ],
    },
  },
  5: {
    title: "A call that does not wait steals what a woken waiter was promised",
    tests: {
      [QUEUE]: [
        "a newcomer never takes an item that was handed to a waiter",
        "a newcomer never overtakes a put that waits",
      ],
      [LOCK]: ["a newcomer never overtakes who waits for a lock"],
      [SEMAPHORE]: ["a newcomer never overtakes who waits for a permit"],
    },
  },
  6: {
    title: "A permit that is given back twice frees the one of another",
    tests: {
      [LOCK]: [
        "a permit that is given back twice frees nobody else's lock",
        "a permit whose lock was released otherwise is worth nothing",
      ],
      [CONDITION]: [
        "a permit holds nothing while its task waits, and cannot be given back then",
      ],
      [SEMAPHORE]: ["a permit that is given back twice counts once"],
    },
  },
  7: {
    title: "An event that is set and cleared at once wakes nobody",
    tests: {
      [EVENT]: ["who waits goes on although the event is cleared at once"],
    },
  },
  8: {
    title: "Counters lag behind, and timers stay after success",
    tests: {
      [LOCK]: ["a lock tells its state at once"],
      [SEMAPHORE]: ["a semaphore tells its state at once"],
      [QUEUE]: [
        "Queue.get() serves those who wait in the order of their calls",
      ],
      [SLEEP]: ["sleep() that is cancelled leaves no timer"],
      [TIMEOUT]: [
        "timeout() in real time leaves no timer when it was not needed",
      ],
    },
  },
  9: {
    title: "A late cancel throws away a resource that was opened",
    tests: {
      [SCOPE]: ["withScope() gives the value although it was cancelled"],
      [TIMEOUT]: ["timeout() gives a value that comes in spite of the limit"],
    },
  },
  10: {
    title: "waitFor swallows a cancellation that comes as the work completes",
    tests: {
      [WAIT_FOR]: [
        "waitFor() does not swallow a cancellation in the step that completes",
      ],
    },
  },
  11: {
    title: "Groups and timeouts mix up whose cancellation it is",
    tests: {
      [GROUP]: [
        "a timeout around a group is not mixed up with the group's own",
      ],
      [TIMEOUT]: [
        "two timeouts that end at once give the error of the outer",
        "timeout() does not take a foreign cancellation for its own",
      ],
    },
  },
  12: {
    title: "A catch for errors swallows the cancellation",
    tests: {
      [SCOPE]: ["a swallowed cancellation comes again at the next wait"],
      "primitives/errors_test.ts": [
        "rethrowCancelled() throws the very cancellation, and nothing else",
      ],
    },
  },
  13: {
    title: "A loop that catches and waits again spins once it is cancelled",
    tests: {
      [SCOPE]: [
        "a loop that swallows its cancellation gives way, and is reported once",
      ],
      [CHECKPOINT]: [
        "awaiting a task that was cancelled gives way now and then",
      ],
    },
  },
  14: {
    title: "Cleanup cannot wait in what was cancelled",
    tests: {
      [UNCANCELLABLE]: [
        "uncancellable() may wait in a scope that was cancelled before",
      ],
      [TASK]: ["Task's asyncDispose waits in a cancelled scope, too"],
      [GROUP]: ["TaskGroup's asyncDispose waits in a cancelled scope, too"],
      [EXITS]: ["each exit may wait when the body was cancelled"],
    },
  },
  15: {
    title: "A shield hides a cancellation for ever",
    tests: {
      [UNCANCELLABLE]: [
        "uncancellable() is cancelled when its grace is over, and reported by name",
      ],
      [RUNNER]: [
        "Runner.cancelHard() ends cleanup that cancel() has left alone",
      ],
    },
  },
  16: {
    title: "A shield leaks to siblings, or flips in flight",
    tests: {
      [UNCANCELLABLE]: [
        "uncancellable() stands for its own function only",
        "the waits of another task are not hidden by uncancellable()",
      ],
    },
  },
  17: {
    title: "A child that is cancelled while it starts cancels the wrong group",
    tests: {
      [GROUP]: [
        "cancelling the starter's group leaves the target group alone",
        "cancelling the starter cancels the member, and not the group",
      ],
    },
  },
  18: {
    title: "Stopping a task resolves before its cleanup, or rejects",
    tests: {
      [TASK]: [
        "await using of a task cancels it and waits until it is gone",
        "Task's asyncDispose never rejects",
      ],
    },
  },
  19: {
    title:
      "A timeout counts from its construction; zero means different things",
    tests: {
      [TIMEOUT]: [
        "timeout() counts from the call",
        "timeout(0) begins its function, and its first wait throws",
      ],
      [WAIT_FOR]: ["waitFor(fn, 0) does not call its function"],
    },
  },
  20: {
    title:
      "Siblings run on after an error; settling hides one's own cancellation",
    tests: {
      [GROUP]: [
        "TaskGroup.all() cancels the rest at the first failure, and waits",
        "TaskGroup.all() does not settle the caller's own cancellation",
      ],
      [GATHER]: [
        "gather() throws the first error at once, and the others go on",
        "gather() with returnExceptions does not hide the caller's cancellation",
      ],
    },
  },
  21: {
    title: "A timeout rejects, while the work goes on",
    tests: {
      [TIMEOUT]: [
        "timeout() ends only when the work has ended, cleanup included",
        "timeout() cancels a task that its function returns",
      ],
    },
  },
  22: {
    title: "await using does not see the error of its block",
    tests: {
      [GROUP]: ["await using of a group cancels, waits and reports"],
    },
  },
  23: {
    title: "The error of the cleanup masks that of the body",
    tests: {
      [GROUP]: [
        "TaskGroupError keeps members in order of their end, the body last",
        "a body that throws cancels the members, and is the only error",
      ],
    },
  },
  24: {
    title: "Listeners pile up on a signal that lives long",
    tests: {
      [SCOPE]: [
        "withScope() puts one listener on a signal, however often it is given",
        "withScope() removes its listener when its function throws",
      ],
      [SLEEP]: ["sleep() forgets its signal when the time has come"],
      "internal/signal_test.ts": [
        "10,000 listeners on one signal cost one event listener",
      ],
    },
  },
  25: {
    title: "A signal that was aborted before is missed",
    tests: {
      [SCOPE]: ["withScope() sees a signal that was aborted before"],
      [SLEEP]: ["sleep() does not begin if its signal was aborted before"],
    },
  },
  26: {
    title: "What was aborted still stands in line",
    tests: {
      [QUEUE]: [
        "the waits of a queue end with their signal, and leave the line",
      ],
      [GROUP]: [
        "a member without a slot can be cancelled alone, the next keep order",
      ],
    },
  },
  27: {
    title: "Clearing a queue leaves promises pending for ever",
    tests: {
      [QUEUE]: [
        "Queue.shutdown() ends those who wait",
        "Queue.shutdown() with immediate drops the items, and ends join()",
      ],
    },
  },
  28: {
    title: "Timers that lost keep the process alive",
    tests: {
      "internal/system_clock_test.ts": [
        "SystemClock clears its native timer when the last timer leaves",
        "SystemClock does not hold the process for idle timers",
      ],
      [RUNNER]: ["Runner.close() drops callbacks that are planned"],
    },
  },
  29: {
    title: "The process ends while a run is waiting",
    tests: {
      "internal/system_clock_test.ts": [
        "SystemClock.keepAlive() holds the process until it is released",
        "SystemClock holds the process for a timer behind an idle one",
      ],
    },
  },
  30: {
    title: "A listener or hook that throws breaks the machinery",
    tests: {
      [SCOPE]: [
        "an abort listener that throws keeps nobody from being cancelled",
      ],
      [FUTURE]: [
        "an onCancel that throws is reported, and keeps nobody from being cancelled",
      ],
      [LOOP]: ["what a callback throws is reported, and the others go on"],
      [QUEUE]: [
        "a comparison that throws is told to who takes, and no item is lost",
      ],
      [SELECT]: [
        "select() leaves all lines when a choice throws as it is put in line",
      ],
    },
  },
  31: {
    title: "A task runs before it is registered",
    tests: {
      [TASK]: [
        "createTask() returns before its function begins",
        "an eager task is registered before it runs",
        "an eager task does not leave its scope to its creator",
      ],
    },
  },
  32: {
    title: "Ambient state leaks through listeners, callbacks and stragglers",
    tests: {
      [DETACH]: [
        "an abort listener finds the aborter's scope, a bound one its own",
      ],
      [SCOPE]: ["a straggler enters new waits under the nearest live scope"],
      [CONTEXT]: [
        "callbacks see the values of who planned them",
        "a waiter keeps its own values, whoever wakes it",
      ],
    },
  },
  33: {
    title: "Concurrency inside one task mixes up its scopes",
    tests: {
      [SCOPE]: ["two scopes side by side in one task do not mix"],
    },
  },
  34: {
    title: "A child that fails before it is awaited ends the process",
    tests: {
      [TASK]: [
        "a failed task that nobody looks at is reported once, after 5 s",
        "a failed task that somebody looked at is not reported",
      ],
      [SCOPE]: [
        "a dropped wait does not end the process when it is cancelled",
        "a dropped wait does not end the process when it is refused",
      ],
      "primitives/channel_test.ts": [
        "a reserve() that is dropped does not end the process when it is cancelled",
      ],
    },
  },
  35: {
    title: "Racing against a promise that lives long keeps memory",
    tests: {
      [FUTURE]: [
        "a future that lives long keeps none of the waits that gave up",
      ],
    },
  },
  36: {
    title: "return() of a generator hangs behind a pending next()",
    tests: {
      [ITER_STUCK]: [
        "AsyncIter.return() does not hang behind a next() that is stuck",
        "AsyncIter leaves a source that is stuck in a task of its own",
        "AsyncIter leaves a source that is stuck when its grace is over, and tells so",
        "AsyncIter ends a stream that is stuck in a read at once",
      ],
    },
  },
  37: {
    title: "Leaving a loop early does not close its sources",
    tests: {
      [ITER_STUCK]: [
        "AsyncIter.merge() runs the finalizers of all of six sources",
        "AsyncIter ends the other sources though one is stuck",
      ],
    },
  },
  38: {
    title: "Leaving a loop early keeps the mapper running",
    tests: {
      [ITER_MAP]: [
        "AsyncIter.map() starts nothing more when the loop is left",
        "AsyncIter.map() throws the error of the source, and not of an item",
        "AsyncIter.map() pulls no more than it may while nobody takes",
      ],
    },
  },
  39: {
    title: "A promise that is resolved with a task awaits it",
    tests: {
      [TASK]: ["an async function that returns a task awaits it"],
      [FUTURE]: ["Future.setResult() throws on a promise, a task or a future"],
      [QUEUE]: ["Queue refuses promises and tasks"],
    },
  },
  40: {
    title: "Falsy values are taken for none",
    tests: {
      [FUTURE]: ["a future takes falsy values for what they are"],
      [QUEUE]: ["Queue takes falsy items for what they are"],
      "internal/claim_test.ts": [
        "a claim resolves with falsy values as they are",
      ],
    },
  },
  41: {
    title: "Those who never have to wait starve timers",
    tests: {
      [CHECKPOINT]: [
        "checkpoint() gives way now and then",
        "awaiting a task that has ended gives way now and then",
      ],
      [LOOP]: ["a chain of tasks in real time lets timers fire"],
      [QUEUE]: ["a loop of ready puts and gets in real time lets timers fire"],
    },
  },
  42: {
    title: "What is thrown is no Error",
    tests: {
      [TASK]: ["a task may throw anything, undefined too"],
      [ITER_MAP]: ["AsyncIter.map() throws what is no Error, undefined too"],
    },
  },
  43: {
    title: "Work is put into a group that is closing",
    tests: {
      [GROUP]: [
        "a member may add others while the group is ending",
        "TaskGroup.createTask() throws once the group has ended",
      ],
    },
  },
  44: {
    title: "Waiters for a slot mask the error that ended the group",
    tests: {
      [GROUP]: [
        "members without a slot never begin once the group was cancelled",
        "a failure wins over a cancellation from outside",
      ],
    },
  },
  45: {
    title: "A failure is told only when somebody waits for the group",
    tests: {
      [GROUP]: ["a member that fails cancels its siblings and the body"],
      [TASK]: [
        "a failed task that nobody looks at is reported at the end of the run",
      ],
    },
  },
  46: {
    title: "One caller's cancellation ends the work that all share",
    tests: {
      [ONCE]: [
        "the deadline of the first caller ends that caller's wait only",
        "the work is cancelled when all who wait have left",
        "who comes while abandoned work ends begins anew",
      ],
      "patterns/single_flight_test.ts": [
        "the first caller's deadline does not end the call for others",
        "the call is cancelled when the last caller has left",
        "a newcomer never joins a call that is about to end",
      ],
      "patterns/memo_test.ts": [
        "the computation is cancelled when the last caller has left",
      ],
      "patterns/batcher_test.ts": [
        "a batch is cancelled when the last caller has left, and not before",
      ],
    },
  },
  47: {
    title: "Replacing by key removes the newer entry",
    tests: {
      "patterns/single_flight_test.ts": [
        "SingleFlight.forget() keeps an old call from ending a new one",
      ],
      "patterns/memo_test.ts": [
        "Memo.set() and delete() win over what is being computed",
      ],
    },
  },
  48: {
    title: "Cancelling 100,000 children recurses too deep",
    tests: {
      [SCOPE]: [
        "Scope.cancel() goes through 5,000 tasks that await each other",
      ],
      "internal/scope_node_test.ts": [
        "ScopeNode.cancel() reaches 100,000 children",
        "ScopeNode.cancel() goes down 100,000 levels",
      ],
    },
  },
  49: {
    title: "A generator yields inside of a scope",
    tests: {
      [GENERATOR]: [
        "channelFrom() runs all steps of a generator in one task of its own",
        "channelFrom() cancels what a generator has kept open, and waits for it",
      ],
    },
  },
  50: {
    title: "A scope is left by another task, or out of order",
    tests: {
      [SCOPE]: [
        "withScope() does not change the scope of its caller",
        "a straggler's scope hands over its children as well",
      ],
      "internal/scope_node_test.ts": [
        "ScopeNode.exit() hands claims and scopes to the nearest live ancestor",
      ],
    },
  },
  51: {
    title: "Context is copied at the creation here, at the start there",
    tests: {
      [CONTEXT]: ["a task sees the values at its creation, not at its start"],
    },
  },
};
