package files

// Port lets a test kit come between a broker and its directory. The options of a broker
// embed it. Users cannot use it, because its types are in an internal package.
type Port struct{ link Link }

// Link returns what there is between the broker and its directory, which may be changed.
func (p *Port) Link() *Link { return &p.link }

// Link is what there is between a broker and its directory. The zero value is nothing.
type Link struct{ Between Between }

// Between makes the directory that the broker uses from the one that was opened.
type Between interface{ Put(Dir) Dir }
