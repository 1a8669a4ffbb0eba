package main

import (
	"errors"
	"fmt"

	restate "github.com/restatedev/sdk-go"
)

// Failure is how a handler is asked to fail.
type Failure struct {
	Code     restate.Code      `json:"code"`
	Message  string            `json:"message"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Attempts is how often what is called ID fails.
type Attempts struct {
	ID    string `json:"id"`
	Times int    `json:"times"`
}

func (failure Failure) terminal() restate.TerminalError {
	return restate.ToTerminalError(errors.New(failure.Message),
		restate.WithErrorCode(failure.Code), restate.WithMetadataMap(failure.Metadata))
}

func fail(_ restate.Context, failure Failure) (restate.Void, error) {
	return restate.Void{}, failure.terminal()
}

func failFirst(_ restate.Context, asked Attempts) (int, error) {
	return asked.attempt()
}

func (asked Attempts) attempt() (int, error) {
	attempt := executed(asked.ID)
	if attempt <= asked.Times {
		return 0, fmt.Errorf("attempt %d fails", attempt)
	}
	return attempt, nil
}

func failAlways(_ restate.Context, message string) (restate.Void, error) {
	return restate.Void{}, errors.New(message)
}
