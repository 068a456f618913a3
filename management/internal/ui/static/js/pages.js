// All pages, by the first part of their path and the number of parts that follow it.
import * as channel from './pages/channel.js'
import channels from './pages/channels.js'
import * as connection from './pages/connection.js'
import connections from './pages/connections.js'
import consumers from './pages/consumers.js'
import * as definitions from './pages/definitions.js'
import * as events from './pages/events.js'
import * as exchange from './pages/exchange.js'
import exchanges from './pages/exchanges.js'
import * as overview from './pages/overview.js'
import * as policies from './pages/policies.js'
import * as queue from './pages/queue.js'
import queues from './pages/queues.js'
import * as rpc from './pages/rpc.js'
import * as topology from './pages/topology.js'
import * as user from './pages/user.js'
import users from './pages/users.js'
import * as vhost from './pages/vhost.js'
import vhosts from './pages/vhosts.js'

// A page has a title, load (asks the server), view (makes nodes of the answer), and if
// it wants to, shown (after the first drawing) and still (it is not refreshed).
export const pages = {
  'overview/0': overview,
  'topology/0': topology,
  'rpc/0': rpc,
  'queues/0': queues,
  'queues/2': queue,
  'exchanges/0': exchanges,
  'exchanges/2': exchange,
  'connections/0': connections,
  'connections/1': connection,
  'channels/0': channels,
  'channels/1': channel,
  'consumers/0': consumers,
  'policies/0': policies,
  'vhosts/0': vhosts,
  'vhosts/1': vhost,
  'users/0': users,
  'users/1': user,
  'definitions/0': definitions,
  'events/0': events,
}
