"""pika, with W3C trace context in headers, against otel/internal/traced at AMQP_URL."""

import json
import os
import secrets
import time

import pika

REPLY_TO = "amq.rabbitmq.reply-to"


def context():
    """A trace id, a span id and the headers that say so."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, {"traceparent": f"00-{trace}-{span}-01", "baggage": "user=7"}


def parse(headers):
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, flags) == ("00", "01"), headers
    return trace, span


class Client:
    def __init__(self):
        self.connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
        self.ch = self.connection.channel()
        self.replies = []
        self.ch.basic_consume(REPLY_TO, lambda _ch, _method, properties, body: self.replies.append((properties, body)), auto_ack=True)

    def wait(self, ready):
        end = time.monotonic() + 10
        while not ready():
            assert time.monotonic() < end, "it did not come"
            self.connection.process_data_events(time_limit=0.1)

    def ask(self, queue, body, headers=None):
        self.ch.basic_publish("", queue, body, pika.BasicProperties(reply_to=REPLY_TO, correlation_id="c", headers=headers))
        self.wait(lambda: self.replies)
        return self.replies.pop()

    def spans(self, n):
        """n spans of the broker, by name. The last ones may end after what they sent has come."""
        got = {}
        def more():
            for s in json.loads(self.ask("spans", b"")[1]):
                assert s["name"] not in got, s
                got[s["name"]] = s
            return len(got) >= n
        self.wait(more)
        assert len(got) == n, got
        return got


def call(c):
    trace, span, headers = context()
    properties, body = c.ask("price", b"21", headers)
    assert body == b"42", body
    spans = c.spans(2)
    process, reply = spans["process price"], spans["reply price"]
    assert process["trace"] == reply["trace"] == trace, spans
    assert process["parent"] == span, spans
    assert reply["parent"] == process["id"], spans
    assert reply["links"] == [span], spans
    assert parse(properties.headers) == (trace, reply["id"]), properties.headers


def job(c):
    trace, span, headers = context()
    done = []
    c.ch.basic_consume("done", lambda _ch, _method, properties, body: done.append((properties, body)), auto_ack=True)
    c.ch.basic_publish("", "jobs", b"work", pika.BasicProperties(headers=headers))
    c.wait(lambda: done)
    ((properties, body),) = done
    assert body == b"work", body
    spans = c.spans(2)
    assert spans["process jobs"]["parent"] == span, spans
    assert spans["publish done"]["parent"] == spans["process jobs"]["id"], spans
    assert parse(properties.headers) == (trace, spans["publish done"]["id"]), properties.headers
    assert properties.headers["baggage"] == "user=7", properties.headers


def served(c):
    """The broker's program calls a server here."""
    trace, span, headers = context()
    queue = c.ch.queue_declare("", exclusive=True).method.queue
    requests = []

    def serve(ch, _method, properties, body):
        requests.append(properties)
        ch.basic_publish("", properties.reply_to, str(2 * int(body)).encode(), pika.BasicProperties(correlation_id=properties.correlation_id))

    c.ch.basic_consume(queue, serve, auto_ack=True)
    _, body = c.ask("caller", queue.encode(), headers)
    assert body == b"42", body
    (properties,) = requests
    spans = c.spans(3)
    asked = spans["call " + queue]
    assert asked["trace"] == trace and asked["parent"] == spans["process caller"]["id"], spans
    assert spans["process caller"]["parent"] == span, spans
    assert parse(properties.headers) == (trace, asked["id"]), properties.headers
    assert properties.headers["baggage"] == "user=7", properties.headers


def hostile(c):
    """Headers that are no trace context do no harm."""
    for headers in (None, {"traceparent": 7}, {"traceparent": "00-" + "z" * 1000}, {"traceparent": {"a": []}, "baggage": "=;,"}):
        properties, body = c.ask("price", b"1", headers)
        assert body == b"2", body
        spans = c.spans(2)
        assert spans["process price"]["parent"] == "0" * 16, spans
        assert parse(properties.headers)[0] == spans["process price"]["trace"]


client = Client()
call(client)
job(client)
served(client)
hostile(client)
client.connection.close()
print("ok")
