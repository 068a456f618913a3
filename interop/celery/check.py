"""Celery with its rpc:// result backend against the broker at AMQP_URL."""

import os
import subprocess
import sys
import time

import celery
import kombu

CALLS = 1000
REPLY_TO = "amq.rabbitmq.reply-to"

app = celery.Celery("check", broker=os.environ["AMQP_URL"], backend="rpc://")
app.conf.update(task_default_queue="celery.check", worker_hijack_root_logger=False, worker_redirect_stdouts=False,
                broker_connection_retry_on_startup=False, task_queue_max_priority=5)


@app.task
def double(n):
    return 2 * n


@app.task(bind=True, max_retries=2)
def stubborn(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


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


def direct():
    """The worker answers requests by direct reply-to."""
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
        direct()
    finally:
        worker.terminate()
    assert worker.wait(timeout=20) == 0
    print(f"ok, {time.monotonic() - start:.1f} s")


if sys.argv[1:] == ["worker"]:
    app.worker_main(["worker", "--pool", "solo", "--loglevel", "CRITICAL"])
else:
    main()
