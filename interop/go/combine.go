package main

import (
	"fmt"

	restate "github.com/restatedev/sdk-go"
)

// Combination is what to wait for at once, and in which way.
type Combination struct {
	How string `json:"how"`
	Of  []Part `json:"of"`
}

// Part is one of these.
type Part struct {
	Signal   *string `json:"signal,omitempty"`
	Run      *string `json:"run,omitempty"`
	RunFails *string `json:"run_fails,omitempty"`
}

// result is a future that has a string at the end.
type result interface {
	restate.Future
	Result() (string, restate.TerminalError)
}

func (part Part) start(ctx restate.Context) result {
	if part.Signal != nil {
		return restate.Signal[string](ctx, *part.Signal)
	}
	return restate.RunAsync(ctx, func(restate.RunContext) (string, error) {
		if part.RunFails != nil {
			return "", restate.TerminalErrorf("%s", *part.RunFails)
		}
		return *part.Run, nil
	})
}

// combine waits for several things at once, in each way that the SDK offers.
func combine(ctx restate.Context, asked Combination) (any, error) {
	results := make([]result, len(asked.Of))
	futures := make([]restate.Future, len(asked.Of))
	for i, part := range asked.Of {
		results[i] = part.start(ctx)
		futures[i] = results[i]
	}
	switch asked.How {
	case "first_completed":
		first, err := restate.WaitFirst(ctx, futures...)
		if err != nil {
			return nil, err
		}
		return first.(result).Result()
	case "first_succeeded":
		return firstSucceeded(ctx, futures)
	case "all_succeeded":
		return allSucceeded(ctx, results, futures)
	case "all_completed":
		return allCompleted(ctx, results, futures)
	}
	unknown := fmt.Errorf("cannot combine by %s", asked.How)
	return nil, restate.ToTerminalError(unknown, restate.WithErrorCode(400))
}

func firstSucceeded(ctx restate.Context, futures []restate.Future) (any, error) {
	failure := restate.TerminalErrorf("nothing to wait for")
	for future, err := range restate.Wait(ctx, futures...) {
		if err != nil {
			return nil, err
		}
		value, err := future.(result).Result()
		if err == nil {
			return value, nil
		}
		failure = err
	}
	return nil, failure
}

func allSucceeded(ctx restate.Context, results []result, futures []restate.Future) (any, error) {
	for future, err := range restate.Wait(ctx, futures...) {
		if err != nil {
			return nil, err
		}
		if _, err := future.(result).Result(); err != nil {
			return nil, err
		}
	}
	values := make([]string, len(results))
	for i, result := range results {
		// All have succeeded.
		values[i], _ = result.Result()
	}
	return values, nil
}

func allCompleted(ctx restate.Context, results []result, futures []restate.Future) (any, error) {
	for _, err := range restate.Wait(ctx, futures...) {
		if err != nil {
			return nil, err
		}
	}
	outcomes := make([][]string, len(results))
	for i, result := range results {
		value, err := result.Result()
		if err != nil {
			outcomes[i] = []string{"err", err.Message()}
		} else {
			outcomes[i] = []string{"ok", value}
		}
	}
	return outcomes, nil
}
