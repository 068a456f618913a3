"""Celery with its rpc:// result backend against the broker at AMQP_URL."""

import os
import subprocess
import sys
import time

import celery
import celery.bootsteps
import kombu

CALLS = 1000
REPLY_TO = "amq.rabbitmq.reply-to"

app = celery.Celery("check", broker=os.environ["AMQP_URL"], backend="rpc://")
app.conf.update(task_default_queue="celery.check", worker_hijack_root_logger=False, worker_redirect_stdouts=False,
                broker_connection_retry_on_startup=False, task_queue_max_priority=5,
                broker_transport_options={"confirm_publish": True})


@app.task
def double(n):
    return 2 * n


@app.task(bind=True, max_retries=2)
def stubborn(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def ask(n):
    """n calls of the broker's own process by direct reply-to."""
    got = []
    with app.connection_for_write() as connection:
        channel = connection.channel()
        producer = app.amqp.Producer(channel)
        with kombu.Consumer(channel, kombu.Queue(REPLY_TO), no_ack=True, auto_declare=False, on_message=got.append):
            for i in range(n):
                producer.publish(str(i), routing_key="price", reply_to=REPLY_TO, correlation_id=str(i))
            while len(got) < n:
                connection.drain_events(timeout=20)
    return {m.properties["correlation_id"]: int(m.body) for m in got}


class Doubler(celery.bootsteps.ConsumerStep):
    """The worker serves plain requests beside its tasks."""

    def get_consumers(self, channel):
        queue = kombu.Queue("celery.double", durable=False, auto_delete=True)
        return [kombu.Consumer(channel, [queue], on_message=self.double, prefetch_count=100)]

    def double(self, m):
        kombu.Producer(m.channel).publish(str(2 * int(m.body)), routing_key=m.properties["reply_to"],
                                          correlation_id=m.properties["correlation_id"])
        m.ack()


app.steps["consumer"].add(Doubler)


@app.task
def fail():
    raise ValueError("no such price")


def tasks():
    """Results come to a queue of the caller's own."""
    # One by one: for results that come before they are asked for, Celery waits a second each.
    for i in range(CALLS):
        assert double.delay(i).get(timeout=20) == 2 * i
    try:
        fail.delay().get(timeout=20)
        raise AssertionError("no error")
    except ValueError as e:
        assert str(e) == "no such price"
    assert stubborn.delay().get(timeout=20) == 2
    assert double.apply_async((21,), priority=4).get(timeout=20) == 42
    assert celery.chain(double.s(1), double.s(), double.s())().get(timeout=20) == 8
    assert celery.group(double.s(i) for i in range(10))().join_native(timeout=20) == [2 * i for i in range(10)]
    # A task that has expired is not run.
    late = double.apply_async((1,), countdown=1, expires=0.01)
    try:
        late.get(timeout=20)
        raise AssertionError("no error")
    except celery.exceptions.TaskRevokedError:
        pass


def tasks_with_an_eta():
    """Tasks whose time comes after the test are with the worker, more than it takes at once, and hold up no others."""
    for i in range(20):
        double.apply_async((i,), countdown=3600)
    for i in range(20):
        assert double.delay(i).get(timeout=20) == 2 * i
    assert double.apply_async((21,), countdown=1).get(timeout=20) == 42


def in_process():
    """Calls of the broker's process by the worker, and the other way round."""
    assert ask.delay(CALLS).get(timeout=20) == {str(i): 2 * i for i in range(CALLS)}
    got = []
    with app.connection_for_write() as connection:
        channel = connection.channel()
        with kombu.Consumer(channel, kombu.Queue(REPLY_TO), no_ack=True, auto_declare=False, on_message=got.append):
            for body in f"celery.double {CALLS}", "no request":
                app.amqp.Producer(channel).publish(body, routing_key="caller", reply_to=REPLY_TO)
                while not got:
                    connection.drain_events(timeout=20)
                m = got.pop()
                if body == "no request":
                    assert m.headers["x-warren-error"] == "error", m.headers
                else:
                    assert m.body in ("ok", b"ok"), (m.body, m.headers)


def tasks_by_direct_reply_to():
    """The worker answers tasks by direct reply-to."""
    got = []
    with app.connection_for_write() as connection:
        channel = connection.channel()
        with kombu.Consumer(channel, kombu.Queue(REPLY_TO), no_ack=True, auto_declare=False, accept=["json"],
                            callbacks=[lambda body, m: got.append(body)]):
            producer = app.amqp.Producer(channel)
            ids = [double.apply_async((i,), producer=producer, reply_to=REPLY_TO).id for i in range(CALLS)]
            while len(got) < CALLS:
                connection.drain_events(timeout=20)
    results = {body["task_id"]: body["result"] for body in got}
    assert [results[i] for i in ids] == [2 * n for n in range(CALLS)]


def main():
    start = time.monotonic()
    worker = subprocess.Popen([sys.executable, "-W", "ignore", __file__, "worker"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not app.control.ping(timeout=0.5):
            assert worker.poll() is None and time.monotonic() < start + 20, "the worker does not answer"
        tasks()
        tasks_by_direct_reply_to()
        in_process()
        tasks_with_an_eta()
    finally:
        worker.terminate()
    assert worker.wait(timeout=20) == 0
    print(f"{CALLS} tasks with rpc:// results, {CALLS} by direct reply-to, {CALLS} calls of the broker's process, {CALLS} of its "
          f"calls served: {time.monotonic() - start:.1f} s")


if sys.argv[1:] == ["worker"]:
    app.worker_main(["worker", "--pool", "solo", "--loglevel", "CRITICAL"])
else:
    main()
