"""Waits for several things at once, in each way that the SDK offers."""

from datetime import timedelta
from typing import Any, NotRequired, TypedDict

from restate import (
    Context,
    RestateDurableFuture,
    TerminalError,
    as_completed,
    gather,
    wait_completed,
)

from .service import lab


class Awaited(TypedDict):
    """One of these."""

    signal: NotRequired[str]
    run: NotRequired[str]
    run_fails: NotRequired[str]


class Combination(TypedDict):
    how: str
    of: list[Awaited]


def start(ctx: Context, awaited: Awaited) -> RestateDurableFuture[Any]:
    def fails(reason: str) -> None:
        raise TerminalError(reason)

    match awaited:
        case {"signal": name}:
            return ctx.signal(name)
        case {"run": value}:
            return ctx.run_typed("succeeds", lambda: value)
        case {"run_fails": reason}:
            return ctx.run_typed("fails", fails, reason=reason)
    raise TerminalError(f"cannot wait for {awaited}", status_code=400)


async def first_success(futures: list[RestateDurableFuture[Any]]) -> Any:
    failure = TerminalError("nothing to wait for")
    async for future in as_completed(*futures):
        try:
            return await future
        except TerminalError as error:
            failure = error
    raise failure


async def all_successes(futures: list[RestateDurableFuture[Any]]) -> list[Any]:
    async for future in as_completed(*futures):
        await future
    return [await future for future in futures]


async def outcome(future: RestateDurableFuture[Any]) -> list[Any]:
    try:
        return ["ok", await future]
    except TerminalError as error:
        return ["err", error.message]


@lab.handler()
async def combine(ctx: Context, asked: Combination) -> Any:
    futures = [start(ctx, awaited) for awaited in asked["of"]]
    match asked["how"]:
        case "first_completed":
            completed, _ = await wait_completed(*futures)
            return await completed[0]
        case "first_succeeded":
            return await first_success(futures)
        case "all_succeeded":
            return await all_successes(futures)
        case "all_completed":
            await gather(*futures)
            return [await outcome(future) for future in futures]
    raise TerminalError(f"cannot combine by {asked['how']}", status_code=400)
