// How often each name was executed in this process; a replay must not execute it again.

const counts = new Map();

// Counts an execution, and returns how many there are now.
export function executed(name) {
  counts.set(name, executions(name) + 1);
  return executions(name);
}

export function executions(name) {
  return counts.get(name) ?? 0;
}
