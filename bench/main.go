// Bench measures AMQP brokers over loopback, with a client whose frames are
// encoded beforehand, so that the broker is what is measured. Several brokers
// are measured in turn, for some rounds; of each figure it prints the median,
// and the ratios to the first broker.
//
//	bench -rounds 5 warren=amqp://guest:guest@127.0.0.1:5672/,PID rabbitmq=amqp://...,PID
//
// With a process id, the broker's CPU time per message is measured, too (Linux).
// bash bench/run does all of it.
package main

import (
	"flag"
	"fmt"
	"log"
	"slices"
	"strconv"
	"strings"
)

// broker is one that is measured.
type broker struct {
	name, url string
	pid       int
}

// figures are what a scenario gives in one round, by name.
type figures struct {
	names  []string
	values map[string]float64
}

func (f *figures) add(name string, value float64) {
	if f.values == nil {
		f.values = make(map[string]float64)
	}
	f.names = append(f.names, name)
	f.values[name] = value
}

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 5, "how often each broker has its turn")
	seconds := flag.Float64("scale", 1, "how long each scenario takes, about, in seconds")
	only := flag.String("only", "", "scenarios whose names begin so")
	flag.Parse()
	var brokers []broker
	for _, arg := range flag.Args() {
		name, rest, _ := strings.Cut(arg, "=")
		url, pid, _ := strings.Cut(rest, ",")
		b := broker{name: name, url: url}
		b.pid, _ = strconv.Atoi(pid)
		brokers = append(brokers, b)
	}
	if len(brokers) == 0 {
		log.Fatal("bench: name=url[,pid] is wanted")
	}
	for _, s := range scenarios {
		if !strings.HasPrefix(s.name, *only) {
			continue
		}
		measured := make([][]figures, len(brokers))
		for range *rounds {
			for i := range brokers {
				f, err := s.measure(&brokers[i], *seconds)
				if err != nil {
					log.Fatalf("bench: %s of %s: %v", s.name, brokers[i].name, err)
				}
				measured[i] = append(measured[i], f)
			}
		}
		report(s.name, brokers, measured)
	}
}

// report prints the medians of a scenario.
func report(scenario string, brokers []broker, measured [][]figures) {
	for _, name := range measured[0][0].names {
		fmt.Printf("%-34s %-16s", scenario, name)
		var first float64
		for i, b := range brokers {
			var values []float64
			for _, f := range measured[i] {
				values = append(values, f.values[name])
			}
			slices.Sort(values)
			median := values[len(values)/2]
			fmt.Printf("  %s %11.2f", b.name, median)
			if i == 0 {
				first = median
			} else if median != 0 {
				fmt.Printf(" (%.2f)", first/median)
			}
		}
		fmt.Println()
	}
}
