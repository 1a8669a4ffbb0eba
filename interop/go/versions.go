package main

import (
	"cmp"
	"fmt"
	"os"

	restate "github.com/restatedev/sdk-go"
)

// thisVersion is the version of this code.
func thisVersion() string {
	return cmp.Or(os.Getenv("VERSION"), "1")
}

func version(restate.Context, restate.Void) (string, error) {
	return thisVersion(), nil
}

// versions returns the versions before and after a wait.
func versions(ctx restate.Context, cell string) ([]string, error) {
	before := thisVersion()
	if _, err := awaitAwakeable(ctx, cell); err != nil {
		return nil, err
	}
	return []string{before, thisVersion()}, nil
}

// failOnVersion fails in the version that is called broken.
func failOnVersion(_ restate.Context, broken string) (string, error) {
	if thisVersion() == broken {
		return "", fmt.Errorf("version %s is broken", broken)
	}
	return thisVersion(), nil
}
