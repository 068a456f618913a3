"""kombu (and py-amqp below it) against the broker at AMQP_URL."""

import datetime
import decimal
import os
import time

import kombu

CALLS = 1000
REPLY_TO = "amq.rabbitmq.reply-to"


def collect(connection, consumer, n, got):
    with consumer:
        while len(got) < n:
            connection.drain_events(timeout=10)
    return got


def take(connection, queue, n=1):
    got = []
    consumer = kombu.Consumer(connection.channel(), queue, accept=["json"])
    consumer.register_callback(lambda body, m: (got.append((body, m)), m.ack()))
    return collect(connection, consumer, n, got)


def topology(connection, producer):
    events = kombu.Exchange("kombu.events", "topic", durable=False, auto_delete=True)
    queue = kombu.Queue("kombu.paid", events, "order.*.paid", durable=False)
    queue(connection.channel()).declare()
    for what in ("made", "paid"):
        producer.publish({"order": what}, exchange=events, routing_key=f"order.7.{what}", serializer="json",
                         headers={"list": [1, None, "x"], "table": {"a": True}}, expiration=60, priority=3)
    ((body, m),) = take(connection, queue)
    assert body == {"order": "paid"}
    assert m.headers == {"list": [1, None, "x"], "table": {"a": True}}, m.headers
    assert m.properties["priority"] == 3 and m.properties["expiration"] == "60000"
    return queue


def bodies(connection, producer, queue):
    for size in (0, 1, 1 << 20, 131072 - 8, 131072 - 7):
        body = os.urandom(size)
        producer.publish(body, routing_key=queue.name, content_type="application/data", content_encoding="binary")
        ((got, _),) = take(connection, queue)
        assert bytes(got or b"") == body, f"a body of {size} bytes"
    assert queue(connection.channel()).get() is None


def headers(connection, producer, queue):
    sent = {
        "bool": True, "int": -5, "long": 1 << 40, "negative": -1 << 40, "float": 1.5, "text": "häuschen", "void": None,
        "list": [1, "two", None, [False]], "table": {"a": {"b": 1}}, "decimal": decimal.Decimal("12.34"),
        "time": datetime.datetime(2024, 2, 29, 12, 30),
    }
    producer.publish("x", routing_key=queue.name, serializer="json", headers=sent)
    ((_, m),) = take(connection, queue)
    got = dict(m.headers)
    got["time"] = got["time"].replace(tzinfo=None)
    assert got == sent, got


def redelivery(connection, producer, queue):
    producer.publish("again", routing_key=queue.name, serializer="json")
    bound = queue(connection.channel())
    m = bound.get()
    assert not m.delivery_info["redelivered"]
    m.requeue()
    m = bound.get()
    assert m.delivery_info["redelivered"]
    m.reject()
    assert bound.get() is None


def returns(connection, queue):
    returned = []
    producer = kombu.Producer(connection.channel(), on_return=lambda *args: returned.append(args))
    producer.publish("back", routing_key="kombu.nowhere", mandatory=True, retry=False)
    while not returned:
        connection.drain_events(timeout=10)
    e, exchange, key, _ = returned[0]
    assert (e.reply_code, exchange, key) == (312, "", "kombu.nowhere"), returned


def errors(connection):
    try:
        kombu.Queue("kombu.nowhere", channel=connection.channel()).queue_declare(passive=True)
        raise AssertionError("no error")
    except connection.channel_errors as e:
        assert e.reply_code == 404 and "no queue 'kombu.nowhere' in vhost '/'" in e.reply_text, e
    kombu.Queue("kombu.kept", channel=connection.channel(), durable=False, auto_delete=True).queue_declare()
    try:
        kombu.Queue("kombu.kept", channel=connection.channel(), durable=True, auto_delete=True).queue_declare()
        raise AssertionError("no error")
    except connection.channel_errors as e:
        assert e.reply_code == 406 and "inequivalent arg 'durable' for queue 'kombu.kept'" in e.reply_text, e
    connection.channel().queue_delete("kombu.kept")


def calls(connection, ch, name, replies, n, serve=lambda: None):
    """n calls; replies come to a queue or to the pseudo-queue."""
    got = []
    consumer = kombu.Consumer(ch, kombu.Queue(replies), no_ack=True, auto_declare=False, on_message=got.append)
    producer = kombu.Producer(ch)
    with consumer:
        for i in range(n):
            producer.publish(str(i), routing_key=name, reply_to=replies, correlation_id=str(i))
            serve()
            while not got:
                connection.drain_events(timeout=10)
            m = got.pop()
            assert (m.properties["correlation_id"], bytes(m.body if isinstance(m.body, bytes) else m.body.encode())) == (
                str(i), str(2 * i).encode())


def failing_call(connection):
    """The reply of a handler that fails."""
    queue = kombu.Queue("kombu.failed", durable=False, exclusive=True)
    queue(connection.channel()).declare()
    kombu.Producer(connection.channel()).publish("no number", routing_key="price", reply_to=queue.name, correlation_id="7")
    ((_, m),) = take(connection, queue)
    assert (m.properties["correlation_id"], m.headers["x-warren-error"]) == ("7", "error"), (m.properties, m.headers)
    assert "no number" in m.headers["x-warren-error-text"], m.headers


def serve_calls(connection, other):
    """Calls of the broker's own process, then of this one, to a server here."""
    ch = other.channel()
    producer = kombu.Producer(ch)
    served = []

    def double(m):
        producer.publish(str(2 * int(m.body)), routing_key=m.properties["reply_to"],
                         correlation_id=m.properties["correlation_id"])
        m.ack()
        served.append(m)

    queue = kombu.Queue("kombu.double", durable=False, auto_delete=True)
    with kombu.Consumer(ch, queue, on_message=double, prefetch_count=100):
        answers = kombu.Queue("kombu.answers", durable=False, exclusive=True)
        answers(connection.channel()).declare()
        kombu.Producer(connection.channel()).publish(f"kombu.double {CALLS}", routing_key="caller", reply_to="kombu.answers")
        while len(served) < CALLS:
            other.drain_events(timeout=10)
        ((body, m),) = take(connection, answers)
        assert body in ("ok", b"ok"), (body, m.headers)
        calls(connection, connection.channel(), "kombu.double", REPLY_TO, CALLS,
              lambda: other.drain_events(timeout=10))


def main():
    url = os.environ["AMQP_URL"]
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection, kombu.Connection(url) as other:
        producer = connection.Producer()
        queue = topology(connection, producer)
        bodies(connection, producer, queue)
        headers(connection, producer, queue)
        redelivery(connection, producer, queue)
        returns(connection, queue)
        queue(connection.channel()).delete()
        errors(connection)
        failing_call(connection)
        callback = kombu.Queue("kombu.callback", durable=False, exclusive=True)
        callback(connection.channel()).declare()
        calls(connection, connection.channel(), "price", "kombu.callback", CALLS)
        calls(connection, connection.channel(), "price", REPLY_TO, CALLS)
        serve_calls(connection, other)


start = time.monotonic()
main()
print(f"{CALLS} calls by a callback queue, {CALLS} by direct reply-to, {CALLS} of the broker's served, {CALLS} of its own: "
      f"{time.monotonic() - start:.1f} s")
