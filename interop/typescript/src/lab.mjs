// Lab: one handler per feature to test. Results are JSON, so that the suite can compare them.

import * as restate from "@restatedev/restate-sdk";

import { cell } from "./cell.mjs";
import { combine } from "./combine.mjs";
import { executed, executions } from "./executions.mjs";
import { hidden } from "./hidden.mjs";
import { list } from "./list.mjs";

const DAY_MS = 86_400_000;

function terminal({ code, message, metadata }) {
  return new restate.TerminalError(message, { errorCode: code, metadata });
}

function failFirst({ id, times }) {
  const attempt = executed(id);
  if (attempt <= times) throw new Error(`attempt ${attempt} fails`);
  return attempt;
}

// The version of this code.
function thisVersion() {
  return process.env.VERSION ?? "1";
}

// Awaits, and records in a cell that it has failed.
async function recorded(ctx, key, promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof restate.TerminalError) tell(ctx, key, "cancelled", String(error.code));
    throw error;
  }
}

// Stores a value in a cell, where the suite finds it.
function tell(ctx, key, name, value) {
  ctx.objectSendClient(cell, key).set({ k: name, v: value });
}

const self = { name: "Lab" };
const pauseAfter2 = {
  retryPolicy: {
    initialInterval: 10,
    exponentiationFactor: 1,
    maxAttempts: 2,
    onMaxAttempts: "pause",
  },
};
const quickRetries = { initialRetryInterval: 10, retryIntervalFactor: 1 };

export const lab = restate.service({
  name: "Lab",
  handlers: {
    echo: restate.handlers.handler(
      { input: restate.serde.binary, output: restate.serde.binary },
      async (ctx, bytes) => bytes,
    ),
    upper: async (ctx, word) => word.toUpperCase(),
    double: async (ctx, number) => number * 2,
    nothing: async () => {},
    header: async (ctx, name) => ctx.request().headers.get(name) ?? null,
    executions: async (ctx, name) => executions(name),
    fail: async (ctx, asked) => {
      throw terminal(asked);
    },
    fail_times: restate.handlers.handler(
      { retryPolicy: { initialInterval: 10, exponentiationFactor: 1 } },
      async (ctx, asked) => failFirst(asked),
    ),
    fail_and_pause: restate.handlers.handler(pauseAfter2, async (ctx, asked) => failFirst(asked)),
    fail_always: restate.handlers.handler(
      {
        retryPolicy: {
          initialInterval: 10,
          exponentiationFactor: 1,
          maxAttempts: 3,
          onMaxAttempts: "kill",
        },
      },
      async (ctx, message) => {
        throw new Error(message);
      },
    ),
    version: async () => thisVersion(),
    // The versions before and after a wait.
    versions: async (ctx, key) => {
      const before = thisVersion();
      const { id, promise } = ctx.awakeable();
      tell(ctx, key, "awakeable", id);
      await promise;
      return [before, thisVersion()];
    },
    fail_on_version: restate.handlers.handler(pauseAfter2, async (ctx, broken) => {
      if (thisVersion() === broken) throw new Error(`version ${broken} is broken`);
      return thisVersion();
    }),
    chain: async (ctx, depth) =>
      depth === 0 ? 0 : (await ctx.serviceClient(self).chain(depth - 1)) + 1,
    call_failing: async (ctx, asked) => {
      try {
        await ctx.serviceClient(self).fail(asked);
        return "no failure";
      } catch (error) {
        return [error.code, error.message];
      }
    },
    fail_through_call: async (ctx, asked) => {
      await ctx.serviceClient(self).fail(asked);
    },
    call_hidden: async (ctx) => await ctx.serviceClient(hidden).reveal(),
    // Calls where it is asked to, sends otherwise, and waits at the end.
    mixed_calls: async (ctx, { key, calls }) => {
      const answers = [];
      for (const [number, isCall] of calls.entries()) {
        if (isCall) answers.push(ctx.objectClient(list, key).append(number));
        else ctx.objectSendClient(list, key).append(number);
      }
      await restate.RestatePromise.all(answers);
    },
    double_all: async (ctx, numbers) => {
      const calls = numbers.map((number) => ctx.serviceClient(self).double(number));
      const doubled = await restate.RestatePromise.all(calls);
      return doubled.reduce((sum, number) => sum + number, 0);
    },
    call_cell: async (ctx, { key, amount }) => await ctx.objectClient(cell, key).add(amount),
    call_same_twice: async (ctx, key) => {
      const options = restate.rpc.opts({ idempotencyKey: "once" });
      const answers = [];
      for (let n = 0; n < 2; n++) answers.push(await ctx.objectClient(cell, key).add(1, options));
      return answers;
    },
    send_many: async (ctx, { key, count }) => {
      for (let n = 0; n < count; n++) ctx.objectSendClient(list, key).append(n);
    },
    send_later: async (ctx, { key, delayMs }) => {
      const options = restate.rpc.sendOpts({ delay: delayMs });
      return await ctx.objectSendClient(list, key).append("late", options).invocationId;
    },
    send_same_twice: async (ctx, key) => {
      const options = restate.rpc.sendOpts({ idempotencyKey: "once" });
      const ids = [];
      for (let n = 0; n < 2; n++) {
        ids.push(await ctx.objectSendClient(list, key).append(1, options).invocationId);
      }
      return ids[0] === ids[1];
    },
    send_and_attach: async (ctx, number) => {
      const id = await ctx.serviceSendClient(self).double(number).invocationId;
      return await ctx.attach(id);
    },
    run_once: async (ctx, id) => {
      const value = await ctx.run("once", () => executed(id));
      await ctx.sleep(50);
      return [value, await ctx.run("again", () => "b")];
    },
    run_many: async (ctx, count) => {
      let sum = 0;
      for (let n = 0; n < count; n++) sum += await ctx.run("n", () => n);
      return sum;
    },
    run_retried: async (ctx, asked) =>
      await ctx.run("retried", () => failFirst(asked), quickRetries),
    run_exhausted: async (ctx, { id, max }) => {
      let isFailed = false;
      try {
        const never = () => {
          executed(id);
          throw new Error("never");
        };
        await ctx.run("exhausted", never, { ...quickRetries, maxRetryAttempts: max });
      } catch (error) {
        if (!(error instanceof restate.TerminalError)) throw error;
        isFailed = true;
      }
      return [isFailed, executions(id)];
    },
    run_terminal: async (ctx, asked) => {
      await ctx.run("terminal", () => {
        throw terminal(asked);
      });
    },
    sleep: async (ctx, durationMs) => {
      await ctx.sleep(durationMs);
      return "slept";
    },
    sleep_many: async (ctx, count) => {
      const sleeps = Array.from({ length: count }, (_, n) => ctx.sleep(10 + (n % 40)));
      await restate.RestatePromise.all(sleeps);
      return count;
    },
    await_awakeable: async (ctx, key) => {
      const { id, promise } = ctx.awakeable();
      tell(ctx, key, "awakeable", id);
      return await promise;
    },
    await_or_timeout: async (ctx, asked) => {
      const { id, promise } = ctx.awakeable();
      tell(ctx, asked.cell, "awakeable", id);
      const timeout = ctx.sleep(asked.timeoutMs).map(() => "timeout");
      return await restate.RestatePromise.race([promise, timeout]);
    },
    first_of_two: async (ctx, key) => {
      const [first, second] = [ctx.awakeable(), ctx.awakeable()];
      tell(ctx, key, "first", first.id);
      tell(ctx, key, "second", second.id);
      return await restate.RestatePromise.race([first.promise, second.promise]);
    },
    all_of_two: async (ctx, key) => {
      const [first, second] = [ctx.awakeable(), ctx.awakeable()];
      tell(ctx, key, "first", first.id);
      tell(ctx, key, "second", second.id);
      return await restate.RestatePromise.all([first.promise, second.promise]);
    },
    resolve_awakeable: async (ctx, { id, value }) => ctx.resolveAwakeable(id, value),
    reject_awakeable: async (ctx, { id, reason }) => ctx.rejectAwakeable(id, reason),
    same_random: async (ctx, id) => {
      const first = ctx.rand.uuidv4();
      const attempts = executed(id);
      await ctx.sleep(50);
      const journaled = await ctx.run("random", () => first);
      return [journaled === first, attempts >= 1];
    },
    wait_for_signal: async (ctx, key) => {
      tell(ctx, key, "invocation", ctx.request().id);
      return await ctx.signal("go");
    },
    send_signal: async (ctx, { id, name = "go", value, reason }) => {
      const signal = ctx.invocation(id).signal(name);
      if (reason === undefined) signal.resolve(value);
      else signal.reject(reason);
    },
    combine,
    until_cancelled: async (ctx, key) => {
      tell(ctx, key, "started", "yes");
      await recorded(ctx, key, ctx.sleep(DAY_MS));
    },
    await_until_cancelled: async (ctx, key) => {
      const { promise } = ctx.awakeable();
      tell(ctx, key, "started", "yes");
      await recorded(ctx, key, promise);
    },
    call_until_cancelled: async (ctx, key) => {
      await ctx.serviceClient(self).until_cancelled(key);
    },
    cancel: async (ctx, id) => ctx.cancel(id),
    call_forever: async (ctx, key) => {
      await ctx.objectClient(cell, key).forever();
    },
    call_deadlock: async (ctx, key) => {
      await ctx.objectClient(cell, key).deadlock();
    },
    slow_add: async (ctx, { key, pauseMs }) => {
      tell(ctx, `${key}-told`, "started", "yes");
      await ctx.run("before", () => {});
      await ctx.sleep(pauseMs);
      return await ctx.objectClient(cell, key).add(1);
    },
    join: async (ctx, words) =>
      await restate.RestatePromise.all(words.map((word) => ctx.serviceClient(self).upper(word))),
  },
});
