package topology

import "maps"

// State is what the records of a log amount to.
type State struct {
	VirtualHosts     map[uint64]*VirtualHost
	Limits           map[uint64]*Limits // by virtual host
	Users            map[uint64]*User
	Permissions      map[PermissionKey]*Permission
	TopicPermissions map[TopicPermissionKey]*TopicPermission
	Policies         map[PolicyKey]*Policy
	Exchanges        map[uint32]*Exchange
	Queues           map[uint32]*Queue
	Bindings         map[uint64]*Binding

	// The highest numbers that any record has, also of what is gone.
	LastID       uint64 // of virtual hosts, users and bindings
	LastStoredID uint32 // of exchanges and queues
}

func newState() *State {
	return &State{
		VirtualHosts:     make(map[uint64]*VirtualHost),
		Limits:           make(map[uint64]*Limits),
		Users:            make(map[uint64]*User),
		Permissions:      make(map[PermissionKey]*Permission),
		TopicPermissions: make(map[TopicPermissionKey]*TopicPermission),
		Policies:         make(map[PolicyKey]*Policy),
		Exchanges:        make(map[uint32]*Exchange),
		Queues:           make(map[uint32]*Queue),
		Bindings:         make(map[uint64]*Binding),
		LastStoredID:     FirstID - 1,
	}
}

func (r *VirtualHost) apply(s *State) {
	s.VirtualHosts[r.ID] = r
	s.used(r.ID)
}

func (r *VirtualHostGone) apply(s *State) {
	delete(s.VirtualHosts, r.ID)
	s.used(r.ID)
}

func (r *Limits) apply(s *State) {
	s.Limits[r.VirtualHost] = r
	s.used(r.VirtualHost)
}

func (r *User) apply(s *State) {
	s.Users[r.ID] = r
	s.used(r.ID)
}

func (r *UserGone) apply(s *State) {
	delete(s.Users, r.ID)
	s.used(r.ID)
}

func (r *Permission) apply(s *State) {
	s.Permissions[r.PermissionKey] = r
	s.used(r.User, r.VirtualHost)
}

func (r *PermissionGone) apply(s *State) { delete(s.Permissions, r.PermissionKey) }

func (r *TopicPermission) apply(s *State) {
	s.TopicPermissions[r.TopicPermissionKey] = r
	s.used(r.User, r.VirtualHost)
}

func (r *TopicPermissionGone) apply(s *State) { delete(s.TopicPermissions, r.TopicPermissionKey) }

func (r *Policy) apply(s *State) {
	s.Policies[r.PolicyKey] = r
	s.used(r.VirtualHost)
}

func (r *PolicyGone) apply(s *State) { delete(s.Policies, r.PolicyKey) }

func (r *Exchange) apply(s *State) {
	s.Exchanges[r.ID] = r
	s.used(r.VirtualHost)
	s.usedStored(r.ID)
}

func (r *ExchangeGone) apply(s *State) {
	delete(s.Exchanges, r.ID)
	s.usedStored(r.ID)
}

func (r *Queue) apply(s *State) {
	s.Queues[r.ID] = r
	s.used(r.VirtualHost)
	s.usedStored(r.ID)
}

func (r *QueueGone) apply(s *State) {
	delete(s.Queues, r.ID)
	s.usedStored(r.ID)
}

func (r *Binding) apply(s *State) {
	s.Bindings[r.ID] = r
	s.used(r.ID, r.VirtualHost)
	s.usedStored(r.Source, r.Destination)
}

func (r *BindingGone) apply(s *State) {
	delete(s.Bindings, r.ID)
	s.used(r.ID)
}

// used notes numbers that no new object may have, because a record refers to them.
func (s *State) used(ids ...uint64) {
	for _, id := range ids {
		s.LastID = max(s.LastID, id)
	}
}

func (s *State) usedStored(ids ...uint32) {
	for _, id := range ids {
		s.LastStoredID = max(s.LastStoredID, id)
	}
}

// settle removes what belongs to something that is gone.
func (s *State) settle() {
	gone := func(vhost uint64) bool { return s.VirtualHosts[vhost] == nil }
	maps.DeleteFunc(s.Limits, func(vhost uint64, _ *Limits) bool { return gone(vhost) })
	maps.DeleteFunc(s.Permissions, func(k PermissionKey, _ *Permission) bool {
		return gone(k.VirtualHost) || s.Users[k.User] == nil
	})
	maps.DeleteFunc(s.TopicPermissions, func(k TopicPermissionKey, _ *TopicPermission) bool {
		return gone(k.VirtualHost) || s.Users[k.User] == nil
	})
	maps.DeleteFunc(s.Policies, func(k PolicyKey, _ *Policy) bool { return gone(k.VirtualHost) })
	maps.DeleteFunc(s.Exchanges, func(_ uint32, x *Exchange) bool { return gone(x.VirtualHost) })
	maps.DeleteFunc(s.Queues, func(_ uint32, q *Queue) bool { return gone(q.VirtualHost) })
	maps.DeleteFunc(s.Bindings, func(_ uint64, b *Binding) bool {
		return gone(b.VirtualHost) || !s.hasExchange(b.Source) ||
			b.ToQueue && s.Queues[b.Destination] == nil || !b.ToQueue && !s.hasExchange(b.Destination)
	})
}

func (s *State) hasExchange(id uint32) bool { return id < FirstID || s.Exchanges[id] != nil }

// Len is the number of objects.
func (s *State) Len() int {
	return len(s.VirtualHosts) + len(s.Limits) + len(s.Users) + len(s.Permissions) + len(s.TopicPermissions) +
		len(s.Policies) + len(s.Exchanges) + len(s.Queues) + len(s.Bindings)
}
