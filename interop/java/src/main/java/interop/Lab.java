package interop;

import static interop.Executions.executed;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.restate.sdk.Context;
import dev.restate.sdk.DurableFuture;
import dev.restate.sdk.Select;
import dev.restate.sdk.annotation.Accept;
import dev.restate.sdk.annotation.Handler;
import dev.restate.sdk.annotation.Name;
import dev.restate.sdk.annotation.Raw;
import dev.restate.sdk.annotation.Service;
import dev.restate.sdk.common.RetryPolicy;
import dev.restate.sdk.common.TerminalException;
import dev.restate.sdk.common.TimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Objects;

/** One handler per feature to test. Results are JSON, so that the suite can compare them. */
@Service
public class Lab {
  private static final String ONCE = "once";

  private static RetryPolicy quickRetries() {
    return RetryPolicy.exponential(Duration.ofMillis(10), 1);
  }

  private static TerminalException terminal(Asked.Failure asked) {
    return new TerminalException(asked.code(), asked.message());
  }

  private static int failFirst(Asked.Attempts asked) {
    int attempt = executed(asked.id());
    if (attempt <= asked.times()) {
      throw new IllegalStateException("attempt " + attempt + " fails");
    }
    return attempt;
  }

  /** Stores a value in a cell, where the suite finds it. */
  private static void tell(Context ctx, String key, String name, String value) {
    CellClient.fromContext(ctx, key)
        .send()
        .set(new Cell.Entry(name, TextNode.valueOf(value)));
  }

  // Input, output, headers and randomness.

  @Handler
  @Raw
  public byte[] echo(Context ctx, @Raw @Accept("*/*") byte[] bytes) {
    return bytes;
  }

  @Handler
  public String upper(Context ctx, String word) {
    return word.toUpperCase();
  }

  @Handler
  @Name("double")
  public int twice(Context ctx, int number) {
    return number * 2;
  }

  @Handler
  public void nothing(Context ctx) {}

  @Handler
  public String header(Context ctx, String name) {
    return ctx.request().headers().get(name);
  }

  @Handler
  public int executions(Context ctx, String name) {
    return Executions.of(name);
  }

  @Handler
  @Name("same_random")
  public boolean[] sameRandom(Context ctx, String name) {
    String first = ctx.random().nextUUID().toString();
    int attempts = executed(name);
    ctx.sleep(Duration.ofMillis(50));
    String journaled = ctx.run("random", String.class, () -> first);
    return new boolean[] {journaled.equals(first), attempts >= 1};
  }

  // Failures.

  @Handler
  public void fail(Context ctx, Asked.Failure asked) {
    throw terminal(asked);
  }

  @Handler
  @Name("fail_times")
  public int failTimes(Context ctx, Asked.Attempts asked) {
    return failFirst(asked);
  }

  @Handler
  @Name("fail_always")
  public void failAlways(Context ctx, String message) {
    throw new IllegalStateException(message);
  }

  @Handler
  @Name("fail_and_pause")
  public int failAndPause(Context ctx, Asked.Attempts asked) {
    return failFirst(asked);
  }

  // Calls.

  @Handler
  public int chain(Context ctx, int depth) {
    return depth == 0 ? 0 : LabClient.fromContext(ctx).chain(depth - 1).await() + 1;
  }

  @Handler
  @Name("call_failing")
  public Collection<Object> callFailing(Context ctx, Asked.Failure asked) {
    try {
      LabClient.fromContext(ctx).fail(asked).await();
      return java.util.List.of("no failure");
    } catch (TerminalException failure) {
      return java.util.List.of(failure.getCode(), failure.getMessage());
    }
  }

  @Handler
  @Name("fail_through_call")
  public void failThroughCall(Context ctx, Asked.Failure asked) {
    LabClient.fromContext(ctx).fail(asked).await();
  }

  @Handler
  @Name("double_all")
  public int doubleAll(Context ctx, int[] numbers) {
    var lab = LabClient.fromContext(ctx);
    var calls = new ArrayList<DurableFuture<Integer>>();
    for (int number : numbers) {
      calls.add(lab.twice(number));
    }
    return calls.stream().mapToInt(DurableFuture::await).sum();
  }

  /** Makes several calls and awaits them together. */
  @Handler
  public Collection<String> join(Context ctx, String[] words) {
    var lab = LabClient.fromContext(ctx);
    var calls = new ArrayList<DurableFuture<String>>();
    for (String word : words) {
      calls.add(lab.upper(word));
    }
    DurableFuture.all(new ArrayList<>(calls)).await();
    return calls.stream().map(DurableFuture::await).toList();
  }

  @Handler
  @Name("call_cell")
  public int callCell(Context ctx, Asked.Addition asked) {
    return CellClient.fromContext(ctx, asked.key()).add(asked.amount()).await();
  }

  @Handler
  @Name("call_same_twice")
  public int[] callSameTwice(Context ctx, String key) {
    var cell = CellClient.fromContext(ctx, key);
    int first = cell.add(1, request -> request.idempotencyKey(ONCE)).await();
    int second = cell.add(1, request -> request.idempotencyKey(ONCE)).await();
    return new int[] {first, second};
  }

  @Handler
  @Name("call_hidden")
  public String callHidden(Context ctx) {
    return HiddenClient.fromContext(ctx).reveal().await();
  }

  /** Calls where it is asked to, sends otherwise, and waits at the end. */
  @Handler
  @Name("mixed_calls")
  public void mixedCalls(Context ctx, Asked.Mixed asked) {
    var list = ListObjectClient.fromContext(ctx, asked.key());
    var calls = new ArrayList<DurableFuture<Void>>();
    for (int number = 0; number < asked.calls().length; number++) {
      var item = IntNode.valueOf(number);
      if (asked.calls()[number]) {
        calls.add(list.append(item));
      } else {
        list.send().append(item);
      }
    }
    calls.forEach(DurableFuture::await);
  }

  // Sends.

  @Handler
  @Name("send_many")
  public void sendMany(Context ctx, Asked.Several asked) {
    var list = ListObjectClient.fromContext(ctx, asked.key());
    for (int number = 0; number < asked.count(); number++) {
      list.send().append(IntNode.valueOf(number));
    }
  }

  @Handler
  @Name("send_later")
  public String sendLater(Context ctx, Asked.Later asked) {
    return ListObjectClient.fromContext(ctx, asked.key())
        .send()
        .append(TextNode.valueOf("late"), Duration.ofMillis(asked.delayMs()))
        .invocationId();
  }

  @Handler
  @Name("send_same_twice")
  public boolean sendSameTwice(Context ctx, String key) {
    var list = ListObjectClient.fromContext(ctx, key).send();
    var one = IntNode.valueOf(1);
    var first = list.append(one, request -> request.idempotencyKey(ONCE));
    var second = list.append(one, request -> request.idempotencyKey(ONCE));
    return first.invocationId().equals(second.invocationId());
  }

  @Handler
  @Name("send_and_attach")
  public int sendAndAttach(Context ctx, int number) {
    return LabClient.fromContext(ctx).send().twice(number).attach().await();
  }

  // Side effects.

  /** Returns the closure's value; a replay must not execute the closure again. */
  @Handler
  @Name("run_once")
  public Collection<Object> runOnce(Context ctx, String name) {
    int value = ctx.run(ONCE, Integer.class, () -> executed(name));
    ctx.sleep(Duration.ofMillis(50));
    return java.util.List.of(value, ctx.run("again", String.class, () -> "b"));
  }

  @Handler
  @Name("run_many")
  public int runMany(Context ctx, int count) {
    int sum = 0;
    for (int n = 0; n < count; n++) {
      int value = n;
      sum += ctx.run("n", Integer.class, () -> value);
    }
    return sum;
  }

  @Handler
  @Name("run_retried")
  public int runRetried(Context ctx, Asked.Attempts asked) {
    return ctx.run("retried", Integer.class, quickRetries(), () -> failFirst(asked));
  }

  @Handler
  @Name("run_exhausted")
  public Collection<Object> runExhausted(Context ctx, Asked.Limited asked) {
    boolean isFailed = false;
    try {
      ctx.run(
          "exhausted",
          quickRetries().setMaxAttempts(asked.max()),
          () -> {
            executed(asked.id());
            throw new IllegalStateException("never");
          });
    } catch (TerminalException failure) {
      isFailed = true;
    }
    return java.util.List.of(isFailed, Executions.of(asked.id()));
  }

  @Handler
  @Name("run_terminal")
  public void runTerminal(Context ctx, Asked.Failure asked) {
    ctx.run(
        "terminal",
        () -> {
          throw terminal(asked);
        });
  }

  /** Pauses long enough to be killed, then performs an effect that must happen exactly once. */
  @Handler
  @Name("slow_add")
  public int slowAdd(Context ctx, Asked.SlowAddition asked) {
    tell(ctx, asked.key() + "-told", "started", "yes");
    ctx.run("before", () -> {});
    ctx.sleep(Duration.ofMillis(asked.pauseMs()));
    return CellClient.fromContext(ctx, asked.key()).add(1).await();
  }

  // Sleeps and awakeables.

  @Handler
  public String sleep(Context ctx, long durationMs) {
    ctx.sleep(Duration.ofMillis(durationMs));
    return "slept";
  }

  @Handler
  @Name("sleep_many")
  public int sleepMany(Context ctx, int count) {
    var sleeps = new ArrayList<DurableFuture<?>>();
    for (int n = 0; n < count; n++) {
      sleeps.add(ctx.timer(Duration.ofMillis(10 + n % 40)));
    }
    DurableFuture.all(sleeps).await();
    return count;
  }

  @Handler
  @Name("await_awakeable")
  public JsonNode awaitAwakeable(Context ctx, String cell) {
    var awakeable = ctx.awakeable(JsonNode.class);
    tell(ctx, cell, "awakeable", awakeable.id());
    return awakeable.await();
  }

  @Handler
  @Name("await_or_timeout")
  public JsonNode awaitOrTimeout(Context ctx, Asked.Timed asked) {
    var awakeable = ctx.awakeable(JsonNode.class);
    tell(ctx, asked.cell(), "awakeable", awakeable.id());
    try {
      return awakeable.await(Duration.ofMillis(asked.timeoutMs()));
    } catch (TimeoutException timeout) {
      return TextNode.valueOf("timeout");
    }
  }

  @Handler
  @Name("first_of_two")
  public JsonNode firstOfTwo(Context ctx, String cell) {
    var first = ctx.awakeable(JsonNode.class);
    var second = ctx.awakeable(JsonNode.class);
    tell(ctx, cell, "first", first.id());
    tell(ctx, cell, "second", second.id());
    return Select.<JsonNode>select().or(first).or(second).await();
  }

  @Handler
  @Name("all_of_two")
  public Collection<JsonNode> allOfTwo(Context ctx, String cell) {
    var first = ctx.awakeable(JsonNode.class);
    var second = ctx.awakeable(JsonNode.class);
    tell(ctx, cell, "first", first.id());
    tell(ctx, cell, "second", second.id());
    DurableFuture.all(first, second).await();
    return Arrays.asList(first.await(), second.await());
  }

  @Handler
  @Name("resolve_awakeable")
  public void resolveAwakeable(Context ctx, Asked.Completion asked) {
    ctx.awakeableHandle(asked.id()).resolve(JsonNode.class, asked.value());
  }

  @Handler
  @Name("reject_awakeable")
  public void rejectAwakeable(Context ctx, Asked.Completion asked) {
    ctx.awakeableHandle(asked.id()).reject(asked.reason());
  }

  @Handler
  public Object combine(Context ctx, Combination asked) {
    return asked.await(ctx);
  }

  // What depends on the version of this code.

  private static String thisVersion() {
    return Objects.requireNonNullElse(System.getenv("VERSION"), "1");
  }

  @Handler
  public String version(Context ctx) {
    return thisVersion();
  }

  /** The versions before and after a wait. */
  @Handler
  public String[] versions(Context ctx, String cell) {
    String before = thisVersion();
    awaitAwakeable(ctx, cell);
    return new String[] {before, thisVersion()};
  }

  /** Fails in the version that is called broken. */
  @Handler
  @Name("fail_on_version")
  public String failOnVersion(Context ctx, String broken) {
    if (thisVersion().equals(broken)) {
      throw new IllegalStateException("version " + broken + " is broken");
    }
    return thisVersion();
  }

  // Cancelling and killing.

  /** Awaits, and records in a cell that it has failed. */
  private static void await(Context ctx, String cell, DurableFuture<?> awaited) {
    tell(ctx, cell, "started", "yes");
    try {
      awaited.await();
    } catch (TerminalException failure) {
      tell(ctx, cell, "cancelled", String.valueOf(failure.getCode()));
      throw failure;
    }
  }

  /** Sleeps until it is cancelled, and records that. */
  @Handler
  @Name("until_cancelled")
  public void untilCancelled(Context ctx, String cell) {
    await(ctx, cell, ctx.timer(Cell.DAY));
  }

  /** Waits for an awakeable that nobody completes, until it is cancelled. */
  @Handler
  @Name("await_until_cancelled")
  public void awaitUntilCancelled(Context ctx, String cell) {
    await(ctx, cell, ctx.awakeable(String.class));
  }

  /** Calls a handler that sleeps until it is cancelled. */
  @Handler
  @Name("call_until_cancelled")
  public void callUntilCancelled(Context ctx, String cell) {
    LabClient.fromContext(ctx).untilCancelled(cell).await();
  }

  @Handler
  public void cancel(Context ctx, String id) {
    ctx.invocationHandle(id).cancel();
  }

  /** Calls an object that holds its lock forever. */
  @Handler
  @Name("call_forever")
  public void callForever(Context ctx, String key) {
    CellClient.fromContext(ctx, key).forever().await();
  }

  /** Calls an object that waits for its own lock. */
  @Handler
  @Name("call_deadlock")
  public void callDeadlock(Context ctx, String key) {
    CellClient.fromContext(ctx, key).deadlock().await();
  }
}
