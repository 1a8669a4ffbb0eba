package main

import (
	"slices"
	"strings"
	"time"

	restate "github.com/restatedev/sdk-go"
)

// lab has one handler per feature to test. Results are JSON, so that the suite can compare them.
// The handlers of each theme are in a file of their own.
func lab() restate.ServiceDefinition {
	quickRetries := []restate.InvocationRetryPolicyOption{
		restate.WithInitialRetryInterval(10 * time.Millisecond),
		restate.WithRetryIntervalFactor(1),
	}
	killAfter3 := append(slices.Clone(quickRetries),
		restate.WithMaxRetryAttempts(3), restate.KillOnMaxAttempts())
	pauseAfter2 := append(slices.Clone(quickRetries),
		restate.WithMaxRetryAttempts(2), restate.PauseOnMaxAttempts())
	return restate.NewService("Lab").
		Handler("echo", restate.NewServiceHandler(echo, restate.WithBinary)).
		Handler("upper", restate.NewServiceHandler(upper)).
		Handler("double", restate.NewServiceHandler(double)).
		Handler("nothing", restate.NewServiceHandler(nothing)).
		Handler("header", restate.NewServiceHandler(header)).
		Handler("executions", restate.NewServiceHandler(countExecutions)).
		Handler("same_random", restate.NewServiceHandler(sameRandom)).
		Handler("fail", restate.NewServiceHandler(fail)).
		Handler("fail_times", restate.NewServiceHandler(failFirst,
			restate.WithInvocationRetryPolicy(quickRetries...))).
		Handler("fail_always", restate.NewServiceHandler(failAlways,
			restate.WithInvocationRetryPolicy(killAfter3...))).
		Handler("fail_and_pause", restate.NewServiceHandler(failFirst,
			restate.WithInvocationRetryPolicy(pauseAfter2...))).
		Handler("version", restate.NewServiceHandler(version)).
		Handler("versions", restate.NewServiceHandler(versions)).
		Handler("fail_on_version", restate.NewServiceHandler(failOnVersion,
			restate.WithInvocationRetryPolicy(pauseAfter2...))).
		Handler("chain", restate.NewServiceHandler(chain)).
		Handler("call_failing", restate.NewServiceHandler(callFailing)).
		Handler("fail_through_call", restate.NewServiceHandler(failThroughCall)).
		Handler("double_all", restate.NewServiceHandler(doubleAll)).
		Handler("join", restate.NewServiceHandler(join)).
		Handler("call_cell", restate.NewServiceHandler(callCell)).
		Handler("call_same_twice", restate.NewServiceHandler(callSameTwice)).
		Handler("call_hidden", restate.NewServiceHandler(callHidden)).
		Handler("mixed_calls", restate.NewServiceHandler(mixedCalls)).
		Handler("send_many", restate.NewServiceHandler(sendMany)).
		Handler("send_later", restate.NewServiceHandler(sendLater)).
		Handler("send_same_twice", restate.NewServiceHandler(sendSameTwice)).
		Handler("send_and_attach", restate.NewServiceHandler(sendAndAttach)).
		Handler("run_once", restate.NewServiceHandler(runOnce)).
		Handler("run_many", restate.NewServiceHandler(runMany)).
		Handler("run_retried", restate.NewServiceHandler(runRetried)).
		Handler("run_exhausted", restate.NewServiceHandler(runExhausted)).
		Handler("run_terminal", restate.NewServiceHandler(runTerminal)).
		Handler("slow_add", restate.NewServiceHandler(slowAdd)).
		Handler("sleep", restate.NewServiceHandler(sleep)).
		Handler("sleep_many", restate.NewServiceHandler(sleepMany)).
		Handler("await_awakeable", restate.NewServiceHandler(awaitAwakeable)).
		Handler("await_or_timeout", restate.NewServiceHandler(awaitOrTimeout)).
		Handler("first_of_two", restate.NewServiceHandler(firstOfTwo)).
		Handler("all_of_two", restate.NewServiceHandler(allOfTwo)).
		Handler("resolve_awakeable", restate.NewServiceHandler(resolveAwakeable)).
		Handler("reject_awakeable", restate.NewServiceHandler(rejectAwakeable)).
		Handler("wait_for_signal", restate.NewServiceHandler(waitForSignal)).
		Handler("send_signal", restate.NewServiceHandler(sendSignal)).
		Handler("combine", restate.NewServiceHandler(combine)).
		Handler("until_cancelled", restate.NewServiceHandler(untilCancelled)).
		Handler("await_until_cancelled", restate.NewServiceHandler(awaitUntilCancelled)).
		Handler("call_until_cancelled", restate.NewServiceHandler(callUntilCancelled)).
		Handler("cancel", restate.NewServiceHandler(cancel)).
		Handler("call_forever", restate.NewServiceHandler(callForever)).
		Handler("call_deadlock", restate.NewServiceHandler(callDeadlock))
}

func echo(_ restate.Context, bytes []byte) ([]byte, error) {
	return bytes, nil
}

func upper(_ restate.Context, word string) (string, error) {
	return strings.ToUpper(word), nil
}

func double(_ restate.Context, number int64) (int64, error) {
	return number * 2, nil
}

func nothing(restate.Context, restate.Void) (restate.Void, error) {
	return restate.Void{}, nil
}

func header(ctx restate.Context, name string) (string, error) {
	return ctx.Request().Headers.Get(name), nil
}

func countExecutions(_ restate.Context, name string) (int, error) {
	return executionsOf(name), nil
}

func sameRandom(ctx restate.Context, name string) ([]bool, error) {
	first := restate.UUID(ctx).String()
	attempts := executed(name)
	if err := restate.Sleep(ctx, 50*time.Millisecond); err != nil {
		return nil, err
	}
	journaled, err := restate.Run(ctx, func(restate.RunContext) (string, error) {
		return first, nil
	})
	if err != nil {
		return nil, err
	}
	return []bool{journaled == first, attempts >= 1}, nil
}
