"""Flow: a workflow that waits for a promise."""

from typing import Any

from restate import Workflow, WorkflowContext, WorkflowSharedContext

flow = Workflow("Flow")


@flow.main()
async def run(ctx: WorkflowContext, given: Any) -> Any:
    ctx.set("input", given)
    return await ctx.promise("decision").value()


@flow.handler()
async def resolve(ctx: WorkflowSharedContext, value: Any) -> None:
    await ctx.promise("decision").resolve(value)


@flow.handler()
async def reject(ctx: WorkflowSharedContext, reason: str) -> None:
    await ctx.promise("decision").reject(reason)


@flow.handler()
async def peek(ctx: WorkflowSharedContext) -> Any:
    value = await ctx.promise("decision").peek()
    return "pending" if value is None else value


@flow.handler(name="input")
async def given_input(ctx: WorkflowSharedContext) -> Any:
    return await ctx.get("input")
