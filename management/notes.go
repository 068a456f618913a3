package management

import (
	"cmp"
	"crypto/rand"
	"slices"
	"sync"

	"github.com/warrenmq/warren"
)

// vhostNote is what people write about a virtual host. The broker has no use for it; it
// is kept as long as the handler.
type vhostNote struct {
	description      string
	tags             []string
	defaultQueueType string
	tracing          bool
}

// notes has what the API keeps for people and their tools, and the broker does not know.
type notes struct {
	mu      sync.Mutex
	vhosts  map[*warren.VirtualHost]vhostNote
	globals map[string]any // global parameters
	plugins map[pluginKey]any

	limits sync.Mutex // held while a limit of a virtual host changes
}

func newNotes() *notes {
	return &notes{
		vhosts:  make(map[*warren.VirtualHost]vhostNote),
		globals: map[string]any{clusterIDParameter: "warren-" + rand.Text()},
		plugins: make(map[pluginKey]any),
	}
}

func (n *notes) vhost(v *warren.VirtualHost) vhostNote {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.vhosts[v]
}

// setVHost keeps a note.
func (n *notes) setVHost(b *warren.Broker, v *warren.VirtualHost, note vhostNote) {
	n.forget(b)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.vhosts[v] = note
}

// forget drops what is kept of virtual hosts that do not exist any more.
func (n *notes) forget(b *warren.Broker) {
	exists := make(map[*warren.VirtualHost]bool)
	for _, v := range b.VirtualHosts() {
		exists[v] = true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for v := range n.vhosts {
		if !exists[v] {
			delete(n.vhosts, v)
		}
	}
	for k := range n.plugins {
		if !exists[k.vhost] {
			delete(n.plugins, k)
		}
	}
}

// pluginKey names a parameter of one of pluginComponents.
type pluginKey struct {
	vhost           *warren.VirtualHost
	component, name string
}

func (n *notes) pluginsOf(v *warren.VirtualHost) []parameter {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []parameter
	for k, value := range n.plugins {
		if k.vhost == v {
			list = append(list, parameter{component: k.component, vhost: v.Name(), name: k.name, value: value})
		}
	}
	slices.SortFunc(list, func(a, b parameter) int {
		return cmp.Or(cmp.Compare(a.component, b.component), cmp.Compare(a.name, b.name))
	})
	return list
}

// setPlugin keeps a parameter and reports whether it is new.
func (n *notes) setPlugin(k pluginKey, value any) (isNew bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, exists := n.plugins[k]
	if err := checkNote(k.name, value, len(n.plugins), exists); err != nil {
		return false, err
	}
	n.plugins[k] = value
	return !exists, nil
}

func (n *notes) removePlugin(k pluginKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.plugins, k)
}

// Bounds of parameters of each kind that are kept.
const (
	maxNotes     = 1000
	maxNoteBytes = 64 << 10
)

func checkNote(name string, value any, count int, exists bool) error {
	switch {
	case name == "" || len(name) > 255:
		return badRequest("a parameter's name has 1 to 255 bytes")
	case len(appendJSON(nil, value)) > maxNoteBytes:
		return badRequest("the value has more than %d bytes", maxNoteBytes)
	case !exists && count >= maxNotes:
		return badRequest("there are %d such parameters, which is the limit", maxNotes)
	}
	return nil
}

// clusterNameParameter is the global parameter that has the name of the cluster.
const clusterNameParameter = "cluster_name"

// clusterIDParameter is the one that tells clusters of the same name apart.
const clusterIDParameter = "internal_cluster_id"

// global is a global parameter.
type global struct {
	name  string
	value any
}

func writeGlobal(f *fields, g *global) {
	f.str("name", g.name)
	f.any("value", g.value)
}

// all returns the global parameters, sorted by name.
func (n *notes) all() []global {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []global
	for _, name := range sortedKeys(n.globals) {
		list = append(list, global{name, n.globals[name]})
	}
	return list
}

func (n *notes) global(name string) (any, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.globals[name]
	return v, ok
}

// set sets a global parameter and reports whether it is new.
func (n *notes) set(name string, value any) (isNew bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, exists := n.globals[name]
	if err := checkNote(name, value, len(n.globals), exists); err != nil {
		return false, err
	}
	n.globals[name] = value
	return !exists, nil
}
