"""What depends on the version of this code."""

import os
from datetime import timedelta

from restate import Context, InvocationRetryPolicy

from .service import lab, tell


def this_version() -> str:
    return os.environ.get("VERSION", "1")


@lab.handler()
async def version(_ctx: Context) -> str:
    return this_version()


@lab.handler()
async def versions(ctx: Context, key: str) -> list[str]:
    """The versions before and after a wait."""
    before = this_version()
    name, completed = ctx.awakeable()
    tell(ctx, key, "awakeable", name)
    await completed
    return [before, this_version()]


@lab.handler(
    invocation_retry_policy=InvocationRetryPolicy(
        initial_interval=timedelta(milliseconds=10),
        exponentiation_factor=1.0,
        max_attempts=2,
        on_max_attempts="pause",
    )
)
async def fail_on_version(_ctx: Context, broken: str) -> str:
    """Fails in the version that is called broken."""
    if this_version() == broken:
        raise RuntimeError(f"version {broken} is broken")
    return this_version()
