// Serves the services of the interop suite on the official Go SDK. interop/services has the same
// services on the official Rust SDK; the suite cannot tell them apart.
package main

import (
	"cmp"
	"context"
	"log"
	"os"

	"github.com/restatedev/sdk-go/server"
)

func main() {
	restate := server.NewRestate().
		Bind(lab()).
		Bind(cell()).
		Bind(list()).
		Bind(flow()).
		Bind(hidden())
	port := cmp.Or(os.Getenv("PORT"), "9080")
	if err := restate.Start(context.Background(), "127.0.0.1:"+port); err != nil {
		log.Fatal(err)
	}
}
