package warren_test

import (
	"fmt"

	"github.com/warrenmq/warren"
)

// A program asks where a message would go, without sending it.
func ExampleVirtualHost_Routes() {
	b := warren.New(nil)
	defer b.Close()
	ch, _ := b.Channel()
	ch.QueueDeclare("audit", warren.QueueOptions{})
	ch.QueueDeclare("mail", warren.QueueOptions{})
	ch.QueueBind("audit", "#", "amq.topic", nil)
	ch.QueueBind("mail", "order.*", "amq.topic", nil)

	v, _ := b.VirtualHost(warren.DefaultVirtualHost)
	fmt.Println(v.Routes("amq.topic", "order.paid", nil))
	fmt.Println(v.Routes("amq.topic", "other", nil))
	// Output:
	// [audit mail] <nil>
	// [audit] <nil>
}
