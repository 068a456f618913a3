package store

import "github.com/warrenmq/warren/internal/journal"

// guessIndex makes an index when that is lost: all page files count, and all that is in
// them lives.
func (r *recoverer) guessIndex(damage *journal.DamagedError) (*index, error) {
	return nil, damage
}

// salvagePage makes a new page file of what can be read of a damaged one.
func (r *recoverer) salvagePage(damage *journal.DamagedError) error {
	return damage
}

// lostContent passes over a message whose content was in another record that is not
// there.
func (r *recoverer) lostContent(p *place, of name) error { return errShort }

// knows reports whether a message is in a page file, or was.
func (l *lane) knows(pos uint64) bool { return l.find(pos) != nil }
