// Cell: keyed state of every kind, and a lock that can be held.

import * as restate from "@restatedev/restate-sdk";

const DAY_MS = 86_400_000;

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
    add: async (ctx, amount) => {
      const total = ((await ctx.get("count")) ?? 0) + amount;
      ctx.set("count", total);
      return total;
    },
    add_then_fail: async (ctx, amount) => {
      const total = ((await ctx.get("count")) ?? 0) + amount;
      ctx.set("count", total);
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
  },
});
