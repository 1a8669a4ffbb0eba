// Hidden: a service that only handlers may call, not clients.

import * as restate from "@restatedev/restate-sdk";

export const hidden = restate.service({
  name: "Hidden",
  handlers: {
    reveal: async () => "found",
    whisper: async () => "hush",
  },
  options: { ingressPrivate: true },
});
