package main

import (
	restate "github.com/restatedev/sdk-go"
)

// Awaited is how long to wait, and where to tell for what.
type Awaited struct {
	Cell      string `json:"cell"`
	TimeoutMs int64  `json:"timeoutMs"`
}

// Completion is how to complete an awakeable.
type Completion struct {
	ID     string `json:"id"`
	Value  Value  `json:"value,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func sleep(ctx restate.Context, durationMs int64) (string, error) {
	return "slept", restate.Sleep(ctx, ms(durationMs))
}

func sleepMany(ctx restate.Context, count int64) (int64, error) {
	sleeps := make([]restate.Future, count)
	for n := range count {
		sleeps[n] = restate.After(ctx, ms(10+n%40))
	}
	for _, err := range restate.Wait(ctx, sleeps...) {
		if err != nil {
			return 0, err
		}
	}
	return count, nil
}

func awaitAwakeable(ctx restate.Context, cell string) (Value, error) {
	awakeable := restate.Awakeable[Value](ctx)
	tell(ctx, cell, "awakeable", awakeable.Id())
	return awakeable.Result()
}

func awaitOrTimeout(ctx restate.Context, asked Awaited) (Value, error) {
	awakeable := restate.Awakeable[Value](ctx)
	tell(ctx, asked.Cell, "awakeable", awakeable.Id())
	timeout := restate.After(ctx, ms(asked.TimeoutMs))
	first, err := restate.WaitFirst(ctx, awakeable, timeout)
	if err != nil {
		return nil, err
	}
	if first == timeout {
		return Value(`"timeout"`), timeout.Done()
	}
	return awakeable.Result()
}

// awakeables makes two, and tells of both.
func awakeables(ctx restate.Context, cell string) (first, second restate.AwakeableFuture[Value]) {
	first, second = restate.Awakeable[Value](ctx), restate.Awakeable[Value](ctx)
	tell(ctx, cell, "first", first.Id())
	tell(ctx, cell, "second", second.Id())
	return first, second
}

func firstOfTwo(ctx restate.Context, cell string) (Value, error) {
	first, second := awakeables(ctx, cell)
	completed, err := restate.WaitFirst(ctx, first, second)
	if err != nil {
		return nil, err
	}
	return completed.(restate.AwakeableFuture[Value]).Result()
}

func allOfTwo(ctx restate.Context, cell string) ([]Value, error) {
	first, second := awakeables(ctx, cell)
	one, err := first.Result()
	if err != nil {
		return nil, err
	}
	other, err := second.Result()
	if err != nil {
		return nil, err
	}
	return []Value{one, other}, nil
}

func resolveAwakeable(ctx restate.Context, asked Completion) (restate.Void, error) {
	restate.ResolveAwakeable(ctx, asked.ID, asked.Value)
	return restate.Void{}, nil
}

func rejectAwakeable(ctx restate.Context, asked Completion) (restate.Void, error) {
	restate.RejectAwakeable(ctx, asked.ID, restate.TerminalErrorf("%s", asked.Reason))
	return restate.Void{}, nil
}
