"""pika against the broker at AMQP_URL."""

import datetime
import decimal
import os
import threading
import time

import pika
import pika.exceptions

CALLS = 1000
REPLY_TO = "amq.rabbitmq.reply-to"
params = pika.URLParameters(os.environ["AMQP_URL"])


def connect():
    connection = pika.BlockingConnection(params)
    return connection, connection.channel()


def refusals():
    """A wrong password, and an unknown virtual host."""
    wrong = pika.URLParameters(os.environ["AMQP_URL"])
    wrong.credentials = pika.PlainCredentials(params.credentials.username, "wrong")
    try:
        pika.BlockingConnection(wrong)
        raise AssertionError("a wrong password logs in")
    except pika.exceptions.ProbableAuthenticationError as e:
        assert "(403)" in str(e), e
    unknown = pika.URLParameters(os.environ["AMQP_URL"])
    unknown.virtual_host = "none"
    try:
        pika.BlockingConnection(unknown)
        raise AssertionError("an unknown virtual host is opened")
    except pika.exceptions.ProbableAccessDeniedError as e:
        assert "(530)" in str(e), e


def take(ch, queue, n=1, timeout=10):
    """n messages of a queue, by a consumer."""
    got = []
    for method, properties, body in ch.consume(queue, inactivity_timeout=timeout):
        assert method is not None, f"{len(got)} of {n} messages came"
        ch.basic_ack(method.delivery_tag)
        got.append((method, properties, body))
        if len(got) == n:
            break
    ch.cancel()
    return got


def topology(ch):
    ch.exchange_declare("pika.events", "topic", auto_delete=True)
    queue = ch.queue_declare("", exclusive=True).method.queue
    ch.queue_bind(queue, "pika.events", "order.*.paid")
    ch.basic_publish("pika.events", "order.7.paid", b"paid")
    ch.basic_publish("pika.events", "order.7.made", b"made")
    ((method, _, body),) = take(ch, queue)
    assert (body, method.routing_key, method.exchange) == (b"paid", "order.7.paid", "pika.events")
    assert ch.queue_declare(queue, passive=True).method.message_count == 0
    ch.queue_unbind(queue, "pika.events", "order.*.paid")
    assert ch.queue_purge(queue).method.message_count == 0
    return queue


def confirms_and_returns(ch, queue):
    ch.confirm_delivery()
    for i in range(50):
        ch.basic_publish("", queue, str(i).encode(), mandatory=True)
    assert [int(body) for _, _, body in take(ch, queue, 50)] == list(range(50))
    try:
        ch.basic_publish("", "pika.nowhere", b"back", pika.BasicProperties(message_id="7"), mandatory=True)
        raise AssertionError("nothing came back")
    except pika.exceptions.UnroutableError as e:
        (returned,) = e.messages
        assert returned.method.reply_code == 312 and returned.method.reply_text == "NO_ROUTE"
        assert (returned.body, returned.properties.message_id) == (b"back", "7")


def bodies(ch, queue):
    for size in (0, 1, 1 << 20, 131072 - 8, 131072 - 7):
        body = os.urandom(size)
        ch.basic_publish("", queue, body)
        ((_, _, got),) = take(ch, queue)
        assert got == body, f"a body of {size} bytes"
    ch.basic_publish("", queue, b"")
    method, _, body = ch.basic_get(queue, auto_ack=True)
    assert (method.message_count, body) == (0, b"")
    assert ch.basic_get(queue) == (None, None, None)


def properties(ch, queue):
    headers = {
        "bool": True, "int": -5, "long": 1 << 40, "text": "häuschen", "void": None,
        "list": [1, "two", None, [False]], "table": {"a": {"b": 1}}, "bytes": b"\x00\xff",
        "decimal": decimal.Decimal("12.34"), "time": datetime.datetime(2024, 2, 29, 12, 30),
    }
    sent = pika.BasicProperties(
        content_type="text/plain", content_encoding="utf-8", headers=headers, delivery_mode=2, priority=3,
        correlation_id="c", reply_to="r", expiration="60000", message_id="m", timestamp=1700000000,
        type="t", user_id="clients", app_id="a")
    ch.basic_publish("", queue, b"x", sent)
    ((_, got, _),) = take(ch, queue)
    for name in ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id",
                 "reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id"):
        assert getattr(got, name) == getattr(sent, name), f"{name}: {getattr(got, name)!r}"


def redelivery(ch, queue):
    ch.basic_publish("", queue, b"again")
    method, _, _ = ch.basic_get(queue)
    assert not method.redelivered
    ch.basic_nack(method.delivery_tag, requeue=True)
    method, _, _ = ch.basic_get(queue)
    assert method.redelivered
    ch.basic_reject(method.delivery_tag, requeue=False)
    assert ch.basic_get(queue)[0] is None


def errors(connection):
    ch = connection.channel()
    try:
        ch.queue_declare("pika.nowhere", passive=True)
        raise AssertionError("no error")
    except pika.exceptions.ChannelClosedByBroker as e:
        assert e.reply_code == 404 and e.reply_text == "NOT_FOUND - no queue 'pika.nowhere' in vhost '/'", e
    ch = connection.channel()
    ch.queue_declare("pika.kept", auto_delete=True)
    try:
        ch.queue_declare("pika.kept", auto_delete=True, durable=True)
        raise AssertionError("no error")
    except pika.exceptions.ChannelClosedByBroker as e:
        assert e.reply_code == 406 and "inequivalent arg 'durable' for queue 'pika.kept' in vhost '/'" in e.reply_text, e
    connection.channel().queue_delete("pika.kept")


def direct_calls(ch, queue, n):
    """n calls by direct reply-to."""
    replies = []
    ch.basic_consume(REPLY_TO, lambda _ch, _m, p, body: replies.append((p.correlation_id, body)), auto_ack=True)
    for i in range(n):
        ch.basic_publish("", queue, str(i).encode(), pika.BasicProperties(reply_to=REPLY_TO, correlation_id=str(i)))
        while not replies:
            ch.connection.process_data_events(time_limit=10)
        assert replies.pop() == (str(i), str(2 * i).encode())


def failing_call(ch):
    """The reply of a handler that fails."""
    queue = ch.queue_declare("", exclusive=True).method.queue
    ch.basic_publish("", "price", b"no number", pika.BasicProperties(reply_to=queue, correlation_id="7"))
    ((_, p, body),) = take(ch, queue)
    assert (body, p.correlation_id, p.headers["x-warren-error"]) == (b"", "7", "error"), (body, p)
    assert "no number" in p.headers["x-warren-error-text"], p


def callback_queue_calls(ch, n):
    """n calls with a callback queue, all on their way at once."""
    queue = ch.queue_declare("", exclusive=True).method.queue
    for i in range(n):
        ch.basic_publish("", "price", str(i).encode(), pika.BasicProperties(reply_to=queue, correlation_id=str(i)))
    got = {p.correlation_id: int(body) for _, p, body in take(ch, queue, n)}
    assert got == {str(i): 2 * i for i in range(n)}


def serve(ready, stop):
    """Serves pika.double until stop is set."""
    connection, ch = connect()
    ch.queue_declare("pika.double", auto_delete=True)
    ch.basic_qos(prefetch_count=100)

    def double(ch, method, request, body):
        reply = pika.BasicProperties(correlation_id=request.correlation_id)
        ch.basic_publish("", request.reply_to, str(2 * int(body)).encode(), reply)
        ch.basic_ack(method.delivery_tag)

    ch.basic_consume("pika.double", double)
    ready.set()
    while not stop.is_set():
        connection.process_data_events(time_limit=0.1)
    connection.close()


def serve_calls(ch):
    """Calls of the broker's own process, then of this one, to a server here."""
    ready, stop = threading.Event(), threading.Event()
    server = threading.Thread(target=serve, args=(ready, stop))
    server.start()
    try:
        assert ready.wait(10)
        queue = ch.queue_declare("", exclusive=True).method.queue
        request = pika.BasicProperties(reply_to=queue, correlation_id="in process")
        ch.basic_publish("", "caller", f"pika.double {CALLS}".encode(), request)
        ((_, p, body),) = take(ch, queue, timeout=30)
        assert (body, p.correlation_id) == (b"ok", "in process"), (body, p.headers)
        direct_calls(ch, "pika.double", CALLS)
    finally:
        stop.set()
        server.join()


def main():
    refusals()
    connection, ch = connect()
    queue = topology(ch)
    bodies(ch, queue)
    properties(ch, queue)
    redelivery(ch, queue)
    confirms_and_returns(ch, queue)
    errors(connection)
    failing_call(connection.channel())
    callback_queue_calls(connection.channel(), CALLS)
    direct_calls(connection.channel(), "price", CALLS)
    serve_calls(connection.channel())
    connection.close()


start = time.monotonic()
main()
print(f"{CALLS} calls by a callback queue, {CALLS} by direct reply-to, {CALLS} of the broker's served, {CALLS} of its own: "
      f"{time.monotonic() - start:.1f} s")
