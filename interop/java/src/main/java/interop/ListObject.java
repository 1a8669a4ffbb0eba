package interop;

import com.fasterxml.jackson.databind.JsonNode;
import dev.restate.sdk.ObjectContext;
import dev.restate.sdk.SharedObjectContext;
import dev.restate.sdk.annotation.Handler;
import dev.restate.sdk.annotation.Name;
import dev.restate.sdk.annotation.Shared;
import dev.restate.sdk.annotation.VirtualObject;
import dev.restate.sdk.common.StateKey;
import dev.restate.serde.TypeRef;
import java.util.ArrayList;

/** Keeps appended values, in order. */
@VirtualObject
@Name("List")
public class ListObject {
  private static final StateKey<ArrayList<JsonNode>> ITEMS =
      StateKey.of("items", new TypeRef<ArrayList<JsonNode>>() {});

  @Handler
  public void append(ObjectContext ctx, JsonNode item) {
    var items = all(ctx);
    items.add(item);
    ctx.set(ITEMS, items);
  }

  @Shared
  @Handler
  public ArrayList<JsonNode> all(SharedObjectContext ctx) {
    return ctx.get(ITEMS).orElseGet(ArrayList::new);
  }
}
