package main

func Example() {
	main()
	// Unordered output:
	// orders: tea for ann@example.org is order 1 and costs 450
	// orders: cup for slow@example.org is order 2 and costs 1200
	// orders: cup for dead@example.org is order 3 and costs 1200
	// orders: tea for nobody is order 4 and costs 450
	// orders: refused: warren: the handler failed: unknown-article: cat is not for sale
	// mails:  order 1 to ann@example.org, at attempt 1
	// mails:  not sent: order 4: "nobody" is no address, after 1 attempts
	// mails:  order 2 to slow@example.org, at attempt 3
	// mails:  not sent: order 3: the server does not answer, after 3 attempts
	// shop:   closed, nothing is left
}
