"""Asks a queue and prints the stream of its answers: caller.py QUEUE BODY"""

import os
import sys

import pika

channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()


def send(queue, headers, body=b""):
    properties = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="1", headers=headers)
    channel.basic_publish("", queue, body, properties)


def came(_channel, _method, properties, body):
    headers = properties.headers or {}
    if "x-warren-item" in headers:
        print(body.decode())
        send(properties.reply_to, {"x-warren-credit": 1})  # one is used, so that one more may come
    elif "x-warren-error" in headers:
        sys.exit(headers["x-warren-error"] + ": " + headers.get("x-warren-error-text", ""))
    elif "x-warren-end" in headers:
        channel.stop_consuming()


channel.basic_consume("amq.rabbitmq.reply-to", came, auto_ack=True)
send(sys.argv[1], {"x-warren-stream": 10}, sys.argv[2].encode())  # ten may be on their way
channel.start_consuming()
