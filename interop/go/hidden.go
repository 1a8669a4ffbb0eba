package main

import restate "github.com/restatedev/sdk-go"

// hidden is a service that only handlers may call, not clients.
func hidden() restate.ServiceDefinition {
	return restate.NewService("Hidden", restate.WithIngressPrivate(true)).
		Handler("reveal", restate.NewServiceHandler(says("found"))).
		Handler("whisper", restate.NewServiceHandler(says("hush")))
}

func says(word string) restate.ServiceHandlerFn[restate.Void, string] {
	return func(restate.Context, restate.Void) (string, error) { return word, nil }
}
