// Questions asks the management API of a broker many things and writes down the
// answers: statuses, errors, and the fields of objects with their types. Two brokers
// agree if the transcripts are equal. bash interop/management/run compares Warren with
// RabbitMQ; differences.txt lists what is to differ, and why.
//
// The broker is at the URLs MANAGEMENT_URL and AMQP_URL, and new: it has the user
// guest and the virtual host / alone.
package main

import (
	"log"
	"os"
)

// sections are the parts of the transcript.
var sections = []struct {
	name string
	ask  func(*asker)
}{
	{"access", (*asker).access},
	{"rights", (*asker).rights},
	{"paths and methods", (*asker).paths},
	{"exchanges", (*asker).exchanges},
	{"queues", (*asker).queues},
	{"bindings", (*asker).bindings},
	{"odd names", (*asker).oddNames},
	{"lists", (*asker).lists},
	{"pages", (*asker).pages},
	{"publish and get", (*asker).messages},
	{"virtual hosts", (*asker).virtualHosts},
	{"users", (*asker).users},
	{"permissions", (*asker).permissions},
	{"policies", (*asker).policies},
	{"limits", (*asker).limits},
	{"parameters", (*asker).parameters},
	{"connections", (*asker).connections},
	{"statistics", (*asker).statistics},
	{"definitions", (*asker).definitions},
	{"health", (*asker).health},
	{"the whole", (*asker).whole},
}

func main() {
	log.SetFlags(0)
	a := &asker{base: os.Getenv("MANAGEMENT_URL"), amqp: os.Getenv("AMQP_URL"), out: os.Stdout, names: map[string]string{}}
	for _, node := range objects(a.get("nodes", quiet).value) {
		a.node, _ = node["name"].(string)
		a.names[a.node] = "NODE"
	}
	for _, section := range sections {
		if len(os.Args) == 1 || os.Args[1] == section.name {
			a.say("\n== %s", section.name)
			section.ask(a)
		}
	}
}
