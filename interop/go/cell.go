package main

import (
	"fmt"
	"slices"
	"time"

	restate "github.com/restatedev/sdk-go"
)

// Entry is a named value.
type Entry struct {
	Name  string `json:"k"`
	Value Value  `json:"v"`
}

// cell is keyed state of every kind, and a lock that can be held.
func cell() restate.ServiceDefinition {
	return restate.NewObject("Cell").
		Handler("set", restate.NewObjectHandler(set)).
		Handler("get", restate.NewObjectSharedHandler(get)).
		Handler("clear", restate.NewObjectHandler(clearOne)).
		Handler("clear_all", restate.NewObjectHandler(clearAll)).
		Handler("keys", restate.NewObjectSharedHandler(keys)).
		Handler("add", restate.NewObjectHandler(add)).
		Handler("add_briefly", restate.NewObjectHandler(add,
			restate.WithIdempotencyRetention(time.Second))).
		Handler("add_then_fail", restate.NewObjectHandler(addThenFail)).
		Handler("round_trip", restate.NewObjectHandler(roundTrip)).
		Handler("hold", restate.NewObjectHandler(hold)).
		Handler("forever", restate.NewObjectHandler(forever)).
		Handler("deadlock", restate.NewObjectHandler(deadlock)).
		Handler("diverge", restate.NewObjectHandler(diverge, restate.WithInvocationRetryPolicy(
			restate.WithInitialRetryInterval(10*time.Millisecond),
			restate.WithRetryIntervalFactor(1),
			restate.WithMaxRetryAttempts(3),
			restate.KillOnMaxAttempts())))
}

func set(ctx restate.ObjectContext, entry Entry) (restate.Void, error) {
	restate.Set(ctx, entry.Name, entry.Value)
	return restate.Void{}, nil
}

func get(ctx restate.ObjectSharedContext, name string) (Value, error) {
	return restate.Get[Value](ctx, name)
}

func clearOne(ctx restate.ObjectContext, name string) (restate.Void, error) {
	restate.Clear(ctx, name)
	return restate.Void{}, nil
}

func clearAll(ctx restate.ObjectContext, _ restate.Void) ([]string, error) {
	names, err := keys(ctx, restate.Void{})
	restate.ClearAll(ctx)
	return names, err
}

func keys(ctx restate.ObjectSharedContext, _ restate.Void) ([]string, error) {
	names, err := restate.Keys(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	// Not null when there are none.
	return append([]string{}, names...), nil
}

func add(ctx restate.ObjectContext, amount int64) (int64, error) {
	count, err := restate.Get[int64](ctx, "count")
	if err != nil {
		return 0, err
	}
	restate.Set(ctx, "count", count+amount)
	return count + amount, nil
}

func addThenFail(ctx restate.ObjectContext, amount int64) (int64, error) {
	total, err := add(ctx, amount)
	if err != nil {
		return 0, err
	}
	return 0, restate.ToTerminalError(fmt.Errorf("count is %d", total), restate.WithErrorCode(409))
}

// roundTrip writes, reads back, clears and reads back again, all in one invocation.
func roundTrip(ctx restate.ObjectContext, _ restate.Void) ([]*int, error) {
	restate.Set(ctx, "a", 1)
	written, err := restate.Get[*int](ctx, "a")
	if err != nil {
		return nil, err
	}
	restate.Clear(ctx, "a")
	cleared, err := restate.Get[*int](ctx, "a")
	if err != nil {
		return nil, err
	}
	restate.Set(ctx, "b", 2)
	restate.ClearAll(ctx)
	gone, err := restate.Get[*int](ctx, "b")
	if err != nil {
		return nil, err
	}
	return []*int{written, cleared, gone}, nil
}

// hold holds the object's lock until the awakeable whose id it stores is completed.
func hold(ctx restate.ObjectContext, _ restate.Void) (Value, error) {
	released := restate.Awakeable[Value](ctx)
	restate.Set(ctx, "held", released.Id())
	return released.Result()
}

// forever holds the object's lock forever.
func forever(ctx restate.ObjectContext, _ restate.Void) (restate.Void, error) {
	restate.Set(ctx, "started", true)
	return restate.Void{}, restate.Sleep(ctx, day)
}

// deadlock calls itself on its own key, which waits for the lock that it holds.
func deadlock(ctx restate.ObjectContext, _ restate.Void) (restate.Void, error) {
	restate.Set(ctx, "started", true)
	return restate.Object[restate.Void](ctx, "Cell", restate.Key(ctx), "deadlock").
		Request(restate.Void{})
}
