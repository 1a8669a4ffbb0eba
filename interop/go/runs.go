package main

import (
	"errors"
	"time"

	restate "github.com/restatedev/sdk-go"
)

// Limited is how often what is called ID may be attempted.
type Limited struct {
	ID  string `json:"id"`
	Max uint   `json:"max"`
}

// SlowAddition is what to add to, after a pause.
type SlowAddition struct {
	Key     string `json:"key"`
	PauseMs int64  `json:"pauseMs"`
}

// runOnce returns the closure's value; a replay must not execute the closure again.
func runOnce(ctx restate.Context, name string) ([]any, error) {
	value, err := restate.Run(ctx, func(restate.RunContext) (int, error) {
		return executed(name), nil
	}, restate.WithName("once"))
	if err != nil {
		return nil, err
	}
	if err := restate.Sleep(ctx, 50*time.Millisecond); err != nil {
		return nil, err
	}
	again, err := restate.Run(ctx, func(restate.RunContext) (string, error) {
		return "b", nil
	}, restate.WithName("again"))
	if err != nil {
		return nil, err
	}
	return []any{value, again}, nil
}

func runMany(ctx restate.Context, count int) (int, error) {
	sum := 0
	for n := range count {
		value, err := restate.Run(ctx, func(restate.RunContext) (int, error) { return n, nil })
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

func runRetried(ctx restate.Context, asked Attempts) (int, error) {
	return restate.Run(ctx, func(restate.RunContext) (int, error) { return asked.attempt() },
		restate.WithInitialRetryInterval(10*time.Millisecond),
		restate.WithRetryIntervalFactor(1))
}

func runExhausted(ctx restate.Context, asked Limited) ([]any, error) {
	err := restate.RunVoid(ctx, func(restate.RunContext) error {
		executed(asked.ID)
		return errors.New("never")
	},
		restate.WithInitialRetryInterval(10*time.Millisecond),
		restate.WithRetryIntervalFactor(1),
		restate.WithMaxRetryAttempts(asked.Max))
	return []any{err != nil, executionsOf(asked.ID)}, nil
}

func runTerminal(ctx restate.Context, asked Failure) (restate.Void, error) {
	return restate.Void{}, restate.RunVoid(ctx, func(restate.RunContext) error {
		return asked.terminal()
	})
}

// slowAdd pauses long enough to be killed, then performs an effect that must happen exactly once.
func slowAdd(ctx restate.Context, asked SlowAddition) (int64, error) {
	tell(ctx, asked.Key+"-told", "started", "yes")
	if err := restate.RunVoid(ctx, func(restate.RunContext) error { return nil }); err != nil {
		return 0, err
	}
	if err := restate.Sleep(ctx, ms(asked.PauseMs)); err != nil {
		return 0, err
	}
	return restate.Object[int64](ctx, "Cell", asked.Key, "add").Request(1)
}
