// The services of the interop suite on the official TypeScript SDK. `interop/services` has the same
// services on the official Rust SDK; the suite cannot tell them apart.

import "./polyfill.mjs";

import * as restate from "@restatedev/restate-sdk";

import { cell } from "./cell.mjs";
import { flow } from "./flow.mjs";
import { hidden } from "./hidden.mjs";
import { lab } from "./lab.mjs";
import { list } from "./list.mjs";

restate.serve({ services: [lab, cell, list, flow, hidden], port: Number(process.env.PORT ?? 9080) });
