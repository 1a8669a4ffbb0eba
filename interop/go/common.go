package main

import (
	"encoding/json"
	"sync"
	"time"

	restate "github.com/restatedev/sdk-go"
)

// Value is any JSON value.
type Value = json.RawMessage

const day = 24 * time.Hour

// executions counts how often each name was executed in this process; a replay must not execute it
// again.
var executions = struct {
	sync.Mutex
	counts map[string]int
}{counts: map[string]int{}}

// executed counts an execution, and returns how many there are now.
func executed(name string) int {
	executions.Lock()
	defer executions.Unlock()
	executions.counts[name]++
	return executions.counts[name]
}

// executionsOf returns how often a name was executed.
func executionsOf(name string) int {
	executions.Lock()
	defer executions.Unlock()
	return executions.counts[name]
}

// tell stores a value in a cell, where the suite finds it.
func tell(ctx restate.Context, key, name, value string) {
	restate.ObjectSend(ctx, "Cell", key, "set").Send(map[string]string{"k": name, "v": value})
}

// ms converts a number of milliseconds.
func ms(count int64) time.Duration {
	return time.Duration(count) * time.Millisecond
}
