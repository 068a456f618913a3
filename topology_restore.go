package warren

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/password"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/topology"
)

// restorer makes what is on disk when a broker is opened. Nobody else uses the broker
// but queues that are made, which may have messages that expire. The locks of all virtual
// hosts are held. Limits, names and permissions are not looked at again: what
// exists stays, also if [Options] have become stricter.
type restorer struct {
	broker    *Broker
	state     *topology.State
	vhosts    map[uint64]*VirtualHost
	users     map[uint64]*account
	exchanges map[uint32]*declaredExchange
	queues    map[uint32]*declaredQueue
	problems  []error
}

// restore makes what is on disk, or puts there what every broker has. It fails with an error for each object that cannot be
// made; with [Options].Salvage these are left out and logged.
func (b *Broker) restore(s *topology.State) error {
	if len(s.VirtualHosts) == 0 { // the directory is new
		b.begin()
		return nil
	}
	r := &restorer{
		broker: b, state: s,
		vhosts: make(map[uint64]*VirtualHost), users: make(map[uint64]*account),
		exchanges: make(map[uint32]*declaredExchange, len(s.Exchanges)),
		queues:    make(map[uint32]*declaredQueue, len(s.Queues)),
	}
	b.mu.Lock()
	r.accounts()
	b.mu.Unlock()
	for _, v := range r.vhosts {
		v.mu.Lock() // until all is there, so that nothing expires or is dead-lettered before
		defer v.mu.Unlock()
	}
	for k, p := range s.Policies {
		r.check(r.policy(p), "policy '%s' in vhost '%s'", k.Name, s.VirtualHosts[k.VirtualHost].Name)
	}
	r.makeRoom()
	for _, x := range s.Exchanges {
		r.check(r.exchange(x), "exchange '%s' in vhost '%s'", x.Name, s.VirtualHosts[x.VirtualHost].Name)
	}
	for _, q := range s.Queues {
		r.check(r.queue(q), "queue '%s' in vhost '%s'", q.Name, s.VirtualHosts[q.VirtualHost].Name)
	}
	// Their order counts for exchanges of type x-consistent-hash.
	for _, x := range slices.SortedFunc(maps.Values(s.Bindings), func(x, y *topology.Binding) int { return cmp.Compare(x.ID, y.ID) }) {
		r.check(r.binding(x), "a binding with the key '%s' in vhost '%s'", x.Key, s.VirtualHosts[x.VirtualHost].Name)
	}
	for id, l := range s.Limits {
		r.vhosts[id].limits = VirtualHostLimits{MaxConnections: int(l.MaxConnections), MaxQueues: int(l.MaxQueues)}
	}
	return errors.Join(r.problems...)
}

// check notes why an object cannot be made.
func (r *restorer) check(err error, object string, args ...any) {
	if err == nil {
		return
	}
	object = fmt.Sprintf(object, args...)
	if r.broker.options.Salvage {
		r.broker.log.Warn("an object of the store was left out", "object", object, "error", err)
		return
	}
	r.problems = append(r.problems, fmt.Errorf("%s cannot be made again: %w", object, err))
}

// makeRoom makes the maps of queues as large as they will be.
func (r *restorer) makeRoom() {
	queues := make(map[uint64]int)
	for _, q := range r.state.Queues {
		queues[q.VirtualHost]++
	}
	for id, n := range queues {
		r.vhosts[id].queues = make(map[string]*declaredQueue, n)
	}
}

// accounts makes virtual hosts, users and permissions. The broker's lock is held.
func (r *restorer) accounts() {
	b := r.broker
	for id, h := range r.state.VirtualHosts {
		v := b.vhosts[h.Name]
		if v == nil {
			v = newVirtualHost(b, h.Name)
			b.vhosts[h.Name] = v
		}
		v.id, r.vhosts[id] = id, v
	}
	b.users = make(map[string]*account, len(r.state.Users))
	for id, u := range r.state.Users {
		p, err := storedPassword(u)
		r.check(err, "the password of user '%s'", u.Name)
		b.passwords.Add(p)
		a := &account{id: id, name: u.Name, tags: u.Tags, password: p, grants: make(map[*VirtualHost]*grant)}
		b.users[u.Name], r.users[id] = a, a
	}
	for k, p := range r.state.TopicPermissions {
		r.topicPermission(r.users[k.User], r.vhosts[k.VirtualHost], p)
	}
	for k, p := range r.state.Permissions {
		u, v := r.users[k.User], r.vhosts[k.VirtualHost]
		g, err := newGrant(Permissions{Configure: p.Configure, Write: p.Write, Read: p.Read})
		r.check(err, "the permissions of user '%s' in vhost '%s'", u.name, v.name)
		if err == nil {
			u.setGrant(v, g)
		}
	}
}

// topicPermission makes a user's topic permissions for an exchange. If they are left out,
// the user may use no routing key there.
func (r *restorer) topicPermission(u *account, v *VirtualHost, s *topology.TopicPermission) {
	p := TopicPermissions{Exchange: s.Exchange, Write: s.Write, Read: s.Read}
	g, err := newTopicGrant(p, u.name, v.name)
	r.check(err, "the topic permissions of user '%s' for exchange '%s' in vhost '%s'", u.name, s.Exchange, v.name)
	if err != nil {
		g = &topicGrant{TopicPermissions: p}
	}
	u.setTopics(v, u.topics[v].with(p.Exchange, g))
}

// storedPassword returns a user's password. It is nil if the user has none.
func storedPassword(u *topology.User) (*password.Password, error) {
	switch {
	case u.Hash == "":
		return nil, nil
	case u.Algorithm == "":
		return password.ParseOwn(u.Hash)
	}
	return password.ParseForeign(u.Hash, u.Algorithm)
}

func (r *restorer) policy(p *topology.Policy) error {
	v, kind := r.vhosts[p.VirtualHost], userPolicy
	if p.Operator {
		kind = operatorPolicy
	}
	q := Policy{Name: p.Name, Pattern: p.Pattern, ApplyTo: ApplyTo(p.ApplyTo), Priority: int(p.Priority), Definition: p.Definition}
	fresh, problem := newPolicy(r.broker.like, kind, q)
	if problem != "" { // perhaps the broker was like another one
		fresh, problem = newPolicy(like.Warren(), kind, q)
	}
	if problem != "" {
		return errors.New(problem)
	}
	v.policies[kind] = v.policies[kind].replace(nil, fresh)
	return nil
}

func (r *restorer) exchange(s *topology.Exchange) error {
	v := r.vhosts[s.VirtualHost]
	kind := ExchangeType(s.Type)
	if kind != DelayedMessage && !isExchangeType(kind) {
		return fmt.Errorf("unknown exchange type '%s'", kind)
	}
	x, err := v.newExchange(s.Name, kind, ExchangeOptions{Durable: true, AutoDelete: s.AutoDelete, Internal: s.Internal, Args: s.Args})
	if err != nil {
		return err
	}
	x.id = s.ID
	r.broker.topology.openDelays(x)
	held := argumentsHeld(x.args)
	x.held.Hold(&r.broker.queues.Memory, exchangeHeld+int64(len(s.Name))+held)
	x.light = held <= lightArguments
	v.addExchange(x)
	r.exchanges[s.ID] = x
	return nil
}

func (r *restorer) queue(s *topology.Queue) error {
	v := r.vhosts[s.VirtualHost]
	if p := argument.CheckQueue(like.Warren(), s.Args); p != nil {
		return fmt.Errorf("invalid arg '%s': %s", p.Arg, p.Text)
	}
	held := argumentsHeld(s.Args)
	var m memory.Reservation
	m.Hold(&r.broker.queues.Memory, queueHeld+int64(len(s.Name))+held)
	q := v.newQueue(s.Name, &QueueOptions{Durable: true, AutoDelete: s.AutoDelete, Args: s.Args}, m, s.ID)
	q.light = held <= lightArguments
	v.queues[s.Name] = q
	r.queues[s.ID] = q
	return nil
}

func (r *restorer) binding(s *topology.Binding) error {
	v := r.vhosts[s.VirtualHost]
	from := r.exchangeOf(v, s.Source)
	id := route.BindingKey{Key: s.Key, Args: table.Canonical(s.Args)}
	if s.ToQueue {
		if q := r.queues[s.Destination]; q != nil {
			id.Queue = &q.Queue
		}
	} else if x := r.exchangeOf(v, s.Destination); x != nil {
		id.Exchange = &x.Exchange
	}
	if from == nil || id.Queue == nil && id.Exchange == nil {
		return errors.New("its exchange or queue is missing")
	}
	if from.Binding(id) != nil || id.Queue != nil && id.Queue.Gone.Load() {
		return nil
	}
	b := &route.Binding{BindingKey: id, Source: &from.Exchange, Args: s.Args, ID: s.ID}
	b.Held.Hold(&r.broker.queues.Memory, bindingSize(from.routingType(), s.Key, id.Args, table.Size(s.Args)))
	route.Bind(b)
	return nil
}

// recoverDelayed lets durable exchanges load what they kept back when the last broker
// ended, and release it in time. Everything is there that it may be routed to.
func (b *Broker) recoverDelayed() {
	for _, v := range b.vhosts {
		for _, x := range v.exchanges {
			if d := x.delays(); d != nil {
				d.Recover()
			}
		}
	}
}

// exchangeOf returns the exchange with a number, or nil.
func (r *restorer) exchangeOf(v *VirtualHost, id uint32) *declaredExchange {
	if id >= topology.FirstID {
		return r.exchanges[id]
	}
	for _, x := range v.exchanges {
		if x.id == id && id != 0 {
			return x
		}
	}
	return nil
}
