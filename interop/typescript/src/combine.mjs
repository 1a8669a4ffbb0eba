// Waits for several things at once, in each way that the SDK offers.

import * as restate from "@restatedev/restate-sdk";

function start(ctx, { signal, run, run_fails: reason }) {
  if (signal !== undefined) return ctx.signal(signal);
  if (run !== undefined) return ctx.run("succeeds", () => run);
  return ctx.run("fails", () => {
    throw new restate.TerminalError(reason);
  });
}

export async function combine(ctx, { how, of }) {
  const promises = of.map((part) => start(ctx, part));
  switch (how) {
    case "first_completed":
      return await restate.RestatePromise.race(promises);
    case "first_succeeded":
      try {
        return await restate.RestatePromise.any(promises);
      } catch (error) {
        // That all have failed is no failure that the SDK knows: it would be retried.
        throw error instanceof AggregateError ? error.errors[0] : error;
      }
    case "all_succeeded":
      return await restate.RestatePromise.all(promises);
    case "all_completed": {
      const outcomes = await restate.RestatePromise.allSettled(promises);
      return outcomes.map(({ status, value, reason }) =>
        status === "fulfilled" ? ["ok", value] : ["err", reason.message],
      );
    }
    default:
      throw new restate.TerminalError(`cannot combine by ${how}`, { errorCode: 400 });
  }
}
