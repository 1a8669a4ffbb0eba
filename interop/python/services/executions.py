"""How often each name was executed in this process; a replay must not execute it again."""

from collections import Counter

executions: Counter[str] = Counter()


def executed(name: str) -> int:
    executions[name] += 1
    return executions[name]
