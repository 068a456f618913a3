// Memory shows that the memory limit holds whatever a client does. For each case it
// starts a broker with a limit of 64 MiB in a process of its own, attacks it over
// loopback, and looks at the most memory that the process ever had (Linux). It prints
// a row for each case, and exits with 1 if one exceeds twice the limit and 64 MiB.
//
//	go run ./bench/memory            # all cases
//	go run ./bench/memory short      # the few that .ci/run tries
//	go run ./bench/memory headers    # those whose names have the word
package main

import (
	"fmt"
	"log"
	"os"
	"strings"
)

const (
	limit  = 64 << 20         // MemoryLimit of the brokers, in bytes
	bound  = 2*limit + 64<<20 // what a process may have
	giveUp = 24 * limit       // a process that has more is ended
)

// attack is a case: what a hostile client does.
type attack struct {
	name  string
	sent  string         // what the client sends, for the table
	run   func(c *case_) // tries to make the broker keep too much
	short bool           // the case is in the short run
}

func main() {
	log.SetFlags(0)
	word := ""
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	if word == serveArg {
		serve()
		return
	}
	fmt.Println("| case | sent | told | most memory | |")
	fmt.Println("|---|---|---|---|---|")
	failed := 0
	for _, list := range [...][]attack{messageAttacks, topologyAttacks, connectionAttacks} {
		for i := range list {
			a := &list[i]
			if word == "short" && !a.short || word != "short" && !strings.Contains(a.name, word) {
				continue
			}
			if !try(a) {
				failed++
			}
		}
	}
	if failed > 0 {
		log.Fatalf("memory: %d cases exceed %d MiB", failed, bound>>20)
	}
}

// try runs a case and prints its row. It reports whether the bound held.
func try(a *attack) bool {
	b := startBroker()
	c := &case_{broker: b}
	a.run(c)
	c.close()
	most := b.end()
	verdict := "ok"
	if most > bound {
		verdict = "TOO MUCH"
	}
	size := fmt.Sprintf("%d MiB", most>>20)
	if most >= giveUp {
		size = "more than " + size
	}
	fmt.Printf("| %s | %s | %s | %s | %s |\n", a.name, a.sent, c.answer(), size, verdict)
	return most <= bound
}
