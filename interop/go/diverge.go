package main

import (
	"errors"
	"time"

	restate "github.com/restatedev/sdk-go"
)

// diverge does something else than before when it is retried, which is a bug to detect.
func diverge(ctx restate.ObjectContext, how string) (restate.Void, error) {
	isFirst := executed("diverge-"+restate.Key(ctx)) == 1
	if err := differently(ctx, how, isFirst); err != nil {
		return restate.Void{}, err
	}
	if isFirst {
		return restate.Void{}, errors.New("the first attempt fails")
	}
	restate.ObjectSend(ctx, "List", restate.Key(ctx), "append").Send("diverged")
	return restate.Void{}, nil
}

func differently(ctx restate.ObjectContext, how string, isFirst bool) error {
	handler, name := "reveal", "b"
	if isFirst {
		handler, name = "whisper", "a"
	}
	switch how {
	case "sleep_or_call":
		if isFirst {
			return restate.Sleep(ctx, time.Millisecond)
		}
		_, err := restate.Service[string](ctx, "Hidden", handler).Request(restate.Void{})
		return err
	case "another_call":
		_, err := restate.Service[string](ctx, "Hidden", handler).Request(restate.Void{})
		return err
	case "another_send":
		restate.ServiceSend(ctx, "Hidden", handler).Send(restate.Void{})
	case "another_state":
		restate.Set(ctx, name, 1)
	}
	return nil
}
