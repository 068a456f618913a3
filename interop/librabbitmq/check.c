/* librabbitmq (C) against the broker at AMQP_URL. */

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define CALLS 1000
#define REPLY_TO "amq.rabbitmq.reply-to"

static void fail(const char *what) {
	fprintf(stderr, "librabbitmq: %s\n", what);
	exit(1);
}

static void check(int ok, const char *what) {
	if (!ok) fail(what);
}

static amqp_bytes_t text(const char *s) { return amqp_cstring_bytes(s); }

static int same(amqp_bytes_t b, const char *s) { return b.len == strlen(s) && !memcmp(b.bytes, s, b.len); }

static void ok(amqp_connection_state_t c, const char *what) {
	check(amqp_get_rpc_reply(c).reply_type == AMQP_RESPONSE_NORMAL, what);
}

static amqp_connection_state_t dial(void) {
	struct amqp_connection_info to;
	char *url = strdup(getenv("AMQP_URL"));
	amqp_connection_state_t c = amqp_new_connection();
	amqp_socket_t *s = amqp_tcp_socket_new(c);
	check(url && !amqp_parse_url(url, &to), "AMQP_URL");
	check(s && !amqp_socket_open(s, to.host, to.port), "no connection");
	amqp_rpc_reply_t r = amqp_login(c, *to.vhost ? to.vhost : "/", 0, 131072, 30, AMQP_SASL_METHOD_PLAIN, to.user, to.password);
	check(r.reply_type == AMQP_RESPONSE_NORMAL, "login");
	free(url);
	return c;
}

static void open_channel(amqp_connection_state_t c, int n) {
	amqp_channel_open(c, n);
	ok(c, "channel.open");
}

static void hang_up(amqp_connection_state_t c) {
	amqp_connection_close(c, AMQP_REPLY_SUCCESS);
	amqp_destroy_connection(c);
}

static amqp_bytes_t declare(amqp_connection_state_t c, const char *name, int exclusive) {
	amqp_queue_declare_ok_t *q = amqp_queue_declare(c, 1, text(name), 0, 0, exclusive, 1, amqp_empty_table);
	ok(c, "queue.declare");
	return amqp_bytes_malloc_dup(q->queue);
}

static void publish(amqp_connection_state_t c, const char *exchange, amqp_bytes_t key, amqp_bytes_t body,
                    const char *reply_to, amqp_bytes_t id) {
	amqp_basic_properties_t p = {0};
	if (reply_to) {
		p._flags |= AMQP_BASIC_REPLY_TO_FLAG;
		p.reply_to = text(reply_to);
	}
	if (id.len) {
		p._flags |= AMQP_BASIC_CORRELATION_ID_FLAG;
		p.correlation_id = id;
	}
	check(amqp_basic_publish(c, 1, text(exchange), key, 0, 0, &p, body) == AMQP_STATUS_OK, "basic.publish");
}

static void consume(amqp_connection_state_t c, amqp_bytes_t queue, int no_ack) {
	amqp_basic_consume(c, 1, queue, amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
	ok(c, "basic.consume");
}

static amqp_envelope_t take(amqp_connection_state_t c) {
	amqp_envelope_t e;
	struct timeval ten = {10, 0};
	amqp_maybe_release_buffers(c);
	check(amqp_consume_message(c, &e, &ten, 0).reply_type == AMQP_RESPONSE_NORMAL, "no delivery");
	return e;
}

/* next_method waits for a method of the server that no call asked for. */
static amqp_frame_t next_method(amqp_connection_state_t c, amqp_method_number_t id) {
	amqp_frame_t f;
	struct timeval ten = {10, 0};
	check(amqp_simple_wait_frame_noblock(c, &f, &ten) == AMQP_STATUS_OK, "no frame");
	check(f.frame_type == AMQP_FRAME_METHOD && f.payload.method.id == id, "another method");
	return f;
}

static void bindings(amqp_connection_state_t c) {
	amqp_exchange_declare(c, 1, text("c.events"), text("topic"), 0, 0, 1, 0, amqp_empty_table);
	ok(c, "exchange.declare");
	amqp_bytes_t q = declare(c, "", 1);
	amqp_queue_bind(c, 1, q, text("c.events"), text("order.*.paid"), amqp_empty_table);
	ok(c, "queue.bind");
	publish(c, "c.events", text("order.7.made"), text("made"), NULL, amqp_empty_bytes);
	publish(c, "c.events", text("order.7.paid"), text("paid"), NULL, amqp_empty_bytes);
	consume(c, q, 0);
	amqp_envelope_t e = take(c);
	check(same(e.message.body, "paid") && same(e.routing_key, "order.7.paid") && same(e.exchange, "c.events"), "binding");
	check(!amqp_basic_ack(c, 1, e.delivery_tag, 0), "basic.ack");
	amqp_destroy_envelope(&e);
	size_t sizes[] = {0, 1, 1 << 20, 131072 - 8, 131072 - 7};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		amqp_bytes_t body = amqp_bytes_malloc(sizes[i] ? sizes[i] : 1);
		body.len = sizes[i];
		memset(body.bytes, 'x', sizes[i]);
		publish(c, "", q, body, NULL, amqp_empty_bytes);
		e = take(c);
		check(e.message.body.len == sizes[i] && !memcmp(e.message.body.bytes, body.bytes, sizes[i]), "a body");
		check(!amqp_basic_ack(c, 1, e.delivery_tag, 0), "basic.ack");
		amqp_destroy_envelope(&e);
		amqp_bytes_free(body);
	}
	publish(c, "", q, text("again"), NULL, amqp_empty_bytes);
	e = take(c);
	check(!e.redelivered && !amqp_basic_nack(c, 1, e.delivery_tag, 0, 1), "basic.nack");
	amqp_destroy_envelope(&e);
	e = take(c);
	check(e.redelivered && same(e.message.body, "again"), "a redelivery");
	check(!amqp_basic_reject(c, 1, e.delivery_tag, 0), "basic.reject");
	amqp_destroy_envelope(&e);
	amqp_bytes_free(q);
}

/* headers sends every type of field that the client has, and wants it back. */
static void headers(amqp_connection_state_t c) {
	amqp_field_value_t list[2] = {{.kind = AMQP_FIELD_KIND_I32, .value.i32 = -7}, {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text("two")}};
	amqp_table_entry_t inner[] = {{text("a"), {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}}};
	amqp_table_entry_t all[] = {
	    {text("bool"), {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}},
	    {text("i8"), {.kind = AMQP_FIELD_KIND_I8, .value.i8 = -8}},
	    {text("u8"), {.kind = AMQP_FIELD_KIND_U8, .value.u8 = 200}},
	    {text("i16"), {.kind = AMQP_FIELD_KIND_I16, .value.i16 = -16000}},
	    {text("u16"), {.kind = AMQP_FIELD_KIND_U16, .value.u16 = 60000}},
	    {text("i32"), {.kind = AMQP_FIELD_KIND_I32, .value.i32 = -2000000000}},
	    {text("u32"), {.kind = AMQP_FIELD_KIND_U32, .value.u32 = 4000000000u}},
	    {text("i64"), {.kind = AMQP_FIELD_KIND_I64, .value.i64 = -(1LL << 60)}},
	    {text("f32"), {.kind = AMQP_FIELD_KIND_F32, .value.f32 = 1.5f}},
	    {text("f64"), {.kind = AMQP_FIELD_KIND_F64, .value.f64 = -2.25}},
	    {text("decimal"), {.kind = AMQP_FIELD_KIND_DECIMAL, .value.decimal = {2, 314}}},
	    {text("utf8"), {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text("house")}},
	    {text("bytes"), {.kind = AMQP_FIELD_KIND_BYTES, .value.bytes = {3, "\0\1\2"}}},
	    {text("time"), {.kind = AMQP_FIELD_KIND_TIMESTAMP, .value.u64 = 1700000000}},
	    {text("nothing"), {.kind = AMQP_FIELD_KIND_VOID}},
	    {text("list"), {.kind = AMQP_FIELD_KIND_ARRAY, .value.array = {2, list}}},
	    {text("table"), {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {1, inner}}},
	};
	amqp_basic_properties_t p = {._flags = AMQP_BASIC_HEADERS_FLAG, .headers = {sizeof all / sizeof *all, all}};
	amqp_bytes_t q = declare(c, "", 1);
	consume(c, q, 1);
	check(!amqp_basic_publish(c, 1, amqp_empty_bytes, q, 0, 0, &p, text("x")), "basic.publish");
	amqp_envelope_t e = take(c);
	amqp_table_t got = e.message.properties.headers;
	check(got.num_entries == p.headers.num_entries, "how many headers");
	for (int i = 0; i < got.num_entries; i++) {
		char sent[256], back[256];
		amqp_table_t one = {1, &all[i]}, other = {1, NULL};
		for (int j = 0; j < got.num_entries; j++)
			if (same(got.entries[j].key, all[i].key.bytes)) other.entries = &got.entries[j];
		amqp_bytes_t sb = {sizeof sent, sent}, bb = {sizeof back, back};
		size_t s = 0, b = 0;
		check(other.entries && !amqp_encode_table(sb, &one, &s) && !amqp_encode_table(bb, &other, &b), "a header");
		check(s == b && !memcmp(sent, back, s), all[i].key.bytes);
	}
	amqp_destroy_envelope(&e);
	amqp_bytes_free(q);
}

static void confirms_and_returns(void) {
	amqp_connection_state_t c = dial();
	open_channel(c, 1);
	amqp_confirm_select(c, 1);
	ok(c, "confirm.select");
	check(!amqp_basic_publish(c, 1, amqp_empty_bytes, text("c.nowhere"), 1, 0, NULL, text("back")), "basic.publish");
	amqp_frame_t f = next_method(c, AMQP_BASIC_RETURN_METHOD);
	amqp_basic_return_t *r = f.payload.method.decoded;
	check(r->reply_code == 312 && same(r->reply_text, "NO_ROUTE"), "basic.return");
	amqp_message_t m;
	check(amqp_read_message(c, 1, &m, 0).reply_type == AMQP_RESPONSE_NORMAL && same(m.body, "back"), "what came back");
	amqp_destroy_message(&m);
	f = next_method(c, AMQP_BASIC_ACK_METHOD);
	check(((amqp_basic_ack_t *)f.payload.method.decoded)->delivery_tag == 1, "the confirm after the return");
	amqp_bytes_t q = declare(c, "", 1);
	for (int i = 0; i < 100; i++) publish(c, "", q, text("x"), NULL, amqp_empty_bytes);
	for (uint64_t last = 1; last < 101;) {
		f = next_method(c, AMQP_BASIC_ACK_METHOD);
		amqp_basic_ack_t *a = f.payload.method.decoded;
		check(a->delivery_tag > last, "the order of confirms");
		last = a->delivery_tag;
	}
	amqp_bytes_free(q);
	hang_up(c);
}

static void errors(void) {
	amqp_connection_state_t c = dial();
	open_channel(c, 1);
	amqp_queue_declare(c, 1, text("c.nowhere"), 1, 0, 0, 0, amqp_empty_table);
	amqp_rpc_reply_t r = amqp_get_rpc_reply(c);
	check(r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && r.reply.id == AMQP_CHANNEL_CLOSE_METHOD, "an error");
	amqp_channel_close_t *closed = r.reply.decoded;
	check(closed->reply_code == 404 && same(closed->reply_text, "NOT_FOUND - no queue 'c.nowhere' in vhost '/'"), "its text");
	amqp_channel_close_ok_t answer;
	check(!amqp_send_method(c, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer), "channel.close-ok");
	open_channel(c, 2);
	hang_up(c);
}

/* serve_one answers the next request with the double of its number. */
static void serve_one(amqp_connection_state_t server) {
	char reply[24];
	amqp_envelope_t e = take(server);
	amqp_basic_properties_t *p = &e.message.properties;
	snprintf(reply, sizeof reply, "%d", 2 * (int)strtol(strndupa(e.message.body.bytes, e.message.body.len), NULL, 10));
	amqp_basic_properties_t q = {._flags = AMQP_BASIC_CORRELATION_ID_FLAG, .correlation_id = p->correlation_id};
	check(!amqp_basic_publish(server, 1, amqp_empty_bytes, p->reply_to, 0, 0, &q, text(reply)), "a reply");
	check(!amqp_basic_ack(server, 1, e.delivery_tag, 0), "basic.ack");
	amqp_destroy_envelope(&e);
}

/* calls sends requests one by one; replies come to a queue or to the
 * pseudo-queue. If server is not NULL, it answers them. */
static void calls(amqp_connection_state_t c, const char *name, const char *replies, amqp_connection_state_t server) {
	consume(c, text(replies), 1);
	for (int i = 0; i < CALLS; i++) {
		char n[24], twice[24];
		snprintf(n, sizeof n, "%d", i);
		snprintf(twice, sizeof twice, "%d", 2 * i);
		publish(c, "", text(name), text(n), replies, text(n));
		if (server) serve_one(server);
		amqp_envelope_t e = take(c);
		check(same(e.message.body, twice) && same(e.message.properties.correlation_id, n), "a reply");
		amqp_destroy_envelope(&e);
	}
}

/* failing_call is one whose handler fails. */
static void failing_call(void) {
	amqp_connection_state_t c = dial();
	open_channel(c, 1);
	amqp_bytes_free(declare(c, "c.failed", 1));
	consume(c, text("c.failed"), 1);
	publish(c, "", text("price"), text("no number"), "c.failed", text("7"));
	amqp_envelope_t e = take(c);
	amqp_basic_properties_t *p = &e.message.properties;
	check(e.message.body.len == 0 && same(p->correlation_id, "7"), "the reply of a failure");
	int failed = 0;
	for (int i = 0; i < p->headers.num_entries; i++) {
		amqp_table_entry_t *h = &p->headers.entries[i];
		if (same(h->key, "x-warren-error")) failed = h->value.kind == AMQP_FIELD_KIND_UTF8 && same(h->value.value.bytes, "error");
	}
	check(failed, "the failure in the headers");
	amqp_destroy_envelope(&e);
	hang_up(c);
}

static void rpc(void) {
	amqp_connection_state_t c = dial();
	open_channel(c, 1);
	amqp_bytes_free(declare(c, "c.callback", 1));
	calls(c, "price", "c.callback", NULL);
	hang_up(c);
	c = dial();
	open_channel(c, 1);
	calls(c, "price", REPLY_TO, NULL);

	amqp_connection_state_t server = dial();
	open_channel(server, 1);
	amqp_bytes_free(declare(server, "c.double", 0));
	consume(server, text("c.double"), 0);
	publish(c, "", text("caller"), text("c.double 1000"), REPLY_TO, text("calls"));
	for (int i = 0; i < CALLS; i++) serve_one(server);
	amqp_envelope_t e = take(c);
	check(same(e.message.body, "ok"), "the calls of the broker's process");
	amqp_destroy_envelope(&e);
	hang_up(c);
	c = dial();
	open_channel(c, 1);
	calls(c, "c.double", REPLY_TO, server);
	hang_up(c);
	hang_up(server);
}

int main(void) {
	amqp_connection_state_t c = dial();
	open_channel(c, 1);
	bindings(c);
	hang_up(c);
	c = dial();
	open_channel(c, 1);
	headers(c);
	hang_up(c);
	confirms_and_returns();
	errors();
	failing_call();
	rpc();
	printf("%1$d calls by a callback queue, %1$d by direct reply-to, %1$d of the broker's served, %1$d of its own\n", CALLS);
	return 0;
}
