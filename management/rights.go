package management

func rightsRoutes() []route {
	return []route{{path: "warren/rights", access: everyUser, get: (*call).rights}}
}

// rights shows the permissions of the user who asks: by them a page knows what it need
// not offer. RabbitMQ shows permissions to administrators only.
func (c *call) rights() error {
	return c.object(func(f *fields) {
		f.str("name", c.user.Name)
		if !f.beginList("permissions") {
			return
		}
		for _, v := range c.broker.VirtualHosts() {
			p, ok := v.Permissions(c.user.Name)
			if c.user.everywhere {
				p.Configure, p.Write, p.Read, ok = ".*", ".*", ".*", true
			}
			if !ok {
				continue
			}
			f.open()
			writePermission(f, &permission{p, c.user.Name, v.Name()})
			f.close()
		}
		f.endList()
	})
}
