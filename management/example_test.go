package management_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/management"
)

func ExampleNewHandler() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	defer srv.Close()
	if err := srv.Listen("127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}

	h := management.NewHandler(b, &management.Options{Servers: []*amqp.Server{srv}})
	mux := http.NewServeMux() // of the program
	mux.Handle("/broker/", http.StripPrefix("/broker", h))

	web := httptest.NewServer(mux)
	defer web.Close()
	r, err := http.NewRequest(http.MethodPut, web.URL+"/broker/api/queues/%2F/jobs", nil)
	if err != nil {
		log.Fatal(err)
	}
	r.SetBasicAuth("guest", "guest")
	answer, err := web.Client().Do(r)
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(answer.Status)
	// Output: 201 Created
}
