package interop;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.restate.sdk.Context;
import dev.restate.sdk.DurableFuture;
import dev.restate.sdk.common.TerminalException;
import java.util.ArrayList;
import java.util.Collection;

/** What to wait for at once, and in which way. */
public record Combination(String how, Collection<Part> of) {

  /** One of these. */
  public record Part(String run, @JsonProperty("run_fails") String runFails) {
    private DurableFuture<String> start(Context ctx) {
      if (run != null) {
        return ctx.runAsync("succeeds", String.class, () -> run);
      }
      return ctx.runAsync(
          "fails",
          String.class,
          () -> {
            throw new TerminalException(runFails);
          });
    }
  }

  Object await(Context ctx) {
    var futures = new ArrayList<>(of.stream().map(part -> part.start(ctx)).toList());
    return switch (how) {
      case "first_completed" -> next(futures).await();
      case "first_succeeded" -> firstSuccess(futures);
      case "all_succeeded" -> allSuccesses(futures);
      case "all_completed" -> allOutcomes(futures);
      default -> throw new TerminalException(400, "cannot combine by " + how);
    };
  }

  /** Waits until one is completed, and takes it out. */
  private static DurableFuture<String> next(ArrayList<DurableFuture<String>> futures) {
    int index = DurableFuture.any(new ArrayList<>(futures)).await();
    return futures.remove(index);
  }

  private static String firstSuccess(ArrayList<DurableFuture<String>> futures) {
    var failure = new TerminalException("nothing to wait for");
    while (!futures.isEmpty()) {
      try {
        return next(futures).await();
      } catch (TerminalException other) {
        failure = other;
      }
    }
    throw failure;
  }

  private static Object allSuccesses(Collection<DurableFuture<String>> futures) {
    // Throws the first failure.
    DurableFuture.all(new ArrayList<>(futures)).await();
    return futures.stream().map(DurableFuture::await).toList();
  }

  private static Object allOutcomes(Collection<DurableFuture<String>> futures) {
    return futures.stream().map(Combination::outcome).toList();
  }

  private static String[] outcome(DurableFuture<String> future) {
    try {
      return new String[] {"ok", future.await()};
    } catch (TerminalException failure) {
      return new String[] {"err", failure.getMessage()};
    }
  }
}
