// Flow: a workflow that waits for a promise.

import * as restate from "@restatedev/restate-sdk";

export const flow = restate.workflow({
  name: "Flow",
  handlers: {
    run: async (ctx, input) => {
      ctx.set("input", input);
      return await ctx.promise("decision");
    },
    resolve: async (ctx, value) => {
      await ctx.promise("decision").resolve(value);
    },
    reject: async (ctx, reason) => {
      await ctx.promise("decision").reject(reason);
    },
    peek: async (ctx) => (await ctx.promise("decision").peek()) ?? "pending",
    input: async (ctx) => (await ctx.get("input")) ?? null,
  },
});
