package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.restate.sdk.ObjectContext;
import dev.restate.sdk.SharedObjectContext;
import dev.restate.sdk.annotation.Handler;
import dev.restate.sdk.annotation.Name;
import dev.restate.sdk.annotation.Shared;
import dev.restate.sdk.annotation.VirtualObject;
import dev.restate.sdk.common.StateKey;
import dev.restate.sdk.common.TerminalException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.TreeSet;

/** Keyed state of every kind, and a lock that can be held. */
@VirtualObject
public class Cell {
  static final Duration DAY = Duration.ofDays(1);

  private static final StateKey<Integer> COUNT = StateKey.of("count", Integer.class);
  private static final StateKey<String> HELD = StateKey.of("held", String.class);
  private static final StateKey<Boolean> STARTED = StateKey.of("started", Boolean.class);
  private static final StateKey<Integer> A = StateKey.of("a", Integer.class);
  private static final StateKey<Integer> B = StateKey.of("b", Integer.class);

  /** A named value. */
  public record Entry(String k, JsonNode v) {}

  private static StateKey<JsonNode> named(String name) {
    return StateKey.of(name, JsonNode.class);
  }

  @Handler
  public void set(ObjectContext ctx, Entry entry) {
    ctx.set(named(entry.k), entry.v);
  }

  @Shared
  @Handler
  public JsonNode get(SharedObjectContext ctx, String name) {
    return ctx.get(named(name)).orElse(null);
  }

  @Handler
  public void clear(ObjectContext ctx, String name) {
    ctx.clear(named(name));
  }

  @Handler
  @Name("clear_all")
  public Collection<String> clearAll(ObjectContext ctx) {
    var names = keys(ctx);
    ctx.clearAll();
    return names;
  }

  @Shared
  @Handler
  public Collection<String> keys(SharedObjectContext ctx) {
    return new TreeSet<>(ctx.stateKeys());
  }

  @Handler
  public int add(ObjectContext ctx, int amount) {
    int total = ctx.get(COUNT).orElse(0) + amount;
    ctx.set(COUNT, total);
    return total;
  }

  /** Like {@code add}, but results of idempotency keys are soon forgotten. */
  @Handler
  @Name("add_briefly")
  public int addBriefly(ObjectContext ctx, int amount) {
    return add(ctx, amount);
  }

  @Handler
  @Name("add_then_fail")
  public int addThenFail(ObjectContext ctx, int amount) {
    throw new TerminalException(409, "count is " + add(ctx, amount));
  }

  /** Writes, reads back, clears and reads back again, all in one invocation. */
  @Handler
  @Name("round_trip")
  public Collection<Integer> roundTrip(ObjectContext ctx) {
    ctx.set(A, 1);
    var written = ctx.get(A);
    ctx.clear(A);
    var cleared = ctx.get(A);
    ctx.set(B, 2);
    ctx.clearAll();
    return Arrays.asList(written.orElse(null), cleared.orElse(null), ctx.get(B).orElse(null));
  }

  /** Holds the object's lock until the awakeable whose id it stores is completed. */
  @Handler
  public JsonNode hold(ObjectContext ctx) {
    var released = ctx.awakeable(JsonNode.class);
    ctx.set(HELD, released.id());
    return released.await();
  }

  /** Holds the object's lock forever. */
  @Handler
  public void forever(ObjectContext ctx) {
    ctx.set(STARTED, true);
    ctx.sleep(DAY);
  }

  /** Calls itself on its own key, which waits for the lock that it holds. */
  @Handler
  public void deadlock(ObjectContext ctx) {
    ctx.set(STARTED, true);
    CellClient.fromContext(ctx, ctx.key()).deadlock().await();
  }

  /** Does something else than before when it is retried, which is a bug to detect. */
  @Handler
  public void diverge(ObjectContext ctx, String how) {
    boolean isFirst = Executions.executed("diverge-" + ctx.key()) == 1;
    switch (how) {
      case "sleep_or_call" -> {
        if (isFirst) {
          ctx.sleep(Duration.ofMillis(1));
        } else {
          HiddenClient.fromContext(ctx).whisper().await();
        }
      }
      case "another_call" -> {
        var hidden = HiddenClient.fromContext(ctx);
        (isFirst ? hidden.whisper() : hidden.reveal()).await();
      }
      case "another_send" -> {
        var hidden = HiddenClient.fromContext(ctx).send();
        var unused = isFirst ? hidden.whisper() : hidden.reveal();
      }
      case "another_state" -> ctx.set(isFirst ? A : B, 1);
      default -> throw new TerminalException(400, "cannot diverge by " + how);
    }
    if (isFirst) {
      throw new IllegalStateException("the first attempt fails");
    }
    ListObjectClient.fromContext(ctx, ctx.key()).send().append(TextNode.valueOf("diverged"));
  }
}
