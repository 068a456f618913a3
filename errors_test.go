package warren_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"

	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func TestReplyCodesAndTheirScope(t *testing.T) {
	for code, closesConnection := range map[uint16]bool{
		wire.CodeContentTooLarge: false, wire.CodeNoRoute: false, wire.CodeNoConsumers: false, wire.CodeAccessRefused: false,
		wire.CodeNotFound: false, wire.CodeResourceLocked: false, wire.CodePreconditionFailed: false,
		wire.CodeConnectionForced: true, wire.CodeInvalidPath: true, wire.CodeFrameError: true, wire.CodeSyntaxError: true,
		wire.CodeCommandInvalid: true, wire.CodeChannelError: true, wire.CodeUnexpectedFrame: true, wire.CodeResourceError: true,
		wire.CodeNotAllowed: true, wire.CodeNotImplemented: true, wire.CodeInternalError: true,
	} {
		require.Equal(t, closesConnection, (&warren.Error{Code: code}).ClosesConnection(), code)
	}
	require.Equal(t, []int{311, 312, 313, 320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540, 541}, []int{
		wire.CodeContentTooLarge, wire.CodeNoRoute, wire.CodeNoConsumers, wire.CodeConnectionForced, wire.CodeInvalidPath, wire.CodeAccessRefused,
		wire.CodeNotFound, wire.CodeResourceLocked, wire.CodePreconditionFailed, wire.CodeFrameError, wire.CodeSyntaxError, wire.CodeCommandInvalid,
		wire.CodeChannelError, wire.CodeUnexpectedFrame, wire.CodeResourceError, wire.CodeNotAllowed, wire.CodeNotImplemented, wire.CodeInternalError,
	})
}

func TestSentinelsMatchByReplyCode(t *testing.T) {
	sentinels := map[uint16]error{
		404: warren.ErrNotFound, 403: warren.ErrAccessRefused, 406: warren.ErrPreconditionFailed, 405: warren.ErrResourceLocked,
		530: warren.ErrNotAllowed, 312: warren.ErrNoRoute, 313: warren.ErrNoConsumers,
	}
	for code, sentinel := range sentinels {
		for other := range sentinels {
			require.Equal(t, code == other, errors.Is(&warren.Error{Code: other, Class: 50, Method: 10, Text: "x"}, sentinel))
			require.Equal(t, code == other, errors.Is(&warren.Return{Code: other}, sentinel))
			require.Equal(t, code == other, errors.Is(fmt.Errorf("wrapped: %w", &warren.Error{Code: other}), sentinel))
		}
		require.NotErrorIs(t, errors.New("x"), sentinel)
		require.NotErrorIs(t, warren.ErrClosed, sentinel)
	}
	specific := &warren.Error{Code: 404, Class: 50, Method: 10}
	require.NotErrorIs(t, &warren.Error{Code: 404, Class: 60, Method: 70}, specific, "an error of a method is no sentinel")
}

func TestErrClosedIsTheNetworksToo(t *testing.T) {
	require.ErrorIs(t, warren.ErrClosed, net.ErrClosed)
}

func TestErrorsReadWell(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclarePassive("q")
		require.EqualError(t, err, "warren: queue.declare: 404 NOT_FOUND - no queue 'q' in vhost '/'")
		err = brokertest.Send(ch, "amq.direct", "k", warren.Message{}, warren.PublishOptions{Mandatory: true})
		require.EqualError(t, err, "warren: message returned: 312 NO_ROUTE (exchange 'amq.direct', routing key 'k')")
	})
	require.EqualError(t, &warren.Error{Code: 406, Class: 60, Method: 80, Text: "T", Hint: "do this"}, "warren: basic.ack: 406 T (do this)")
	require.EqualError(t, &warren.Error{Code: 406, Text: "T"}, "warren: 406 T")
}

func TestMethodsHaveTheirNames(t *testing.T) {
	for id, name := range map[[2]uint16]string{
		{10, 40}: "connection.open", {20, 10}: "channel.open",
		{40, 10}: "exchange.declare", {40, 20}: "exchange.delete", {40, 30}: "exchange.bind", {40, 40}: "exchange.unbind",
		{50, 10}: "queue.declare", {50, 20}: "queue.bind", {50, 30}: "queue.purge", {50, 40}: "queue.delete", {50, 50}: "queue.unbind",
		{60, 10}: "basic.qos", {60, 20}: "basic.consume", {60, 30}: "basic.cancel", {60, 40}: "basic.publish", {60, 70}: "basic.get",
		{60, 80}: "basic.ack", {60, 90}: "basic.reject", {60, 120}: "basic.nack",
		{85, 10}: "confirm.select", {90, 10}: "tx.select", {90, 20}: "tx.commit", {90, 30}: "tx.rollback",
		{99, 7}: "method 99.7",
	} {
		err := &warren.Error{Code: 541, Class: id[0], Method: id[1], Text: "T"}
		require.EqualError(t, err, "warren: "+name+": 541 T")
	}
}
