package message

// Bounded is the content of a message with a reply_to, from a user who may not publish
// everywhere. Who answers it does what the user asks for, so the reply goes only where the
// user could have published it.
type Bounded struct {
	Content
	User    string
	Session any // the publisher's; nil: the message was on disk
}

// Edited implements Content.
func (b *Bounded) Edited(e Edit) Content { return &Bounded{b.Content.Edited(e), b.User, b.Session} }
