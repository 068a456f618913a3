package message

import "github.com/warrenmq/warren/internal/table"

// Publishing is a checked message on its way to the queues.
type Publishing struct {
	Entry
	Mandatory bool
	Immediate bool
	Shared    bool     // it goes to several queues that are on disk, which then store its body once
	Extra     []string // further routing keys, from the headers CC and BCC
	Hidden    []string // those of Extra that no consumer sees, from BCC
	Tally     *Tally   // the queue that takes it counts it there; nil: nowhere
	Deadline  int64    // when it expires by its property expiration, on the broker's clock; zero: never

	// For a broker with a directory.
	Stored Stored // where its body is already; zero: nowhere
	Synced uint64 // number of the record that a confirm waits for; zero: it waits for nothing
}

// Stored is where the store already has a message of several queues.
type Stored struct {
	Pos        uint64
	Queue      uint32
	Generation uint32
}

// HideKeys puts the hidden keys into the content, if there are any.
func (p *Publishing) HideKeys() {
	if len(p.Hidden) > 0 {
		p.Content = &Blind{p.Content, p.Hidden}
	}
}

// TakeKeys sets Extra and Hidden from the headers CC and BCC, and returns the
// headers without BCC. If one of the two is no list, it returns its name and
// value as bad and v.
func (p *Publishing) TakeKeys(headers table.Table) (rest table.Table, bad string, v any) {
	for _, name := range [...]string{"CC", "BCC"} {
		v, ok := headers[name]
		if !ok {
			continue
		}
		list, ok := v.([]any)
		if !ok {
			return nil, name, v
		}
		visible := len(p.Extra)
		for _, k := range list {
			if s, ok := k.(string); ok {
				p.Extra = append(p.Extra, s)
			}
		}
		if name == "BCC" {
			p.Hidden = p.Extra[visible:]
			headers = table.Clone(headers)
			delete(headers, name)
		}
	}
	return headers, "", nil
}

// TakeKeysAgain sets Extra and Hidden of a message that was published before. The headers
// are those of its content.
func (p *Publishing) TakeKeysAgain(headers table.Table) {
	p.TakeKeys(headers) // they were checked by the publish
	if b, ok := p.Content.(*Blind); ok {
		p.Extra, p.Hidden = append(p.Extra, b.Keys...), b.Keys
	}
}
