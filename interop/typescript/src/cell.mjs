// Cell: keyed state of every kind, and a lock that can be held.

import * as restate from "@restatedev/restate-sdk";

import { executed } from "./executions.mjs";
import { hidden } from "./hidden.mjs";
import { list } from "./list.mjs";

const DAY_MS = 86_400_000;

async function add(ctx, amount) {
  const total = ((await ctx.get("count")) ?? 0) + amount;
  ctx.set("count", total);
  return total;
}

// Does something else than before when it is retried, which is a bug to detect.
async function diverge(ctx, how) {
  const isFirst = executed(`diverge-${ctx.key}`) === 1;
  const handler = isFirst ? "whisper" : "reveal";
  switch (how) {
    case "sleep_or_call":
      if (isFirst) await ctx.sleep(1);
      else await ctx.serviceClient(hidden).reveal();
      break;
    case "another_call":
      await ctx.serviceClient(hidden)[handler]();
      break;
    case "another_send":
      ctx.serviceSendClient(hidden)[handler]();
      break;
    case "another_state":
      ctx.set(isFirst ? "a" : "b", 1);
      break;
    default:
      throw new restate.TerminalError(`cannot diverge by ${how}`, { errorCode: 400 });
  }
  if (isFirst) throw new Error("the first attempt fails");
  ctx.objectSendClient(list, ctx.key).append("diverged");
}

export const cell = restate.object({
  name: "Cell",
  handlers: {
    set: async (ctx, { k, v }) => ctx.set(k, v),
    get: restate.handlers.object.shared(async (ctx, name) => (await ctx.get(name)) ?? null),
    clear: async (ctx, name) => ctx.clear(name),
    clear_all: async (ctx) => {
      const keys = (await ctx.stateKeys()).sort();
      ctx.clearAll();
      return keys;
    },
    keys: restate.handlers.object.shared(async (ctx) => (await ctx.stateKeys()).sort()),
    add,
    // Like add, but results of idempotency keys are soon forgotten.
    add_briefly: restate.handlers.object.exclusive({ idempotencyRetention: 1000 }, add),
    add_then_fail: async (ctx, amount) => {
      const total = await add(ctx, amount);
      throw new restate.TerminalError(`count is ${total}`, { errorCode: 409 });
    },
    round_trip: async (ctx) => {
      ctx.set("a", 1);
      const set = await ctx.get("a");
      ctx.clear("a");
      const cleared = await ctx.get("a");
      ctx.set("b", 2);
      ctx.clearAll();
      return [set, cleared, await ctx.get("b")];
    },
    hold: async (ctx) => {
      const { id, promise } = ctx.awakeable();
      ctx.set("held", id);
      return await promise;
    },
    forever: async (ctx) => {
      ctx.set("started", true);
      await ctx.sleep(DAY_MS);
    },
    // Calls itself on its own key, which waits for the lock that it holds.
    deadlock: async (ctx) => {
      ctx.set("started", true);
      await ctx.objectClient({ name: "Cell" }, ctx.key).deadlock();
    },
    diverge: restate.handlers.object.exclusive(
      {
        retryPolicy: {
          initialInterval: 10,
          exponentiationFactor: 1,
          maxAttempts: 3,
          onMaxAttempts: "kill",
        },
      },
      diverge,
    ),
  },
});
