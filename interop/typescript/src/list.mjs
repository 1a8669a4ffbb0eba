// List: keeps appended values, in order.

import * as restate from "@restatedev/restate-sdk";

export const list = restate.object({
  name: "List",
  handlers: {
    append: async (ctx, item) => {
      const items = (await ctx.get("items")) ?? [];
      ctx.set("items", [...items, item]);
    },
    all: restate.handlers.object.shared(async (ctx) => (await ctx.get("items")) ?? []),
  },
});
