"""Serves the services of the interop suite on the official Python SDK.

`interop/services` has the same services on the official Rust SDK; the suite cannot tell them apart.
"""

import asyncio
import os

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from services.cell import cell
from services.flow import flow
from services.hidden import hidden
from services.lab import lab
from services.list import list_object

app = restate.app(services=[lab, cell, list_object, flow, hidden])

config = Config()
config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9080')}"]
# A stream for each invocation in progress; the default of 100 would make others wait.
config.h2_max_concurrent_streams = 10_000
# The runtime keeps its connections open.
config.keep_alive_timeout = 86_400

asyncio.run(serve(app, config))
