package main

import (
	restate "github.com/restatedev/sdk-go"
)

// Addition is what to add to a cell.
type Addition struct {
	Key    string `json:"key"`
	Amount int64  `json:"amount"`
}

// Mixed is what to append to a list by calls, and what by sends.
type Mixed struct {
	Key   string `json:"key"`
	Calls []bool `json:"calls"`
}

func chain(ctx restate.Context, depth int) (int, error) {
	if depth == 0 {
		return 0, nil
	}
	below, err := restate.Service[int](ctx, "Lab", "chain").Request(depth - 1)
	return below + 1, err
}

func callFailing(ctx restate.Context, asked Failure) (any, error) {
	if _, err := restate.Service[restate.Void](ctx, "Lab", "fail").Request(asked); err != nil {
		return []any{err.Code(), err.Message()}, nil
	}
	return "no failure", nil
}

func failThroughCall(ctx restate.Context, asked Failure) (restate.Void, error) {
	return restate.Service[restate.Void](ctx, "Lab", "fail").Request(asked)
}

func doubleAll(ctx restate.Context, numbers []int64) (int64, error) {
	calls := make([]restate.ResponseFuture[int64], len(numbers))
	for i, number := range numbers {
		calls[i] = restate.Service[int64](ctx, "Lab", "double").RequestFuture(number)
	}
	var sum int64
	for _, call := range calls {
		doubled, err := call.Response()
		if err != nil {
			return 0, err
		}
		sum += doubled
	}
	return sum, nil
}

// join makes several calls and awaits them together.
func join(ctx restate.Context, words []string) ([]string, error) {
	calls := make([]restate.Future, len(words))
	for i, word := range words {
		calls[i] = restate.Service[string](ctx, "Lab", "upper").RequestFuture(word)
	}
	for _, err := range restate.Wait(ctx, calls...) {
		if err != nil {
			return nil, err
		}
	}
	answers := make([]string, len(calls))
	for i, call := range calls {
		answer, err := call.(restate.ResponseFuture[string]).Response()
		if err != nil {
			return nil, err
		}
		answers[i] = answer
	}
	return answers, nil
}

func callCell(ctx restate.Context, asked Addition) (int64, error) {
	return restate.Object[int64](ctx, "Cell", asked.Key, "add").Request(asked.Amount)
}

func callSameTwice(ctx restate.Context, key string) ([]int64, error) {
	var answers []int64
	for range 2 {
		answer, err := restate.Object[int64](ctx, "Cell", key, "add").
			Request(1, restate.WithIdempotencyKey("once"))
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func callHidden(ctx restate.Context, _ restate.Void) (string, error) {
	return restate.Service[string](ctx, "Hidden", "reveal").Request(restate.Void{})
}

// mixedCalls calls where it is asked to, sends otherwise, and waits at the end.
func mixedCalls(ctx restate.Context, asked Mixed) (restate.Void, error) {
	var calls []restate.ResponseFuture[restate.Void]
	for number, isCall := range asked.Calls {
		list := restate.Object[restate.Void](ctx, "List", asked.Key, "append")
		if isCall {
			calls = append(calls, list.RequestFuture(number))
		} else {
			list.Send(number)
		}
	}
	for _, call := range calls {
		if _, err := call.Response(); err != nil {
			return restate.Void{}, err
		}
	}
	return restate.Void{}, nil
}
