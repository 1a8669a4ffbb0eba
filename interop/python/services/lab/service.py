"""The service that the other modules add handlers to, and what they share."""

from restate import Context, Service

from services.cell import set_value

lab = Service("Lab")


def tell(ctx: Context, key: str, name: str, value: str) -> None:
    """Stores a value in a cell, where the suite finds it."""
    ctx.object_send(set_value, key=key, arg={"k": name, "v": value})
