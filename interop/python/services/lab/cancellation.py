"""Handlers that wait until they are cancelled or killed."""

from typing import Awaitable

from restate import Context, TerminalError

from services.cell import DAY, deadlock, forever

from .service import lab, tell


async def wait(ctx: Context, key: str, awaited: Awaitable[object]) -> None:
    """Waits, and records in a cell that the wait has failed."""
    try:
        await awaited
    except TerminalError as error:
        tell(ctx, key, "cancelled", str(error.status_code))
        raise


@lab.handler()
async def until_cancelled(ctx: Context, key: str) -> None:
    """Sleeps until it is cancelled, and records that."""
    tell(ctx, key, "started", "yes")
    await wait(ctx, key, ctx.sleep(DAY))


@lab.handler()
async def await_until_cancelled(ctx: Context, key: str) -> None:
    """Waits for an awakeable that nobody completes, until it is cancelled."""
    _, never = ctx.awakeable()
    tell(ctx, key, "started", "yes")
    await wait(ctx, key, never)


@lab.handler()
async def call_until_cancelled(ctx: Context, key: str) -> None:
    """Calls a handler that sleeps until it is cancelled."""
    await ctx.service_call(until_cancelled, arg=key)


@lab.handler()
async def cancel(ctx: Context, invocation: str) -> None:
    ctx.cancel_invocation(invocation)


@lab.handler()
async def call_forever(ctx: Context, key: str) -> None:
    """Calls an object that holds its lock forever."""
    await ctx.object_call(forever, key=key, arg=None)


@lab.handler()
async def call_deadlock(ctx: Context, key: str) -> None:
    """Calls an object that waits for its own lock."""
    await ctx.object_call(deadlock, key=key, arg=None)
