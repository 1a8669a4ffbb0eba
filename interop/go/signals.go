package main

import (
	"cmp"

	restate "github.com/restatedev/sdk-go"
)

// Sent is a signal to send; a reason rejects it.
type Sent struct {
	ID     string  `json:"id"`
	Name   string  `json:"name,omitempty"`
	Value  Value   `json:"value,omitempty"`
	Reason *string `json:"reason,omitempty"`
}

func waitForSignal(ctx restate.Context, cell string) (Value, error) {
	tell(ctx, cell, "invocation", ctx.Request().ID)
	return restate.Signal[Value](ctx, "go").Result()
}

func sendSignal(ctx restate.Context, asked Sent) (restate.Void, error) {
	name := cmp.Or(asked.Name, "go")
	if asked.Reason != nil {
		restate.RejectSignal(ctx, asked.ID, name, restate.TerminalErrorf("%s", *asked.Reason))
	} else {
		restate.ResolveSignal(ctx, asked.ID, name, asked.Value)
	}
	return restate.Void{}, nil
}
