"""aio-pika against the broker at AMQP_URL."""

import asyncio
import datetime
import os
import time

import aio_pika
import aiormq

CALLS = 1000
REPLY_TO = "amq.rabbitmq.reply-to"
URL = os.environ["AMQP_URL"]


async def take(queue, n=1):
    got = []
    async with queue.iterator() as messages:
        async for m in messages:
            await m.ack()
            got.append(m)
            if len(got) == n:
                return got


async def topology(ch):
    events = await ch.declare_exchange("aio.events", aio_pika.ExchangeType.TOPIC, auto_delete=True)
    queue = await ch.declare_queue("", exclusive=True)
    await queue.bind(events, "order.*.paid")
    await events.publish(aio_pika.Message(b"paid"), "order.7.paid")
    (m,) = await take(queue)
    assert (m.body, m.routing_key, m.exchange) == (b"paid", "order.7.paid", "aio.events")
    await queue.unbind(events, "order.*.paid")
    await queue.purge()
    return queue


async def messages(ch, queue):
    for size in (0, 1, 1 << 20, 131072 - 8, 131072 - 7):
        body = os.urandom(size)
        await ch.default_exchange.publish(aio_pika.Message(body), queue.name)
        (m,) = await take(queue)
        assert m.body == body, f"a body of {size} bytes"
    assert await queue.get(fail=False) is None
    # No negative integer: this client hangs when it encodes one that is small. No
    # decimal: it makes a text of one.
    when = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)
    headers = {"yes": True, "byte": 5, "short": 300, "unsigned": 60000, "int": 70000, "long": 1 << 40, "float": 1.5,
               "text": "häuschen", "nothing": None, "list": [1, "two", [3]], "table": {"a": {"b": 1}},
               "time": when.replace(tzinfo=None), "bytes": bytearray(b"\x00\xff")}
    sent = aio_pika.Message(
        b"x", headers=headers, content_type="text/plain", content_encoding="utf-8", delivery_mode=2, priority=3,
        correlation_id="c", reply_to="r", expiration=60, message_id="m", timestamp=when, type="t", user_id="clients",
        app_id="a")
    await ch.default_exchange.publish(sent, queue.name)
    (got,) = await take(queue)
    for name in ("headers", "content_type", "content_encoding", "delivery_mode", "priority", "correlation_id",
                 "reply_to", "expiration", "message_id", "type", "user_id", "app_id"):
        assert getattr(got, name) == getattr(sent, name), f"{name}: {getattr(got, name)!r}"
    await ch.default_exchange.publish(aio_pika.Message(b"again"), queue.name)
    m = await queue.get()
    assert not m.redelivered
    await m.nack(requeue=True)
    m = await queue.get()
    assert m.redelivered
    await m.reject()
    assert await queue.get(fail=False) is None


async def returns(connection):
    ch = await connection.channel(publisher_confirms=True, on_return_raises=True)
    try:
        await ch.default_exchange.publish(aio_pika.Message(b"back"), "aio.nowhere", mandatory=True)
        raise AssertionError("nothing came back")
    except aio_pika.exceptions.DeliveryError as e:
        assert e.message.delivery.reply_code == 312 and e.message.body == b"back"
    await ch.close()


async def errors(connection):
    ch = await connection.channel()
    try:
        await ch.declare_queue("aio.nowhere", passive=True)
        raise AssertionError("no error")
    except aiormq.exceptions.ChannelNotFoundEntity as e:
        assert "NOT_FOUND - no queue 'aio.nowhere' in vhost '/'" in str(e), e
    ch = await connection.channel()
    await ch.declare_queue("aio.kept", auto_delete=True)
    try:
        await ch.declare_queue("aio.kept", auto_delete=True, durable=True)
        raise AssertionError("no error")
    except aiormq.exceptions.ChannelPreconditionFailed as e:
        assert "inequivalent arg 'durable' for queue 'aio.kept' in vhost '/'" in str(e), e
    ch = await connection.channel()
    await ch.queue_delete("aio.kept")


async def calls(ch, name, replies, n):
    """n calls at once; replies come to a queue or to the pseudo-queue."""
    waiting = {str(i): asyncio.get_running_loop().create_future() for i in range(n)}
    queue = await ch.get_queue(replies, ensure=False)
    await queue.consume(lambda m: waiting[m.correlation_id].set_result(m.body), no_ack=True)
    for i in range(n):
        request = aio_pika.Message(str(i).encode(), reply_to=replies, correlation_id=str(i))
        await ch.default_exchange.publish(request, name)
    for i, reply in enumerate(await asyncio.wait_for(asyncio.gather(*waiting.values()), 20)):
        assert reply == str(2 * i).encode(), (i, reply)


async def failing_call(ch):
    """The reply of a handler that fails."""
    queue = await ch.declare_queue("", exclusive=True)
    request = aio_pika.Message(b"no number", reply_to=queue.name, correlation_id="7")
    await ch.default_exchange.publish(request, "price")
    (m,) = await take(queue)
    assert (m.body, m.correlation_id, m.headers["x-warren-error"]) == (b"", "7", "error"), (m.body, m.headers)
    assert "no number" in m.headers["x-warren-error-text"], m.headers


async def serve_calls(connection):
    """Calls of the broker's own process, then of this one, to a server here."""
    async with await aio_pika.connect(URL) as other:
        server = await other.channel()
        await server.set_qos(100)
        queue = await server.declare_queue("aio.double", auto_delete=True)

        async def double(m):
            async with m.process():
                reply = aio_pika.Message(str(2 * int(m.body)).encode(), correlation_id=m.correlation_id)
                await server.default_exchange.publish(reply, m.reply_to)

        await queue.consume(double)
        ch = await connection.channel()
        answers = await ch.declare_queue("", exclusive=True)
        request = aio_pika.Message(f"aio.double {CALLS}".encode(), reply_to=answers.name)
        await ch.default_exchange.publish(request, "caller")
        (m,) = await take(answers)
        assert m.body == b"ok", m.headers
        ch = await connection.channel()
        await calls(ch, "aio.double", REPLY_TO, CALLS)


async def main():
    async with await aio_pika.connect(URL) as connection:
        ch = await connection.channel()
        queue = await topology(ch)
        await messages(ch, queue)
        await returns(connection)
        await errors(connection)
        ch = await connection.channel()
        await failing_call(ch)
        callback = await ch.declare_queue("", exclusive=True)
        await calls(ch, "price", callback.name, CALLS)
        await calls(await connection.channel(publisher_confirms=False), "price", REPLY_TO, CALLS)
        await serve_calls(connection)


start = time.monotonic()
asyncio.run(main())
print(f"{CALLS} calls by a callback queue, {CALLS} by direct reply-to, {CALLS} of the broker's served, {CALLS} of its own: "
      f"{time.monotonic() - start:.1f} s")
