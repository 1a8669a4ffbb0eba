package interop;

import dev.restate.sdk.Context;
import dev.restate.sdk.annotation.Handler;
import dev.restate.sdk.annotation.Service;

/** A service that only handlers may call, not clients. */
@Service
public class Hidden {
  @Handler
  public String reveal(Context ctx) {
    return "found";
  }

  @Handler
  public String whisper(Context ctx) {
    return "hush";
  }
}
