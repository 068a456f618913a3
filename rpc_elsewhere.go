package warren

// sendElsewhere sends the request of a call to another broker. Answers come to the call's
// address, as from any server that is not in this process.
func (v *VirtualHost) sendElsewhere(p *publishing, c *call) error {
	slot, round := c.slot, c.round
	p.HideKeys() // the other broker has to send to them
	e := p.Entry // only a copy leaves the caller's stack
	return v.elsewhere.Send(c.caller, &e, p.Immediate, func(err error) { slot.fail(round, err) })
}

// forget says that nobody waits for answers at an address any more.
func (v *VirtualHost) forget(address string) {
	if v.elsewhere != nil {
		v.elsewhere.Forget(address)
	}
}
