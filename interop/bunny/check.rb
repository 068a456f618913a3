# Bunny against the broker at AMQP_URL.
require 'bunny'

CALLS = 1000
REPLY_TO = 'amq.rabbitmq.reply-to'

def check(what, ok)
  raise "wrong: #{what}" unless ok
end

def connect
  Bunny.new(ENV.fetch('AMQP_URL'), recover_from_connection_close: false, automatically_recover: false).start
end

# turned_away connects with a change, and gives what it raises.
def turned_away(change)
  uri = URI.parse(ENV.fetch('AMQP_URL'))
  Bunny.new({ host: uri.host, port: uri.port, user: uri.user, pass: uri.password, recover_from_connection_close: false,
              automatically_recover: false, log_level: Logger::FATAL }.merge(change)).start
  raise 'wrong: it is let in'
rescue Bunny::Exception => e
  e
end

# A wrong password, and an unknown virtual host.
def refusals
  e = turned_away(pass: 'wrong')
  check "403: #{e.inspect}", e.is_a?(Bunny::AuthenticationFailureError)
  e = turned_away(vhost: 'none')
  check "530: #{e.inspect}", e.is_a?(Bunny::NotAllowedError)
end

# take gives n messages of a queue, by a consumer.
def take(queue, n = 1)
  got = Queue.new
  consumer = queue.subscribe(manual_ack: true) do |delivery, properties, body|
    queue.channel.ack(delivery.delivery_tag)
    got << [delivery, properties, body]
  end
  Array.new(n) { got.pop }.tap { consumer.cancel }
end

def topology(ch)
  events = ch.topic('bunny.events', auto_delete: true)
  queue = ch.queue('', exclusive: true).bind(events, routing_key: 'order.*.paid')
  events.publish('made', routing_key: 'order.7.made')
  events.publish('paid', routing_key: 'order.7.paid')
  delivery, _, body = take(queue).first
  check 'binding', body == 'paid' && delivery.routing_key == 'order.7.paid' && delivery.exchange == 'bunny.events'
  check 'message count', queue.message_count.zero?
  queue.unbind(events, routing_key: 'order.*.paid')
  queue.purge
  queue
end

def bodies(ch, queue)
  [0, 1, 1 << 20, 131_072 - 8, 131_072 - 7].each do |size|
    body = Random.bytes(size)
    ch.default_exchange.publish(body, routing_key: queue.name)
    check "body of #{size} bytes", take(queue).first[2].to_s.b == body
  end
  check 'get of nothing', queue.pop == [nil, nil, nil]
end

def properties(ch, queue)
  headers = {
    'yes' => true, 'no' => false, 'int' => -5, 'long' => 1 << 40, 'float' => 1.5, 'text' => 'house',
    'nothing' => nil, 'time' => Time.at(1_700_000_000), 'list' => [1, 'two', [3]], 'table' => { 'a' => { 'b' => 1 } }
  }
  sent = {
    content_type: 'text/plain', content_encoding: 'utf-8', headers: headers, delivery_mode: 2, priority: 3,
    correlation_id: 'c', reply_to: 'r', expiration: '60000', message_id: 'm', timestamp: 1_700_000_000,
    type: 't', user_id: 'clients', app_id: 'a'
  }
  ch.default_exchange.publish('x', sent.merge(routing_key: queue.name))
  got = take(queue).first[1]
  sent.each { |name, value| check "#{name} is #{got[name].inspect}", (name == :timestamp ? got[name].to_i : got[name]) == value }
end

def confirms_and_returns(ch, queue)
  ch.confirm_select
  100.times { |i| ch.default_exchange.publish(i.to_s, routing_key: queue.name, mandatory: true) }
  check 'confirms', ch.wait_for_confirms && ch.nacked_set.empty?
  check 'order', take(queue, 100).map { |m| m[2].to_i } == (0...100).to_a
  returned = Queue.new
  exchange = ch.default_exchange
  exchange.on_return { |info, properties, body| returned << [info, properties, body] }
  exchange.publish('back', routing_key: 'bunny.nowhere', mandatory: true, message_id: '7')
  info, properties, body = returned.pop
  check 'return', info.reply_code == 312 && info.reply_text == 'NO_ROUTE' && body == 'back' && properties.message_id == '7'
  check 'confirm of a return', ch.wait_for_confirms
end

def redelivery(ch, queue)
  ch.default_exchange.publish('again', routing_key: queue.name)
  delivery, = queue.pop(manual_ack: true)
  check 'first', !delivery.redelivered?
  ch.nack(delivery.delivery_tag, false, true)
  delivery, = queue.pop(manual_ack: true)
  check 'second', delivery.redelivered?
  ch.reject(delivery.delivery_tag, false)
  check 'rejected', queue.pop[0].nil?
end

def refused(connection, error, text)
  yield connection.create_channel
rescue error => e
  check "text #{e.message}", e.message.include?(text)
else
  raise "no #{error}"
end

def errors(connection)
  refused(connection, Bunny::NotFound, "NOT_FOUND - no queue 'bunny.nowhere' in vhost '/'") do |ch|
    ch.queue('bunny.nowhere', passive: true)
  end
  connection.create_channel.queue('bunny.kept', auto_delete: true)
  refused(connection, Bunny::PreconditionFailed, "inequivalent arg 'durable' for queue 'bunny.kept' in vhost '/'") do |ch|
    ch.queue('bunny.kept', auto_delete: true, durable: true)
  end
  connection.create_channel.queue_delete('bunny.kept')
end

def direct_calls(ch, name)
  replies = Queue.new
  consumer = Bunny::Consumer.new(ch, REPLY_TO, '', true)
  consumer.on_delivery { |_, properties, body| replies << [properties.correlation_id, body] }
  ch.basic_consume_with(consumer)
  CALLS.times do |i|
    ch.default_exchange.publish(i.to_s, routing_key: name, reply_to: REPLY_TO, correlation_id: i.to_s)
    check "reply #{i}", replies.pop == [i.to_s, (2 * i).to_s]
  end
end

def callback_queue_calls(ch)
  queue = ch.queue('', exclusive: true)
  CALLS.times { |i| ch.default_exchange.publish(i.to_s, routing_key: 'price', reply_to: queue.name, correlation_id: i.to_s) }
  got = take(queue, CALLS).to_h { |_, properties, body| [properties.correlation_id, body.to_i] }
  check 'replies', got == (0...CALLS).to_h { |i| [i.to_s, 2 * i] }
end

# failing_call is one whose handler fails.
def failing_call(ch)
  queue = ch.queue('', exclusive: true)
  ch.default_exchange.publish('no number', routing_key: 'price', reply_to: queue.name, correlation_id: '7')
  _, properties, body = take(queue).first
  check 'failure', body.to_s.empty? && properties.correlation_id == '7' && properties.headers['x-warren-error'] == 'error'
  check 'text of a failure', properties.headers['x-warren-error-text'].include?('no number')
end

# serve_calls answers calls of the broker's own process, then of this one.
def serve_calls(ch)
  other = connect
  server = other.create_channel
  server.prefetch(100)
  server.queue('bunny.double', auto_delete: true).subscribe(manual_ack: true) do |delivery, properties, body|
    server.default_exchange.publish((2 * body.to_i).to_s, routing_key: properties.reply_to, correlation_id: properties.correlation_id)
    server.ack(delivery.delivery_tag)
  end
  queue = ch.queue('', exclusive: true)
  ch.default_exchange.publish("bunny.double #{CALLS}", routing_key: 'caller', reply_to: queue.name)
  _, properties, body = take(queue).first
  check "calls: #{properties.headers}", body == 'ok'
  direct_calls(ch, 'bunny.double')
  other.close
end

start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
Thread.abort_on_exception = true
refusals
connection = connect
ch = connection.create_channel
queue = topology(ch)
bodies(ch, queue)
properties(ch, queue)
redelivery(ch, queue)
confirms_and_returns(ch, queue)
errors(connection)
failing_call(connection.create_channel)
callback_queue_calls(connection.create_channel)
direct_calls(connection.create_channel, 'price')
serve_calls(connection.create_channel)
connection.close
printf("%<n>d calls by a callback queue, %<n>d by direct reply-to, %<n>d of the broker's served, %<n>d of its own: %<t>.1f s\n",
       n: CALLS, t: Process.clock_gettime(Process::CLOCK_MONOTONIC) - start)
