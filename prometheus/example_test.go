package prometheus_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/prometheus"
)

func ExampleNewCollector() {
	b := warren.New(nil)
	defer b.Close()
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewCollector(b, nil))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "warren_virtual_hosts") {
			fmt.Print(line)
		}
	}
	// Output: warren_virtual_hosts 1
}
