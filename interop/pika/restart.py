"""pika before and after a restart of the broker at AMQP_URL.

restart.py leave makes things, restart.py found looks for them after an orderly
restart, and restart.py crashed after a crash.
"""

import os
import sys
import time

import pika
import pika.exceptions

MESSAGES = 1000
DELAY = 1000  # milliseconds
NAME = "pika.restart"
ARGUMENTS = {"x-max-priority": 3, "x-message-ttl": 3600000}
params = pika.URLParameters(os.environ["AMQP_URL"])


def sent(i):
    """The properties of message i."""
    return pika.BasicProperties(
        content_type="text/plain", content_encoding="utf-8", headers={"number": i, "list": [1, "two", None], "table": {"a": {"b": True}}},
        delivery_mode=2, priority=0, correlation_id=f"c{i}", reply_to="r", expiration="3600000", message_id=f"m{i}", timestamp=1700000000,
        type="t", user_id=params.credentials.username, app_id="a")


def leave(connection, ch):
    ch.exchange_declare(NAME, "topic", durable=True)
    ch.queue_declare(NAME, durable=True, arguments=ARGUMENTS)
    ch.queue_bind(NAME, NAME, "order.#")
    ch.exchange_declare(NAME + ".passing", "fanout")
    ch.queue_declare(NAME + ".passing")
    ch.confirm_delivery()
    for i in range(MESSAGES):
        ch.basic_publish(NAME, f"order.{i}", str(i).encode(), sent(i), mandatory=True)
    ch.basic_publish(NAME, "order.transient", b"transient", pika.BasicProperties(delivery_mode=1), mandatory=True)
    ch.basic_publish("", NAME + ".passing", b"passing", pika.BasicProperties(delivery_mode=2), mandatory=True)

    # Message 0 is acked, 1 and 2 come back.
    reader = connection.channel()
    method, _, _ = reader.basic_get(NAME)
    reader.basic_ack(method.delivery_tag)
    reader.basic_get(NAME)
    reader.basic_get(NAME)
    reader.close()

    ch.exchange_declare(NAME + ".delayed", "x-delayed-message", durable=True, arguments={"x-delayed-type": "fanout"})
    ch.queue_declare(NAME + ".delayed", durable=True)
    ch.queue_bind(NAME + ".delayed", NAME + ".delayed")
    for delay in (DELAY, DELAY // 2):
        ch.basic_publish(NAME + ".delayed", "", str(delay).encode(), pika.BasicProperties(delivery_mode=2, headers={"x-delay": delay}))

    ch.queue_declare(NAME + ".stream", durable=True, arguments={"x-queue-type": "stream"})
    for i in range(100):  # its confirms come after the acks, so these are on disk, too
        ch.basic_publish("", NAME + ".stream", str(i).encode(), sent(i))


def gone(connection, what, declare):
    try:
        declare(connection.channel())
        raise AssertionError(f"{what} is still there")
    except pika.exceptions.ChannelClosedByBroker as e:
        assert e.reply_code == 404, e


def found(connection, ch, crashed):
    gone(connection, "the transient exchange", lambda ch: ch.exchange_declare(NAME + ".passing", passive=True))
    gone(connection, "the transient queue", lambda ch: ch.queue_declare(NAME + ".passing", passive=True))
    ch.exchange_declare(NAME, "topic", durable=True)
    assert ch.queue_declare(NAME, durable=True, arguments=ARGUMENTS).method.message_count == MESSAGES - 1

    for i in range(1, MESSAGES):
        method, properties, body = ch.basic_get(NAME)
        assert method, f"message {i} is not there"
        assert (method.exchange, method.routing_key, body) == (NAME, f"order.{i}", str(i).encode()), (method, body)
        assert properties.__dict__ == sent(i).__dict__, properties
        assert method.redelivered == (crashed or i <= 2), f"message {i}: redelivered is {method.redelivered}"
        assert method.message_count == MESSAGES - 1 - i
        ch.basic_ack(method.delivery_tag)
    assert ch.basic_get(NAME)[0] is None, "a transient message is still there"
    ch.confirm_delivery()
    ch.basic_publish(NAME, "order.new", b"new", mandatory=True)  # the binding is there
    assert not ch.basic_get(NAME, auto_ack=True)[0].redelivered

    deadline = time.monotonic() + 10
    for delay in (DELAY // 2, DELAY):
        while (got := ch.basic_get(NAME + ".delayed", auto_ack=True))[0] is None:
            assert time.monotonic() < deadline, "a delayed message has not come"
            time.sleep(0.01)
        assert got[2] == str(delay).encode(), got

    reader = connection.channel()
    reader.basic_qos(prefetch_count=10)
    offset = 0
    for method, properties, body in reader.consume(NAME + ".stream", arguments={"x-stream-offset": "first"}, inactivity_timeout=10):
        assert method, f"the stream has {offset} messages"
        assert (body, properties.headers.pop("x-stream-offset")) == (str(offset).encode(), offset), properties
        assert properties.__dict__ == sent(offset).__dict__, properties
        reader.basic_ack(method.delivery_tag)
        offset += 1
        if offset == 100:
            break
    reader.close()

    for name in (NAME, NAME + ".delayed"):
        ch.exchange_delete(name)
    for name in (NAME, NAME + ".delayed", NAME + ".stream"):
        ch.queue_delete(name)


connection = pika.BlockingConnection(params)
if sys.argv[1] == "leave":
    leave(connection, connection.channel())
else:
    found(connection, connection.channel(), sys.argv[1] == "crashed")
connection.close()
