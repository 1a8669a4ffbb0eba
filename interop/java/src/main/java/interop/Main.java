package interop;

import dev.restate.sdk.endpoint.Endpoint;
import dev.restate.sdk.endpoint.definition.InvocationRetryPolicy;
import dev.restate.sdk.endpoint.definition.InvocationRetryPolicy.OnMaxAttempts;
import dev.restate.sdk.http.vertx.RestateHttpServer;
import java.time.Duration;
import java.util.Objects;

/**
 * Serves the services of the interop suite on the official Java SDK. {@code interop/services} has
 * the same services on the official Rust SDK; the suite cannot tell them apart.
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    var endpoint =
        Endpoint.builder()
            .bind(
                new Lab(),
                lab ->
                    lab.configureHandler(
                            "fail_times", handler -> handler.invocationRetryPolicy(quickRetries()))
                        .configureHandler(
                            "fail_always",
                            handler ->
                                handler.invocationRetryPolicy(limited(3, OnMaxAttempts.KILL)))
                        .configureHandler(
                            "fail_and_pause",
                            handler ->
                                handler.invocationRetryPolicy(limited(2, OnMaxAttempts.PAUSE)))
                        .configureHandler(
                            "fail_on_version",
                            handler ->
                                handler.invocationRetryPolicy(limited(2, OnMaxAttempts.PAUSE))))
            .bind(
                new Cell(),
                cell ->
                    cell.configureHandler(
                            "add_briefly",
                            handler -> handler.idempotencyRetention(Duration.ofSeconds(1)))
                        .configureHandler(
                            "diverge",
                            handler ->
                                handler.invocationRetryPolicy(limited(3, OnMaxAttempts.KILL))))
            .bind(new ListObject())
            .bind(new Flow())
            .bind(new Hidden(), hidden -> hidden.ingressPrivate(true))
            .build();
    int port = Integer.parseInt(Objects.requireNonNullElse(System.getenv("PORT"), "9080"));
    RestateHttpServer.fromEndpoint(endpoint).listen(port, "127.0.0.1");
  }

  private static InvocationRetryPolicy.Builder quickRetries() {
    return InvocationRetryPolicy.builder()
        .initialInterval(Duration.ofMillis(10))
        .exponentiationFactor(1.0);
  }

  private static InvocationRetryPolicy.Builder limited(int maxAttempts, OnMaxAttempts then) {
    return quickRetries().maxAttempts(maxAttempts).onMaxAttempts(then);
  }
}
