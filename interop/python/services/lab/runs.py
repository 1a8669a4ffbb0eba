"""Side effects."""

from datetime import timedelta
from typing import Any, TypedDict

from restate import Context, RunOptions, TerminalError

from services.cell import add
from services.executions import executed, executions

from .errors import Attempts, Failure, fail_first, terminal
from .service import lab, tell


class Limited(TypedDict):
    id: str
    max: int


class SlowAddition(TypedDict):
    key: str
    pauseMs: int


def quick_retries(max_attempts: int | None = None) -> RunOptions[Any]:
    return RunOptions(
        initial_retry_interval=timedelta(milliseconds=10),
        retry_interval_factor=1.0,
        max_attempts=max_attempts,
    )


@lab.handler()
async def run_once(ctx: Context, name: str) -> list[Any]:
    """Returns the closure's value; a replay must not execute the closure again."""
    value = await ctx.run_typed("once", lambda: executed(name))
    await ctx.sleep(timedelta(milliseconds=50))
    return [value, await ctx.run_typed("again", lambda: "b")]


@lab.handler()
async def run_many(ctx: Context, count: int) -> int:
    return sum([await ctx.run_typed("n", lambda n: n, n=number) for number in range(count)])


@lab.handler()
async def run_retried(ctx: Context, asked: Attempts) -> int:
    return await ctx.run_typed("retried", fail_first, quick_retries(), asked)


@lab.handler()
async def run_exhausted(ctx: Context, asked: Limited) -> list[Any]:
    def never() -> None:
        executed(asked["id"])
        raise RuntimeError("never")

    is_failed = False
    try:
        await ctx.run_typed("exhausted", never, quick_retries(max_attempts=asked["max"]))
    except TerminalError:
        is_failed = True
    return [is_failed, executions[asked["id"]]]


@lab.handler()
async def run_terminal(ctx: Context, asked: Failure) -> None:
    def action() -> None:
        raise terminal(asked)

    await ctx.run_typed("terminal", action)


@lab.handler()
async def slow_add(ctx: Context, asked: SlowAddition) -> int:
    """Pauses long enough to be killed, then performs an effect that must happen exactly once."""
    tell(ctx, f"{asked['key']}-told", "started", "yes")
    await ctx.run_typed("before", lambda: None)
    await ctx.sleep(timedelta(milliseconds=asked["pauseMs"]))
    return await ctx.object_call(add, key=asked["key"], arg=1)
