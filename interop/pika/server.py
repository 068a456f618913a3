"""Serves a queue: each request is answered by a stream of the words in it: server.py QUEUE"""

import os
import sys

import pika

channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
streams = {}  # by the caller's address


def send(request, headers, body=b""):
    properties = pika.BasicProperties(
        reply_to="amq.rabbitmq.reply-to", correlation_id=request.correlation_id, headers=headers)
    channel.basic_publish("", request.reply_to, body, properties)


def requested(_channel, method, request, body):
    streams[request.reply_to] = {"request": request, "tag": method.delivery_tag, "words": body.split(), "sent": 0}
    send(request, {"x-warren-credit": 0})  # so that the caller knows this server's address
    go_on(request.reply_to, request.headers["x-warren-stream"])


def came(_channel, _method, message, _body):
    if message.reply_to in streams:
        if "x-warren-cancel" in message.headers:
            streams[message.reply_to]["words"].clear()
        go_on(message.reply_to, message.headers.get("x-warren-credit", 0))


def go_on(caller, credit):
    """Sends as many items as there is credit for, and the end after the last."""
    s = streams[caller]
    s["credit"] = s.get("credit", 0) + credit
    while s["words"] and s["credit"] > 0:
        s["credit"] -= 1
        s["sent"] += 1
        send(s["request"], {"x-warren-item": s["sent"]}, s["words"].pop(0))
    if not s["words"]:
        send(s["request"], {"x-warren-end": s["sent"]})
        channel.basic_ack(s["tag"])
        del streams[caller]


channel.queue_declare(sys.argv[1], auto_delete=True)
channel.basic_consume("amq.rabbitmq.reply-to", came, auto_ack=True)
channel.basic_consume(sys.argv[1], requested)
print("serving", flush=True)
channel.start_consuming()
