"""Calls and streams between pika and the program interop/talk, whose broker is at AMQP_URL.

Each side calls the other and serves it: go.* are the other's queues, py.* are those of
this one, and try.* lets the other call py.*. The protocol is in warren_rpc.py.
"""

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
import time

import pika

from warren_rpc import DEADLINE, Lost, Peer, RemoteError

HERE = os.path.dirname(os.path.abspath(__file__))
params = pika.URLParameters(os.environ["AMQP_URL"])
endings = queue.Queue()  # how streams of py.endless and py.waiting have ended


# What is served here.

def double(request, _items):
    return b"%d" % (2 * int(request.body))


def squares(request, _items):
    return (b"%d" % (n * n) for n in range(int(request.body)))


def running(_request, items):
    total = 0
    for item in items:
        total += int(item)
        yield b"%d" % total


def total(_request, items):
    return b"%d" % sum(map(int, items))


def broken(_request, _items):
    yield b"1"
    yield b"2"
    raise RemoteError("sold out", "no more")


def endless(_request, _items):
    try:
        for n in itertools.count():
            yield b"%d" % (n + 1)
    finally:
        endings.put(b"stopped after %d" % n)


def waiting(_request, _items):
    try:
        for n in itertools.count():
            time.sleep(0.01)
            yield b"still here"
    finally:
        endings.put(b"stopped after %d" % n)


def dying(_request, _items):
    yield b"1"
    yield b"2"
    os.kill(os.getpid(), signal.SIGKILL)


def metadata(request, _items):
    return f"{request.properties.message_id} {request.headers['lang']}".encode()


def failing(_request, _items):
    raise RemoteError("busy", "come again")


def durable(request, _items):
    assert request.properties.delivery_mode == 2 and request.properties.message_id, request
    assert 0 < request.headers[DEADLINE] / 1000 - time.time() < 30, request
    return double(request, ())


def ending(_request, _items):
    return endings.get(timeout=10)


@contextlib.contextmanager
def served(**handlers):
    """Serves queues py.* in a thread, meanwhile."""
    ready, stop = threading.Event(), threading.Event()

    def serve():
        peer = Peer(params)
        for name, handler in handlers.items():
            declare = {"durable": True} if name == "durable" else {}
            peer.serve("py." + name.replace("_", "."), handler, **declare)
        ready.set()
        peer.run(stop.is_set)
        peer.connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def process(name):
    """Serves a queue py.* in a process of its own, which is killed by its handler."""
    child = subprocess.Popen([sys.executable, __file__, name], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"ready\n"
        yield child
        assert child.wait(10) == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()


def serve_process(name):
    peer = Peer(params)
    declare = {"durable": True} if name == "durable" else {}
    peer.serve("py." + name, dying_at_once if name == "durable" else dying, **declare)
    print("ready", flush=True)
    peer.run()


def dying_at_once(_request, _items):
    os.kill(os.getpid(), signal.SIGKILL)


# What is called here.

def fails(code, answers):
    """Requires that a stream or call fails at the other side, and gives the items before that."""
    items = []
    try:
        for item in answers:
            items.append(item)
    except RemoteError as e:
        assert e.code == code, e
        return items
    raise AssertionError(f"no failure after {items}")


def numbers(n):
    return (b"%d" % i for i in range(1, n + 1))


def call(peer):
    assert peer.call("go.double", b"21") == b"42"
    fails("codec", (peer.call(q, b"no number") for q in ["go.double"]))
    assert peer.call("go.who", headers={"lang": "de"}, message_id="m1") == b"guest false de m1"
    try:
        peer.call("go.nowhere")
        raise AssertionError("there is no such queue")
    except Lost:
        pass
    began = time.monotonic()
    try:
        peer.call("go.slow", timeout=0.3)
        raise AssertionError("the deadline does not count")
    except TimeoutError:
        pass
    except RemoteError as e:  # the other side is first
        assert e.code == "timeout", e
    assert time.monotonic() - began < 5


def stream(peer):
    assert [*peer.stream("go.squares", b"1000")] == [b"%d" % (n * n) for n in range(1000)]
    assert [*peer.stream("go.squares", b"100", window=1)] == [b"%d" % (n * n) for n in range(100)]
    assert [*peer.stream("go.squares", b"0")] == []
    assert [*peer.stream("go.double", b"21")] == [b"42"], "a plain handler gives one item"
    assert fails("sold out", peer.stream("go.broken")) == [b"1", b"2"]
    assert fails("codec", peer.stream("go.squares", b"no number")) == []
    try:
        peer.call("go.squares", b"3")
        raise AssertionError("a plain call gets a stream")
    except RemoteError as e:
        assert e.code, e


def stream_both_ways(peer):
    assert [*peer.stream("go.running", items=numbers(1000))][-1] == b"500500"
    assert [*peer.stream("go.total", items=numbers(1000))] == [b"500500"]
    assert [*peer.stream("go.total", items=[])] == [b"0"]

    def items():
        yield b"1"
        raise RemoteError("no more", "of these")

    fails("no more", peer.stream("go.running", items=items()))


def leave(peer):
    """Leaves a stream, which then ends at the other side, not far ahead."""
    answers = peer.stream("go.endless", window=4)
    assert [*itertools.islice(answers, 20)] == [b"%d" % n for n in range(1, 21)]
    answers.close()
    sent, why = peer.call("go.ending", timeout=10).split(b" ", 1)
    assert 20 <= int(sent) <= 24 and why == b"context canceled", (sent, why)

    answers = peer.stream("go.endless", timeout=0.3, window=1)
    next(answers)
    time.sleep(0.5)
    sent, why = peer.call("go.ending", timeout=10).split(b" ", 1)
    assert why == b"context deadline exceeded", why
    answers.close()

    other = Peer(params)
    answers = other.stream("go.endless")
    next(answers)
    other.connection.close()  # without a cancel
    sent, why = peer.call("go.ending", timeout=10).split(b" ", 1)
    assert why == b"context canceled", why


def between_two_of_pika(peer):
    assert [*peer.stream("py.squares", b"1000")] == [b"%d" % (n * n) for n in range(1000)]
    assert [*peer.stream("py.running", items=numbers(1000))][-1] == b"500500"
    assert fails("sold out", peer.stream("py.broken")) == [b"1", b"2"]


def tried(peer, *names):
    for name in names:
        try:
            assert peer.call("try." + name, timeout=30) == b"ok"
        except RemoteError as e:
            raise AssertionError(f"try.{name}: {e}") from None


def serve(peer):
    with served(double=double, squares=squares, running=running, total=total, broken=broken, metadata=metadata,
                failing=failing, endless=endless, waiting=waiting), served(ending=ending):
        between_two_of_pika(peer)
        tried(peer, "squares", "running", "total", "broken", "plain", "failing", "leave", "window", "metadata", "deadline")
    with process("dying"):
        tried(peer, "lost")


def many(peer):
    """Three queues of an exchange get a request: one is served, one fails, and nobody serves the third."""
    peer.channel.exchange_declare("py.offers", "fanout", auto_delete=True)
    with served(offers_1=double, offers_2=failing):
        for n in "123":
            peer.channel.queue_declare("py.offers." + n, auto_delete=True)
            peer.channel.queue_bind("py.offers." + n, "py.offers")
        tried(peer, "many")
        peer.channel.queue_delete("py.offers.3")


def durable_call(peer):
    """A server is killed with a request, and another one, which comes later, answers it."""
    with process("durable") as child:
        done = threading.Event()

        def after():
            child.wait()
            with served(durable=durable):
                done.wait()

        thread = threading.Thread(target=after)
        thread.start()
        try:
            tried(peer, "durable")
        finally:
            done.set()
            thread.join()
    peer.channel.queue_delete("py.durable")


def examples(peer):
    """The programs of the docs: one calls go.squares, and its output is known; the other serves a queue."""
    out = subprocess.run([sys.executable, HERE + "/caller.py", "go.squares", "100"], capture_output=True, timeout=20, check=True)
    assert out.stdout.split() == [b"%d" % (n * n) for n in range(100)], out
    out = subprocess.run([sys.executable, HERE + "/caller.py", "go.broken", ""], capture_output=True, timeout=20)
    assert (out.stdout, out.returncode, out.stderr) == (b"1\n2\n", 1, b"sold out: no more\n"), out
    server = subprocess.Popen([sys.executable, HERE + "/server.py", "py.words"], stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline() == b"serving\n"
        tried(peer, "words")
    finally:
        server.kill()
        server.wait()


def main():
    start = time.monotonic()
    peer = Peer(params)
    call(peer)
    stream(peer)
    stream_both_ways(peer)
    leave(peer)
    serve(peer)
    many(peer)
    durable_call(peer)
    examples(peer)
    peer.connection.close()
    print(f"calls and streams both ways, as caller and as server: {time.monotonic() - start:.1f} s")


if len(sys.argv) > 1:
    serve_process(sys.argv[1])
else:
    main()
