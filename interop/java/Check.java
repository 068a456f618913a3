// The Java client against the broker at AMQP_URL.

import com.rabbitmq.client.*;
import java.util.*;
import java.util.concurrent.*;

public class Check {
    static final int CALLS = 1000;
    static final String REPLY_TO = "amq.rabbitmq.reply-to";

    record Message(Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
        String text() { return new String(body); }
    }

    static void check(String what, boolean ok) {
        if (!ok) throw new IllegalStateException("wrong: " + what);
    }

    static Connection connect() throws Exception {
        var factory = new ConnectionFactory();
        factory.setUri(System.getenv("AMQP_URL"));
        factory.setVirtualHost("/"); // an URL's empty path is "" here
        return factory.newConnection();
    }

    /** A wrong password, and an unknown virtual host. */
    static void refusals() throws Exception {
        var factory = new ConnectionFactory();
        factory.setUri(System.getenv("AMQP_URL"));
        factory.setPassword("wrong");
        factory.setVirtualHost("/");
        try (Connection c = factory.newConnection()) {
            check("a wrong password logs in", false);
        } catch (AuthenticationFailureException e) {
            check(e.toString(), e.getMessage().contains("ACCESS_REFUSED"));
        }
        factory.setUri(System.getenv("AMQP_URL"));
        factory.setVirtualHost("none");
        try (Connection c = factory.newConnection()) {
            check("an unknown virtual host is opened", false);
        } catch (java.io.IOException e) {
            var close = (AMQP.Connection.Close) ((ShutdownSignalException) e.getCause()).getReason();
            check(close.toString(), close.getReplyCode() == 530);
        }
    }

    /** Consumes, and puts what comes where it can be waited for. */
    static BlockingQueue<Message> consume(Channel ch, String queue, boolean autoAck) throws Exception {
        var got = new LinkedBlockingQueue<Message>();
        ch.basicConsume(queue, autoAck, new DefaultConsumer(ch) {
            @Override
            public void handleDelivery(String tag, Envelope e, AMQP.BasicProperties p, byte[] body) throws java.io.IOException {
                if (!autoAck) ch.basicAck(e.getDeliveryTag(), false);
                got.add(new Message(e, p, body));
            }
        });
        return got;
    }

    static <T> T next(BlockingQueue<T> queue) throws Exception {
        T m = queue.poll(10, TimeUnit.SECONDS);
        check("something must come", m != null);
        return m;
    }

    static AMQP.BasicProperties request(String replyTo, int id) {
        return new AMQP.BasicProperties.Builder().replyTo(replyTo).correlationId("" + id).build();
    }

    static void model(Channel ch) throws Exception {
        ch.exchangeDeclare("java.events", "topic", false, true, null);
        String queue = ch.queueDeclare().getQueue();
        ch.queueBind(queue, "java.events", "order.*.paid");
        var got = consume(ch, queue, false);
        ch.basicPublish("java.events", "order.7.made", null, "made".getBytes());
        ch.basicPublish("java.events", "order.7.paid", null, "paid".getBytes());
        Message paid = next(got);
        check("binding", paid.text().equals("paid") && paid.envelope.getRoutingKey().equals("order.7.paid"));
        for (int size : new int[] {0, 1, 1 << 20, 131072 - 8, 131072 - 7}) {
            byte[] body = new byte[size];
            new Random(size).nextBytes(body);
            ch.basicPublish("", queue, null, body);
            check("a body of " + size + " bytes", Arrays.equals(next(got).body, body));
        }
        properties(ch, queue, got);

        ch.confirmSelect();
        for (int i = 0; i < 100; i++) ch.basicPublish("", queue, true, null, ("" + i).getBytes());
        ch.waitForConfirmsOrDie(10_000);
        for (int i = 0; i < 100; i++) check("order", next(got).text().equals("" + i));
        var returned = new LinkedBlockingQueue<String>();
        ch.addReturnListener((code, text, exchange, key, p, body) -> returned.add(code + text + key + new String(body)));
        ch.basicPublish("", "java.nowhere", true, null, "back".getBytes());
        ch.waitForConfirmsOrDie(10_000);
        check("return", next(returned).equals("312NO_ROUTEjava.nowhereback"));
    }

    static void properties(Channel ch, String queue, BlockingQueue<Message> got) throws Exception {
        Map<String, Object> headers = new HashMap<>();
        headers.put("yes", true);
        headers.put("byte", (byte) -3);
        headers.put("short", (short) -300);
        headers.put("int", -5);
        headers.put("long", 1L << 40);
        headers.put("float", 1.5f);
        headers.put("double", 2.5);
        headers.put("decimal", new java.math.BigDecimal("12.34"));
        headers.put("time", new Date(1_700_000_000_000L));
        headers.put("text", "häuschen");
        headers.put("octets", new byte[] {0, -1});
        headers.put("nothing", null);
        headers.put("list", List.of(1, 2L, List.of(true)));
        headers.put("table", Map.of("a", Map.of("b", 1)));
        var sent = new AMQP.BasicProperties("text/plain", "utf-8", headers, 2, 3, "c", "r", "60000", "m",
            new Date(1_700_000_000_000L), "t", "clients", "a", null);
        ch.basicPublish("", queue, sent, "x".getBytes());
        var p = next(got).properties;
        for (var h : headers.entrySet()) {
            Object value = p.getHeaders().get(h.getKey());
            if (value instanceof LongString) value = value.toString();
            check("header " + h + " is " + value, Objects.deepEquals(value, h.getValue()));
        }
        String rest = p.builder().headers(null).build().toString();
        check("properties " + rest, rest.equals(sent.builder().headers(null).build().toString()));
    }

    static void redelivery(Channel ch) throws Exception {
        String queue = ch.queueDeclare().getQueue();
        ch.basicPublish("", queue, null, "again".getBytes());
        GetResponse first = ch.basicGet(queue, false);
        check("first", !first.getEnvelope().isRedeliver() && first.getMessageCount() == 0);
        ch.basicNack(first.getEnvelope().getDeliveryTag(), false, true);
        GetResponse second = ch.basicGet(queue, false);
        check("second", second.getEnvelope().isRedeliver());
        ch.basicReject(second.getEnvelope().getDeliveryTag(), false);
        check("rejected", ch.basicGet(queue, true) == null);
    }

    static void refused(int code, String text, Callable<?> operation) throws Exception {
        try {
            operation.call();
        } catch (java.io.IOException e) {
            var close = (AMQP.Channel.Close) ((ShutdownSignalException) e.getCause()).getReason();
            check(close.toString(), close.getReplyCode() == code && close.getReplyText().contains(text));
            return;
        }
        check("" + code, false);
    }

    static void errors(Connection connection) throws Exception {
        refused(404, "NOT_FOUND - no queue 'java.nowhere' in vhost '/'",
            () -> connection.createChannel().queueDeclarePassive("java.nowhere"));
        connection.createChannel().queueDeclare("java.kept", false, false, true, null);
        refused(406, "inequivalent arg 'durable' for queue 'java.kept' in vhost '/'",
            () -> connection.createChannel().queueDeclare("java.kept", true, false, true, null));
        connection.createChannel().queueDelete("java.kept");
    }

    static void calls(Channel ch, String queue, String replyTo) throws Exception {
        var replies = consume(ch, replyTo, true);
        for (int i = 0; i < CALLS; i++) {
            ch.basicPublish("", queue, request(replyTo, i), ("" + i).getBytes());
            Message reply = next(replies);
            check("reply " + i, reply.text().equals("" + 2 * i) && reply.properties.getCorrelationId().equals("" + i));
        }
    }

    static void failingCall(Channel ch) throws Exception {
        String queue = ch.queueDeclare().getQueue();
        var replies = consume(ch, queue, true);
        ch.basicPublish("", "price", request(queue, 7), "no number".getBytes());
        Message reply = next(replies);
        var headers = reply.properties.getHeaders();
        check("failure", reply.body.length == 0 && reply.properties.getCorrelationId().equals("7"));
        check("failure " + headers, headers.get("x-warren-error").toString().equals("error")
            && headers.get("x-warren-error-text").toString().contains("no number"));
    }

    /** Answers calls of the broker's own process, then of this one. */
    static void serve(Channel ch) throws Exception {
        try (Connection other = connect()) {
            Channel server = other.createChannel();
            server.queueDeclare("java.double", false, false, true, null);
            server.basicQos(100);
            server.basicConsume("java.double", false, new DefaultConsumer(server) {
                @Override
                public void handleDelivery(String tag, Envelope e, AMQP.BasicProperties p, byte[] body) throws java.io.IOException {
                    var properties = new AMQP.BasicProperties.Builder().correlationId(p.getCorrelationId()).build();
                    String reply = "" + 2 * Integer.parseInt(new String(body));
                    server.basicPublish("", p.getReplyTo(), properties, reply.getBytes());
                    server.basicAck(e.getDeliveryTag(), false);
                }
            });
            String queue = ch.queueDeclare().getQueue();
            var answers = consume(ch, queue, true);
            ch.basicPublish("", "caller", request(queue, 0), ("java.double " + CALLS).getBytes());
            check("calls", next(answers).text().equals("ok"));
            calls(ch, "java.double", REPLY_TO);
        }
    }

    public static void main(String[] args) throws Exception {
        long start = System.nanoTime();
        refusals();
        try (Connection connection = connect()) {
            model(connection.createChannel());
            redelivery(connection.createChannel());
            errors(connection);
            failingCall(connection.createChannel());
            Channel ch = connection.createChannel();
            calls(ch, "price", ch.queueDeclare().getQueue());
            calls(connection.createChannel(), "price", REPLY_TO);
            serve(connection.createChannel());
        }
        System.out.printf("%1$d calls by a callback queue, %1$d by direct reply-to, %1$d of the broker's served, %1$d of its own: %2$.1f s%n",
            CALLS, (System.nanoTime() - start) / 1e9);
    }
}
