package main

import restate "github.com/restatedev/sdk-go"

// list keeps appended values, in order.
func list() restate.ServiceDefinition {
	return restate.NewObject("List").
		Handler("append", restate.NewObjectHandler(appendItem)).
		Handler("all", restate.NewObjectSharedHandler(allItems))
}

func appendItem(ctx restate.ObjectContext, item Value) (restate.Void, error) {
	items, err := allItems(ctx, restate.Void{})
	if err != nil {
		return restate.Void{}, err
	}
	restate.Set(ctx, "items", append(items, item))
	return restate.Void{}, nil
}

func allItems(ctx restate.ObjectSharedContext, _ restate.Void) ([]Value, error) {
	items, err := restate.Get[[]Value](ctx, "items")
	if err != nil {
		return nil, err
	}
	// Not null when there are none.
	return append([]Value{}, items...), nil
}
