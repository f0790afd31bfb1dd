// A server that speaks MongoDB's protocol, for tests: FerretDB over SQLite files. Its own command refuses to run when it was built
// from the module proxy, so this one embeds it.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// main takes an address to listen on and a folder for the data.
func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: ferretdb <host:port> <folder>")
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[2] + "/",
	})
	if err != nil {
		log.Fatal(err)
	}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := server.Run(stop); err != nil {
		log.Fatal(err)
	}
}
