package main

import restate "github.com/restatedev/sdk-go"

// Several is how many items to append to a list.
type Several struct {
	Key   string `json:"key"`
	Count int    `json:"count"`
}

// Later is when to append to a list.
type Later struct {
	Key     string `json:"key"`
	DelayMs int64  `json:"delayMs"`
}

func sendMany(ctx restate.Context, asked Several) (restate.Void, error) {
	for number := range asked.Count {
		restate.ObjectSend(ctx, "List", asked.Key, "append").Send(number)
	}
	return restate.Void{}, nil
}

func sendLater(ctx restate.Context, asked Later) (string, error) {
	sent := restate.ObjectSend(ctx, "List", asked.Key, "append").
		Send("late", restate.WithDelay(ms(asked.DelayMs)))
	return sent.GetInvocationId(), nil
}

func sendSameTwice(ctx restate.Context, key string) (bool, error) {
	var ids [2]string
	for i := range ids {
		sent := restate.ObjectSend(ctx, "List", key, "append").
			Send(1, restate.WithIdempotencyKey("once"))
		ids[i] = sent.GetInvocationId()
	}
	return ids[0] == ids[1], nil
}

func sendAndAttach(ctx restate.Context, number int64) (int64, error) {
	sent := restate.ServiceSend(ctx, "Lab", "double").Send(number)
	return restate.AttachInvocation[int64](ctx, sent.GetInvocationId()).Response()
}
