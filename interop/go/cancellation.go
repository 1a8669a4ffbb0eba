package main

import (
	"strconv"

	restate "github.com/restatedev/sdk-go"
)

// untilCancelled sleeps until it is cancelled, and records that.
func untilCancelled(ctx restate.Context, cell string) (restate.Void, error) {
	tell(ctx, cell, "started", "yes")
	return restate.Void{}, recorded(ctx, cell, restate.Sleep(ctx, day))
}

// awaitUntilCancelled waits for an awakeable that nobody completes, until it is cancelled.
func awaitUntilCancelled(ctx restate.Context, cell string) (restate.Void, error) {
	never := restate.Awakeable[restate.Void](ctx)
	tell(ctx, cell, "started", "yes")
	_, err := never.Result()
	return restate.Void{}, recorded(ctx, cell, err)
}

// recorded records in a cell that a wait has failed.
func recorded(ctx restate.Context, cell string, failure restate.TerminalError) error {
	if failure == nil {
		return nil
	}
	tell(ctx, cell, "cancelled", strconv.Itoa(int(failure.Code())))
	return failure
}

// callUntilCancelled calls a handler that sleeps until it is cancelled.
func callUntilCancelled(ctx restate.Context, cell string) (restate.Void, error) {
	return restate.Service[restate.Void](ctx, "Lab", "until_cancelled").Request(cell)
}

func cancel(ctx restate.Context, id string) (restate.Void, error) {
	restate.CancelInvocation(ctx, id)
	return restate.Void{}, nil
}

// callForever calls an object that holds its lock forever.
func callForever(ctx restate.Context, key string) (restate.Void, error) {
	return restate.Object[restate.Void](ctx, "Cell", key, "forever").Request(restate.Void{})
}

// callDeadlock calls an object that waits for its own lock.
func callDeadlock(ctx restate.Context, key string) (restate.Void, error) {
	return restate.Object[restate.Void](ctx, "Cell", key, "deadlock").Request(restate.Void{})
}
