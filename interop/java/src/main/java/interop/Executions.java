package interop;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** How often each name was executed in this process; a replay must not execute it again. */
final class Executions {
  private static final Map<String, Integer> COUNTS = new ConcurrentHashMap<>();

  private Executions() {}

  /** Counts an execution, and returns how many there are now. */
  static int executed(String name) {
    return COUNTS.merge(name, 1, Integer::sum);
  }

  static int of(String name) {
    return COUNTS.getOrDefault(name, 0);
  }
}
