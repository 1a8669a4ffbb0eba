"""Hidden: a service that only handlers may call, not clients."""

from restate import Context, Service

hidden = Service("Hidden", ingress_private=True)


@hidden.handler()
async def reveal(_ctx: Context) -> str:
    return "found"


@hidden.handler()
async def whisper(_ctx: Context) -> str:
    return "hush"
