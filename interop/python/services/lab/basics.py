"""Input, output, headers and randomness."""

from datetime import timedelta

from restate import Context
from restate.serde import BytesSerde

from services.executions import executed, executions

from .service import lab


@lab.handler(
    accept="*/*",
    content_type="application/octet-stream",
    input_serde=BytesSerde(),
    output_serde=BytesSerde(),
)
async def echo(_ctx: Context, content: bytes) -> bytes:
    return content


@lab.handler()
async def upper(_ctx: Context, word: str) -> str:
    return word.upper()


@lab.handler()
async def double(_ctx: Context, number: int) -> int:
    return number * 2


@lab.handler()
async def nothing(_ctx: Context) -> None:
    pass


@lab.handler()
async def header(ctx: Context, name: str) -> str | None:
    return ctx.request().headers.get(name)


@lab.handler(name="executions")
async def count_executions(_ctx: Context, name: str) -> int:
    return executions[name]


@lab.handler()
async def same_random(ctx: Context, name: str) -> list[bool]:
    first = str(ctx.uuid())
    attempts = executed(name)
    await ctx.sleep(timedelta(milliseconds=50))
    journaled = await ctx.run_typed("random", lambda: first)
    return [journaled == first, attempts >= 1]
