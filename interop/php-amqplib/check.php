<?php
// php-amqplib against the broker at AMQP_URL.

require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPSocketConnection;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPDecimal;
use PhpAmqpLib\Wire\AMQPTable;

const CALLS = 1000;
const REPLY_TO = 'amq.rabbitmq.reply-to';

function check(string $what, bool $ok): void
{
    if (!$ok) {
        fwrite(STDERR, "wrong: $what\n");
        exit(1);
    }
}

function connect(): AMQPStreamConnection
{
    $url = parse_url(getenv('AMQP_URL'));
    return new AMQPStreamConnection($url['host'], $url['port'], $url['user'], $url['pass']);
}

/** n messages of a queue, by a consumer */
function take(AMQPChannel $ch, string $queue, int $n = 1): array
{
    $got = [];
    $tag = $ch->basic_consume($queue, '', false, false, false, false, function (AMQPMessage $m) use (&$got) {
        $m->ack();
        $got[] = $m;
    });
    while (count($got) < $n) {
        $ch->wait(null, false, 10);
    }
    $ch->basic_cancel($tag);
    return $got;
}

function topology(AMQPChannel $ch): string
{
    $ch->exchange_declare('php.events', 'topic');
    [$queue] = $ch->queue_declare('', false, false, true, false);
    $ch->queue_bind($queue, 'php.events', 'order.*.paid');
    $ch->basic_publish(new AMQPMessage('made'), 'php.events', 'order.7.made');
    $ch->basic_publish(new AMQPMessage('paid'), 'php.events', 'order.7.paid');
    [$m] = take($ch, $queue);
    check('binding', $m->body === 'paid' && $m->getRoutingKey() === 'order.7.paid' && $m->getExchange() === 'php.events');
    $ch->queue_unbind($queue, 'php.events', 'order.*.paid');
    $ch->queue_purge($queue);
    $ch->exchange_delete('php.events');
    return $queue;
}

function bodies(AMQPChannel $ch, string $queue): void
{
    foreach ([0, 1, 1 << 20, 131072 - 8, 131072 - 7] as $size) {
        $body = $size ? random_bytes($size) : '';
        $ch->basic_publish(new AMQPMessage($body), '', $queue);
        check("a body of $size bytes", take($ch, $queue)[0]->body === $body);
    }
    check('get of nothing', $ch->basic_get($queue) === null);
}

function properties(AMQPChannel $ch, string $queue): void
{
    $headers = ['yes' => true, 'no' => false, 'int' => -5, 'long' => 1 << 40, 'text' => 'häuschen', 'nothing' => null,
        'list' => [1, 'two', [3]], 'table' => ['a' => ['b' => 1]]];
    $sent = ['content_type' => 'text/plain', 'content_encoding' => 'utf-8', 'delivery_mode' => 2, 'priority' => 3,
        'correlation_id' => 'c', 'reply_to' => 'r', 'expiration' => '60000', 'message_id' => 'm',
        'timestamp' => 1700000000, 'type' => 't', 'user_id' => 'clients', 'app_id' => 'a'];
    $table = new AMQPTable($headers);
    $table->set('time', 1700000000, AMQPTable::T_TIMESTAMP);
    $typed = ['i8' => [-8, AMQPTable::T_INT_SHORTSHORT], 'u8' => [200, AMQPTable::T_INT_SHORTSHORT_U],
        'i16' => [-300, AMQPTable::T_INT_SHORT], 'u16' => [60000, AMQPTable::T_INT_SHORT_U],
        'i32' => [-70000, AMQPTable::T_INT_LONG], 'u32' => [4000000000, AMQPTable::T_INT_LONG_U],
        'i64' => [-(1 << 40), AMQPTable::T_INT_LONGLONG], 'decimal' => [new AMQPDecimal(1234, 2), AMQPTable::T_DECIMAL],
        'bytes' => ["\x00\xff", AMQPTable::T_BYTES]];
    foreach ($typed as $name => [$value, $type]) {
        $table->set($name, $value, $type);
    }
    $ch->basic_publish(new AMQPMessage('x', $sent + ['application_headers' => $table]), '', $queue);
    [$m] = take($ch, $queue);
    foreach ($sent as $name => $value) {
        check("$name", $m->get($name) == $value);
    }
    $got = $m->get('application_headers')->getNativeData();
    check('time', ($got['time'] instanceof DateTime ? $got['time']->getTimestamp() : (int)$got['time']) === 1700000000);
    unset($got['time']);
    foreach ($typed as $name => [$value]) {
        check("$name is " . json_encode($got[$name]), $got[$name] == $value);
        unset($got[$name]);
    }
    ksort($got);
    ksort($headers);
    check('headers: ' . json_encode($got), $got === $headers);
}

function redelivery(AMQPChannel $ch, string $queue): void
{
    $ch->basic_publish(new AMQPMessage('again'), '', $queue);
    $m = $ch->basic_get($queue);
    check('first', !$m->isRedelivered());
    $m->nack(true);
    $m = $ch->basic_get($queue);
    check('second', $m->isRedelivered());
    $m->reject(false);
    check('rejected', $ch->basic_get($queue) === null);
}

function confirmsAndReturns(AMQPChannel $ch, string $queue): void
{
    $acked = 0;
    $returned = null;
    $ch->confirm_select();
    $ch->set_ack_handler(function () use (&$acked) { $acked++; });
    $ch->set_nack_handler(function () { check('no nack', false); });
    $ch->set_return_listener(function ($code, $text, $exchange, $key, AMQPMessage $m) use (&$returned) {
        $returned = [$code, $text, $exchange, $key, $m->body];
    });
    for ($i = 0; $i < 100; $i++) {
        $ch->basic_publish(new AMQPMessage((string)$i), '', $queue, true);
    }
    $ch->wait_for_pending_acks_returns(10);
    check("$acked confirms", $acked === 100);
    check('order', array_map(fn($m) => (int)$m->body, take($ch, $queue, 100)) === range(0, 99));
    $ch->basic_publish(new AMQPMessage('back'), '', 'php.nowhere', true);
    $ch->wait_for_pending_acks_returns(10);
    check('return', $returned === [312, 'NO_ROUTE', '', 'php.nowhere', 'back']);
    check('confirm of a return', $acked === 101);
}

function refused(AMQPStreamConnection $connection, int $code, string $text, callable $operation): void
{
    try {
        $operation($connection->channel());
        check("$code", false);
    } catch (AMQPProtocolChannelException $e) {
        check($e->getMessage(), $e->getCode() === $code && str_contains($e->getMessage(), $text));
    }
}

function errors(AMQPStreamConnection $connection): void
{
    refused($connection, 404, "NOT_FOUND - no queue 'php.nowhere' in vhost '/'", fn($ch) => $ch->queue_declare('php.nowhere', true));
    $ch = $connection->channel();
    $ch->queue_declare('php.kept');
    refused($connection, 406, "inequivalent arg 'durable' for queue 'php.kept' in vhost '/'",
        fn($ch) => $ch->queue_declare('php.kept', false, true));
    $ch->queue_delete('php.kept');
}

function directCalls(AMQPChannel $ch, string $queue, ?callable $serve = null): void
{
    $reply = null;
    $ch->basic_consume(REPLY_TO, '', false, true, false, false, function (AMQPMessage $m) use (&$reply) { $reply = $m; });
    for ($i = 0; $i < CALLS; $i++) {
        $ch->basic_publish(new AMQPMessage((string)$i, ['reply_to' => REPLY_TO, 'correlation_id' => (string)$i]), '', $queue);
        $serve && $serve();
        for ($reply = null; !$reply;) {
            $ch->wait(null, false, 10);
        }
        check("reply $i", $reply->body === (string)(2 * $i) && $reply->get('correlation_id') === (string)$i);
    }
}

function callbackQueueCalls(AMQPChannel $ch): void
{
    [$queue] = $ch->queue_declare('', false, false, true, false);
    for ($i = 0; $i < CALLS; $i++) {
        $ch->basic_publish(new AMQPMessage((string)$i, ['reply_to' => $queue, 'correlation_id' => (string)$i]), '', 'price');
    }
    $seen = [];
    foreach (take($ch, $queue, CALLS) as $m) {
        check('reply ' . $m->body, (int)$m->body === 2 * (int)$m->get('correlation_id'));
        $seen[$m->get('correlation_id')] = true;
    }
    check('replies', count($seen) === CALLS);
}

/** A call whose handler fails. */
function failingCall(AMQPChannel $ch): void
{
    [$queue] = $ch->queue_declare('', false, false, true, false);
    $ch->basic_publish(new AMQPMessage('no number', ['reply_to' => $queue, 'correlation_id' => '7']), '', 'price');
    [$m] = take($ch, $queue);
    $headers = $m->get('application_headers')->getNativeData();
    check('failure', $m->body === '' && $m->get('correlation_id') === '7' && $headers['x-warren-error'] === 'error');
    check('text of a failure', str_contains($headers['x-warren-error-text'], 'no number'));
}

/** Answers calls of the broker's own process, then of this one. */
function serveCalls(AMQPChannel $ch): void
{
    $other = connect();
    $server = $other->channel();
    $served = 0;
    $server->queue_declare('php.double');
    $server->basic_qos(0, 100, false);
    $server->basic_consume('php.double', '', false, false, false, false, function (AMQPMessage $m) use ($server, &$served) {
        $reply = new AMQPMessage((string)(2 * (int)$m->body), ['correlation_id' => $m->get('correlation_id')]);
        $server->basic_publish($reply, '', $m->get('reply_to'));
        $m->ack();
        $served++;
    });
    [$queue] = $ch->queue_declare('', false, false, true, false);
    $ch->basic_publish(new AMQPMessage('php.double ' . CALLS, ['reply_to' => $queue]), '', 'caller');
    while ($served < CALLS) {
        $server->wait(null, false, 10);
    }
    check('calls', take($ch, $queue)[0]->body === 'ok');
    directCalls($ch, 'php.double', fn() => $server->wait(null, false, 10));
    $server->queue_delete('php.double');
    $other->close();
}

/** a wrong password and an unknown virtual host: what the client throws has the reply code */
function refusals(): void
{
    $url = parse_url(getenv('AMQP_URL'));
    foreach (['wrong' => ['/', 403], $url['pass'] => ['none', 530]] as $password => [$vhost, $code]) {
        foreach ([AMQPStreamConnection::class, AMQPSocketConnection::class] as $class) {
            $got = 'nothing';
            try {
                new $class($url['host'], $url['port'], $url['user'], $password, $vhost);
            } catch (Exception $e) {
                $got = get_class($e) . ' ' . $e->getCode() . ' ' . $e->getMessage();
                check("$code by $class: $got", $e->getCode() === $code);
            }
            check("$code by $class: $got", $got !== 'nothing');
        }
    }
}

$start = microtime(true);
refusals();
$connection = connect();
$ch = $connection->channel();
$queue = topology($ch);
bodies($ch, $queue);
properties($ch, $queue);
redelivery($ch, $queue);
confirmsAndReturns($ch, $queue);
errors($connection);
failingCall($connection->channel());
callbackQueueCalls($connection->channel());
directCalls($connection->channel(), 'price');
serveCalls($connection->channel());
$connection->close();
printf("%1\$d calls by a callback queue, %1\$d by direct reply-to, %1\$d of the broker's served, %1\$d of its own: %2\$.1f s\n",
    CALLS, microtime(true) - $start);
