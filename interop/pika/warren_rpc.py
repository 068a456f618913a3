"""Calls and streams of answers by pika, as caller and as server: docs/protocol.md has the protocol."""

import collections
import time
import uuid

import pika

REPLY_TO = "amq.rabbitmq.reply-to"
STREAM, STREAM_IN, CREDIT, CANCEL = "x-warren-stream", "x-warren-stream-in", "x-warren-credit", "x-warren-cancel"
ITEM, END, ERROR, TEXT, DEADLINE = "x-warren-item", "x-warren-end", "x-warren-error", "x-warren-error-text", "x-warren-deadline"
SILENCE = 5  # seconds after which the other side is asked whether it is there
Request = collections.namedtuple("Request", "body headers properties")


class RemoteError(Exception):
    """A failure that the other side is told, or has told: a code for programs, a text for people."""

    def __init__(self, code, text=""):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Lost(Exception):
    """The other side has gone, or there was none."""


class Cancelled(Exception):
    """The caller wants no more items."""


class Talk:
    """A call, at one of its sides. Both send what they have and read what the other sends."""

    def __init__(self, peer, correlation_id, to, credit, deadline):
        self.peer, self.correlation_id, self.to, self.credit, self.deadline = peer, correlation_id, to, credit, deadline
        self.inbox, self.failure, self.heard, self.ended = collections.deque(), None, time.monotonic(), False

    def came(self, properties, body):
        headers, self.heard = properties.headers or {}, time.monotonic()
        self.to = self.to or properties.reply_to  # the server's first message tells its address
        if properties.reply_to not in (None, self.to):
            self.failure = Lost("the server was lost, and another one begins anew")
        elif CANCEL in headers:
            self.failure = Cancelled()
        else:
            self.credit += headers.get(CREDIT, 0)
            if CREDIT not in headers or ITEM in headers or END in headers:
                self.inbox.append((headers, body))

    def send(self, headers, body=b""):
        self.peer.publish("", self.to, body, correlation_id=self.correlation_id, headers=headers)

    def wait(self):
        """Waits for a message, and fails if none can come."""
        if self.failure:
            raise self.failure
        left = SILENCE if self.deadline is None else min(SILENCE, self.deadline - time.time())
        if left <= 0:
            raise TimeoutError("the deadline of the call is over")
        self.peer.work(left)
        if self.to and time.monotonic() - self.heard >= SILENCE:
            self.heard = time.monotonic()
            self.send({CREDIT: 0})  # it is returned if nobody is there

    def read(self, window, sender=iter(())):
        """Yields the items of the other side, which may be window items ahead. Meanwhile sender sends."""
        received, half = 0, max(1, window // 2)
        while True:
            while not self.inbox:
                if not next(sender, False):
                    self.wait()
            headers, body = self.inbox.popleft()
            self.ended = ITEM not in headers
            if headers.get(END, received) != received or headers.get(ITEM, received + 1) != received + 1:
                raise Lost(f"out of order: after {received} items came {headers}")
            if ERROR in headers:
                raise RemoteError(headers[ERROR], headers.get(TEXT, ""))
            if END in headers:
                return
            yield body
            if self.ended:  # a plain reply
                return
            received += 1
            if received % half == 0:
                self.send({CREDIT: half})

    def sender(self, bodies):
        """Sends items, then the end. It yields after each step whether it has sent something."""
        sent, end = 0, {}
        try:
            while not self.to:
                yield False
            for body in bodies:
                while self.credit == 0:
                    yield False
                if self.failure:
                    raise self.failure
                self.credit, sent = self.credit - 1, sent + 1
                self.send({ITEM: sent}, body)
                yield True
        except Exception as e:
            end = failure(e)
            raise
        finally:
            getattr(bodies, "close", lambda: None)()  # a generator ends at its yield
            self.send({END: sent, **end})


def failure(e):
    """The headers that tell an exception. What is no RemoteError is told by no more than a code."""
    code = "timeout" if isinstance(e, TimeoutError) else getattr(e, "code", "error")
    return {} if isinstance(e, Cancelled) else {ERROR: code, TEXT: getattr(e, "text", "the handler failed")}


class Peer:
    """A connection by which to call and to serve. It is for one thread, and serves one request at a time."""

    def __init__(self, parameters):
        self.connection = pika.BlockingConnection(parameters)
        self.channel = self.connection.channel()
        self.name, self.calls, self.talks, self.requests = uuid.uuid4().hex, 0, {}, collections.deque()
        self.channel.basic_qos(prefetch_count=1)
        self.channel.add_on_return_callback(self._returned)
        self.channel.basic_consume(REPLY_TO, self._came, auto_ack=True)

    def call(self, queue, body=b"", **options):
        """Sends a request and returns the reply. Options are as those of stream."""
        return next(self.stream(queue, body, window=0, **options))

    def stream(self, queue, body=b"", items=None, timeout=None, window=64, **properties):
        """Sends a request, and items if there are any, and yields the answers, which may be window items
        ahead. A timeout is in seconds. Properties are those of pika.BasicProperties."""
        self.calls += 1
        correlation_id, deadline, headers = f"{self.name}.{self.calls}", None, dict(properties.pop("headers", {}))
        if window > 0:
            headers.update({STREAM: window} if items is None else {STREAM: window, STREAM_IN: True})
        if timeout is not None:
            deadline = time.time() + timeout
            headers[DEADLINE] = int(deadline * 1000)
        talk = self.talks[correlation_id] = Talk(self, correlation_id, None, 0, deadline)
        sender = (nothing for nothing in ()) if items is None else talk.sender(items)
        try:
            self.publish("", queue, body, correlation_id=correlation_id, headers=headers, **properties)
            yield from talk.read(window, sender)
        finally:
            sender.close()
            del self.talks[correlation_id]
            if not talk.ended:
                talk.send({CANCEL: True})

    def serve(self, queue, handler, **declare):
        """Lets run answer requests by handler(request, items). If it returns bytes, they are the reply,
        else the bytes that it yields are a stream of them."""
        self.channel.queue_declare(queue, **declare or {"auto_delete": True})
        self.channel.basic_consume(queue, lambda *request: self.requests.append((handler, *request)))

    def run(self, until=lambda: False):
        while not until():
            self.work(0.1)
            while self.requests:
                self._answer(*self.requests.popleft())

    def work(self, seconds):
        self.connection.process_data_events(time_limit=seconds)

    def publish(self, exchange, key, body, **properties):
        if key and self.channel.is_open:  # a request may come without an address
            self.channel.basic_publish(exchange, key, body, pika.BasicProperties(reply_to=REPLY_TO, **properties), mandatory=True)

    def _answer(self, handler, channel, method, properties, body):
        headers = properties.headers or {}
        deadline = headers[DEADLINE] / 1000 if DEADLINE in headers else None
        key = properties.reply_to, properties.correlation_id
        talk = self.talks[key] = Talk(self, properties.correlation_id, properties.reply_to, headers.get(STREAM, 0), deadline)
        window, sender = 64 if headers.get(STREAM_IN) else 0, None
        try:
            if STREAM in headers:
                talk.send({CREDIT: window})
            answer = handler(Request(body, headers, properties), talk.read(window) if window else ())
            if isinstance(answer, bytes):
                talk.send({}, answer)
            elif STREAM not in headers:
                raise RemoteError("stream", "the answers are a stream, which a plain call cannot get")
            else:
                sender = talk.sender(answer)
                for sent in sender:
                    try:
                        self.work(0) if sent else talk.wait()
                    except Exception as e:
                        sender.throw(e)
        except Exception as e:
            if sender is None:  # else it has told
                talk.send({END: 0, **failure(e)})
        channel.basic_ack(method.delivery_tag)
        del self.talks[key]

    def _came(self, _channel, _method, properties, body):
        talk = self._talk(properties, properties.reply_to)
        if talk:
            talk.came(properties, body)
        elif str(properties.correlation_id).startswith(self.name) and END not in (properties.headers or {}):
            headers = {CANCEL: True}  # the call has been given up before it was served
            self.publish("", properties.reply_to, b"", correlation_id=properties.correlation_id, headers=headers)

    def _returned(self, _channel, method, properties, _body):
        talk = self._talk(properties, method.routing_key)
        if talk:
            talk.failure = Lost(f"nobody is there: {method.routing_key}")

    def _talk(self, properties, other):
        return self.talks.get((other, properties.correlation_id)) or self.talks.get(properties.correlation_id)
