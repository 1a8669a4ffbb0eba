"""Cell: keyed state of every kind, and a lock that can be held."""

from datetime import timedelta
from typing import Any

from restate import (
    InvocationRetryPolicy,
    ObjectContext,
    ObjectSharedContext,
    TerminalError,
    VirtualObject,
)

from . import list as lists
from .executions import executed
from .hidden import reveal, whisper

cell = VirtualObject("Cell")

DAY = timedelta(days=1)


@cell.handler(name="set")
async def set_value(ctx: ObjectContext, entry: dict[str, Any]) -> None:
    ctx.set(entry["k"], entry["v"])


@cell.handler(kind="shared")
async def get(ctx: ObjectSharedContext, name: str) -> Any:
    return await ctx.get(name)


@cell.handler()
async def clear(ctx: ObjectContext, name: str) -> None:
    ctx.clear(name)


@cell.handler()
async def clear_all(ctx: ObjectContext) -> list[str]:
    names = sorted(await ctx.state_keys())
    ctx.clear_all()
    return names


@cell.handler(kind="shared")
async def keys(ctx: ObjectSharedContext) -> list[str]:
    return sorted(await ctx.state_keys())


async def added(ctx: ObjectContext, amount: int) -> int:
    total = (await ctx.get("count", type_hint=int) or 0) + amount
    ctx.set("count", total)
    return total


@cell.handler()
async def add(ctx: ObjectContext, amount: int) -> int:
    return await added(ctx, amount)


@cell.handler(idempotency_retention=timedelta(seconds=1))
async def add_briefly(ctx: ObjectContext, amount: int) -> int:
    """Like `add`, but results of idempotency keys are soon forgotten."""
    return await added(ctx, amount)


@cell.handler()
async def add_then_fail(ctx: ObjectContext, amount: int) -> int:
    total = await added(ctx, amount)
    raise TerminalError(f"count is {total}", status_code=409)


@cell.handler()
async def round_trip(ctx: ObjectContext) -> list[int | None]:
    """Writes, reads back, clears and reads back again, all in one invocation."""
    ctx.set("a", 1)
    written = await ctx.get("a")
    ctx.clear("a")
    cleared = await ctx.get("a")
    ctx.set("b", 2)
    ctx.clear_all()
    return [written, cleared, await ctx.get("b")]


@cell.handler()
async def hold(ctx: ObjectContext) -> Any:
    """Holds the object's lock until the awakeable whose id it stores is completed."""
    name, released = ctx.awakeable()
    ctx.set("held", name)
    return await released


@cell.handler()
async def forever(ctx: ObjectContext) -> None:
    """Holds the object's lock forever."""
    ctx.set("started", True)
    await ctx.sleep(DAY)


@cell.handler()
async def deadlock(ctx: ObjectContext) -> None:
    """Calls itself on its own key, which waits for the lock that it holds."""
    ctx.set("started", True)
    await ctx.object_call(deadlock, key=ctx.key(), arg=None)


@cell.handler(
    invocation_retry_policy=InvocationRetryPolicy(
        initial_interval=timedelta(milliseconds=10),
        exponentiation_factor=1.0,
        max_attempts=3,
        on_max_attempts="kill",
    )
)
async def diverge(ctx: ObjectContext, how: str) -> None:
    """Does something else than before when it is retried, which is a bug to detect."""
    is_first = executed(f"diverge-{ctx.key()}") == 1
    match how:
        case "sleep_or_call" if is_first:
            await ctx.sleep(timedelta(milliseconds=1))
        case "sleep_or_call":
            await ctx.service_call(whisper, arg=None)
        case "another_call":
            await ctx.service_call(whisper if is_first else reveal, arg=None)
        case "another_send":
            ctx.service_send(whisper if is_first else reveal, arg=None)
        case "another_state":
            ctx.set("a" if is_first else "b", 1)
    if is_first:
        raise RuntimeError("the first attempt fails")
    ctx.object_send(lists.append, key=ctx.key(), arg="diverged")
