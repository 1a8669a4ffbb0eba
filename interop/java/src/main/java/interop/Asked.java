package interop;

import com.fasterxml.jackson.databind.JsonNode;

/** What the handlers of {@link Lab} are asked, as JSON objects. */
final class Asked {
  private Asked() {}

  /** How to fail. */
  public record Failure(int code, String message) {}

  /** How often what is called {@code id} fails. */
  public record Attempts(String id, int times) {}

  /** How often what is called {@code id} may be attempted. */
  public record Limited(String id, int max) {}

  /** What to add to a cell. */
  public record Addition(String key, int amount) {}

  /** What to add to, after a pause. */
  public record SlowAddition(String key, long pauseMs) {}

  /** What to append to a list by calls, and what by sends. */
  public record Mixed(String key, boolean[] calls) {}

  /** How many items to append to a list. */
  public record Several(String key, int count) {}

  /** When to append to a list. */
  public record Later(String key, long delayMs) {}

  /** How long to wait, and where to tell for what. */
  public record Timed(String cell, long timeoutMs) {}

  /** How to complete an awakeable. */
  public record Completion(String id, JsonNode value, String reason) {}
}
