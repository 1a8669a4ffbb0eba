package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.restate.sdk.SharedWorkflowContext;
import dev.restate.sdk.WorkflowContext;
import dev.restate.sdk.annotation.Handler;
import dev.restate.sdk.annotation.Shared;
import dev.restate.sdk.annotation.Workflow;
import dev.restate.sdk.common.DurablePromiseKey;
import dev.restate.sdk.common.StateKey;

/** A workflow that waits for a promise. */
@Workflow
public class Flow {
  private static final StateKey<JsonNode> INPUT = StateKey.of("input", JsonNode.class);
  private static final DurablePromiseKey<JsonNode> DECISION =
      DurablePromiseKey.of("decision", JsonNode.class);

  @Workflow
  public JsonNode run(WorkflowContext ctx, JsonNode input) {
    ctx.set(INPUT, input);
    return ctx.promise(DECISION).future().await();
  }

  @Shared
  @Handler
  public void resolve(SharedWorkflowContext ctx, JsonNode value) {
    ctx.promiseHandle(DECISION).resolve(value);
  }

  @Shared
  @Handler
  public void reject(SharedWorkflowContext ctx, String reason) {
    ctx.promiseHandle(DECISION).reject(reason);
  }

  @Shared
  @Handler
  public JsonNode peek(SharedWorkflowContext ctx) {
    var decision = ctx.promise(DECISION).peek();
    return decision.isReady() ? decision.getValue() : TextNode.valueOf("pending");
  }

  @Shared
  @Handler
  public JsonNode input(SharedWorkflowContext ctx) {
    return ctx.get(INPUT).orElse(null);
  }
}
