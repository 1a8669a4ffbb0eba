package main

import restate "github.com/restatedev/sdk-go"

// flow is a workflow that waits for a promise.
func flow() restate.ServiceDefinition {
	return restate.NewWorkflow("Flow").
		Handler("run", restate.NewWorkflowHandler(run)).
		Handler("resolve", restate.NewWorkflowSharedHandler(resolve)).
		Handler("reject", restate.NewWorkflowSharedHandler(reject)).
		Handler("peek", restate.NewWorkflowSharedHandler(peek)).
		Handler("input", restate.NewWorkflowSharedHandler(input))
}

func run(ctx restate.WorkflowContext, given Value) (Value, error) {
	restate.Set(ctx, "input", given)
	return restate.Promise[Value](ctx, "decision").Result()
}

func resolve(ctx restate.WorkflowSharedContext, value Value) (restate.Void, error) {
	return restate.Void{}, restate.Promise[Value](ctx, "decision").Resolve(value)
}

func reject(ctx restate.WorkflowSharedContext, reason string) (restate.Void, error) {
	failure := restate.TerminalErrorf("%s", reason)
	return restate.Void{}, restate.Promise[Value](ctx, "decision").Reject(failure)
}

func peek(ctx restate.WorkflowSharedContext, _ restate.Void) (Value, error) {
	value, err := restate.Promise[*Value](ctx, "decision").Peek()
	if err != nil {
		return nil, err
	}
	if value == nil {
		return Value(`"pending"`), nil
	}
	return *value, nil
}

func input(ctx restate.WorkflowSharedContext, _ restate.Void) (Value, error) {
	return restate.Get[Value](ctx, "input")
}
