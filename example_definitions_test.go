package warren_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/warrenmq/warren"
)

func ExampleBroker_DefinitionsImport() {
	b := warren.New(nil)
	defer b.Close()
	file := strings.NewReader(`{
		"users": [{"name": "ann", "password_hash": "3q2+78Lyhq4=", "hashing_algorithm": "Bcrypt", "tags": ["monitoring"]}],
		"exchanges": [{"name": "events", "vhost": "/", "type": "topic", "durable": true}],
		"queues": [{"name": "jobs", "vhost": "/", "durable": true, "arguments": {"x-max-length": 1000}}],
		"bindings": [{"source": "events", "vhost": "/", "destination": "jobs", "destination_type": "queue", "routing_key": "job.#"}]
	}`)

	// What can be made is made. Each object that cannot be is named.
	err := b.DefinitionsImport(file)
	var object *warren.DefinitionError
	fmt.Println(errors.As(err, &object))
	fmt.Println(err)
	fmt.Println(b.Stats().Queues)
	// Output:
	// true
	// warren: import user 'ann': passwords hashed by 'Bcrypt' cannot be checked
	// 1
}

func ExampleVirtualHost_DefinitionsExport() {
	b := warren.New(nil)
	defer b.Close()
	ch, err := b.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ch.QueueDeclare("jobs", warren.QueueOptions{Durable: true, MaxLength: 1000}); err != nil {
		log.Fatal(err)
	}
	if err := ch.QueueBind("jobs", "job.#", "amq.topic", nil); err != nil {
		log.Fatal(err)
	}

	v, err := b.VirtualHost(warren.DefaultVirtualHost)
	if err != nil {
		log.Fatal(err)
	}
	if err := v.DefinitionsExport(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// {
	//   "product_name": "Warren",
	//   "parameters": [],
	//   "policies": [],
	//   "exchanges": [],
	//   "queues": [
	//     {
	//       "name": "jobs",
	//       "type": "classic",
	//       "durable": true,
	//       "auto_delete": false,
	//       "arguments": {
	//         "x-max-length": 1000
	//       }
	//     }
	//   ],
	//   "bindings": [
	//     {
	//       "source": "amq.topic",
	//       "destination": "jobs",
	//       "destination_type": "queue",
	//       "routing_key": "job.#",
	//       "arguments": {}
	//     }
	//   ]
	// }
}
