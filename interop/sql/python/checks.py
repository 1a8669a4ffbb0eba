"""What a check is: a function that raises if something is wrong, called by its name in the report."""

import inspect
import traceback


def run(module):
    """Runs the functions of a module that are called check_…, reports each, and counts faults."""
    faults = 0
    driver = module.__name__.removesuffix("_checks")
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("check_"):
            continue
        title = f"{driver}: {name.removeprefix('check_').replace('_', ' ')}"
        try:
            function()
            print(f"ok    {title}", flush=True)
        except Exception:
            faults += 1
            print(f"FAULT {title}\n{traceback.format_exc()}", flush=True)
    return faults


def each(cases, function):
    """Calls a function with each case, so that a fault in one does not hide those in others."""
    faults = []
    for case in cases:
        try:
            function(*case)
        except Exception as error:
            # Some drivers add the whole query to the message.
            faults.append(f"{case}: {type(error).__name__} {' '.join(str(error).split()):.300}")
    assert not faults, "\n".join(["", *faults])


def equal(actual, expected):
    """Compares with the type: to Python, True is 1 and 1 is Decimal(1)."""
    same = type(actual) is type(expected) and actual == expected
    assert same, f"{actual!r}, expected {expected!r}"
