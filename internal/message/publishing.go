package message

import "github.com/warrenmq/warren/internal/table"

// Publishing is a checked message on its way to the queues.
type Publishing struct {
	Entry
	Mandatory bool
	Immediate bool
	Extra     []string // further routing keys, from the headers CC and BCC
	Hidden    []string // those of Extra that nobody gets to see
	Deadline  int64    // when it expires by its own expiration; zero: never
}

// HideKeys keeps the hidden keys with the message's content.
func (p *Publishing) HideKeys() {
	if len(p.Hidden) > 0 {
		p.Content = &Blind{p.Content, p.Hidden}
	}
}

// TakeKeys takes further routing keys from the headers CC and BCC, and returns
// the headers without BCC. A header of another form than a list is named, with
// what it is; then nothing is taken.
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
