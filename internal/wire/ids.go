package wire

import "fmt"

// Class ids.
const (
	ClassConnection = 10
	ClassChannel    = 20
	ClassAccess     = 30
	ClassExchange   = 40
	ClassQueue      = 50
	ClassBasic      = 60
	ClassConfirm    = 85
	ClassTx         = 90
)

// MethodID says which method a method is: the class id in the upper half, the
// method id within the class in the lower, as on the wire.
type MethodID uint32

// The methods of AMQP 0-9-1 and of RabbitMQ's extensions to it.
const (
	ConnectionStartID          MethodID = ClassConnection<<16 | 10
	ConnectionStartOkID        MethodID = ClassConnection<<16 | 11
	ConnectionSecureID         MethodID = ClassConnection<<16 | 20
	ConnectionSecureOkID       MethodID = ClassConnection<<16 | 21
	ConnectionTuneID           MethodID = ClassConnection<<16 | 30
	ConnectionTuneOkID         MethodID = ClassConnection<<16 | 31
	ConnectionOpenID           MethodID = ClassConnection<<16 | 40
	ConnectionOpenOkID         MethodID = ClassConnection<<16 | 41
	ConnectionCloseID          MethodID = ClassConnection<<16 | 50
	ConnectionCloseOkID        MethodID = ClassConnection<<16 | 51
	ConnectionBlockedID        MethodID = ClassConnection<<16 | 60
	ConnectionUnblockedID      MethodID = ClassConnection<<16 | 61
	ConnectionUpdateSecretID   MethodID = ClassConnection<<16 | 70
	ConnectionUpdateSecretOkID MethodID = ClassConnection<<16 | 71

	ChannelOpenID    MethodID = ClassChannel<<16 | 10
	ChannelOpenOkID  MethodID = ClassChannel<<16 | 11
	ChannelFlowID    MethodID = ClassChannel<<16 | 20
	ChannelFlowOkID  MethodID = ClassChannel<<16 | 21
	ChannelCloseID   MethodID = ClassChannel<<16 | 40
	ChannelCloseOkID MethodID = ClassChannel<<16 | 41

	AccessRequestID   MethodID = ClassAccess<<16 | 10
	AccessRequestOkID MethodID = ClassAccess<<16 | 11

	ExchangeDeclareID   MethodID = ClassExchange<<16 | 10
	ExchangeDeclareOkID MethodID = ClassExchange<<16 | 11
	ExchangeDeleteID    MethodID = ClassExchange<<16 | 20
	ExchangeDeleteOkID  MethodID = ClassExchange<<16 | 21
	ExchangeBindID      MethodID = ClassExchange<<16 | 30
	ExchangeBindOkID    MethodID = ClassExchange<<16 | 31
	ExchangeUnbindID    MethodID = ClassExchange<<16 | 40
	ExchangeUnbindOkID  MethodID = ClassExchange<<16 | 51 // not 41: an old oddity that all peers share

	QueueDeclareID   MethodID = ClassQueue<<16 | 10
	QueueDeclareOkID MethodID = ClassQueue<<16 | 11
	QueueBindID      MethodID = ClassQueue<<16 | 20
	QueueBindOkID    MethodID = ClassQueue<<16 | 21
	QueuePurgeID     MethodID = ClassQueue<<16 | 30
	QueuePurgeOkID   MethodID = ClassQueue<<16 | 31
	QueueDeleteID    MethodID = ClassQueue<<16 | 40
	QueueDeleteOkID  MethodID = ClassQueue<<16 | 41
	QueueUnbindID    MethodID = ClassQueue<<16 | 50
	QueueUnbindOkID  MethodID = ClassQueue<<16 | 51

	BasicQosID          MethodID = ClassBasic<<16 | 10
	BasicQosOkID        MethodID = ClassBasic<<16 | 11
	BasicConsumeID      MethodID = ClassBasic<<16 | 20
	BasicConsumeOkID    MethodID = ClassBasic<<16 | 21
	BasicCancelID       MethodID = ClassBasic<<16 | 30
	BasicCancelOkID     MethodID = ClassBasic<<16 | 31
	BasicPublishID      MethodID = ClassBasic<<16 | 40
	BasicReturnID       MethodID = ClassBasic<<16 | 50
	BasicDeliverID      MethodID = ClassBasic<<16 | 60
	BasicGetID          MethodID = ClassBasic<<16 | 70
	BasicGetOkID        MethodID = ClassBasic<<16 | 71
	BasicGetEmptyID     MethodID = ClassBasic<<16 | 72
	BasicAckID          MethodID = ClassBasic<<16 | 80
	BasicRejectID       MethodID = ClassBasic<<16 | 90
	BasicRecoverAsyncID MethodID = ClassBasic<<16 | 100
	BasicRecoverID      MethodID = ClassBasic<<16 | 110
	BasicRecoverOkID    MethodID = ClassBasic<<16 | 111
	BasicNackID         MethodID = ClassBasic<<16 | 120

	ConfirmSelectID   MethodID = ClassConfirm<<16 | 10
	ConfirmSelectOkID MethodID = ClassConfirm<<16 | 11

	TxSelectID     MethodID = ClassTx<<16 | 10
	TxSelectOkID   MethodID = ClassTx<<16 | 11
	TxCommitID     MethodID = ClassTx<<16 | 20
	TxCommitOkID   MethodID = ClassTx<<16 | 21
	TxRollbackID   MethodID = ClassTx<<16 | 30
	TxRollbackOkID MethodID = ClassTx<<16 | 31
)

// Class is the class id.
func (id MethodID) Class() uint16 { return uint16(id >> 16) }

// Method is the method id within the class.
func (id MethodID) Method() uint16 { return uint16(id) }

// HasContent reports whether a content header follows the method.
func (id MethodID) HasContent() bool {
	switch id {
	case BasicPublishID, BasicReturnID, BasicDeliverID, BasicGetOkID:
		return true
	}
	return false
}

// String is the method's name, such as "basic.publish".
func (id MethodID) String() string {
	for _, m := range methodNames {
		if m.id == id {
			return m.name
		}
	}
	return fmt.Sprintf("method %d.%d", id.Class(), id.Method())
}

// methodNames are the names that the specification uses.
var methodNames = [...]struct {
	id   MethodID
	name string
}{
	{ConnectionStartID, "connection.start"},
	{ConnectionStartOkID, "connection.start-ok"},
	{ConnectionSecureID, "connection.secure"},
	{ConnectionSecureOkID, "connection.secure-ok"},
	{ConnectionTuneID, "connection.tune"},
	{ConnectionTuneOkID, "connection.tune-ok"},
	{ConnectionOpenID, "connection.open"},
	{ConnectionOpenOkID, "connection.open-ok"},
	{ConnectionCloseID, "connection.close"},
	{ConnectionCloseOkID, "connection.close-ok"},
	{ConnectionBlockedID, "connection.blocked"},
	{ConnectionUnblockedID, "connection.unblocked"},
	{ConnectionUpdateSecretID, "connection.update-secret"},
	{ConnectionUpdateSecretOkID, "connection.update-secret-ok"},
	{ChannelOpenID, "channel.open"},
	{ChannelOpenOkID, "channel.open-ok"},
	{ChannelFlowID, "channel.flow"},
	{ChannelFlowOkID, "channel.flow-ok"},
	{ChannelCloseID, "channel.close"},
	{ChannelCloseOkID, "channel.close-ok"},
	{AccessRequestID, "access.request"},
	{AccessRequestOkID, "access.request-ok"},
	{ExchangeDeclareID, "exchange.declare"},
	{ExchangeDeclareOkID, "exchange.declare-ok"},
	{ExchangeDeleteID, "exchange.delete"},
	{ExchangeDeleteOkID, "exchange.delete-ok"},
	{ExchangeBindID, "exchange.bind"},
	{ExchangeBindOkID, "exchange.bind-ok"},
	{ExchangeUnbindID, "exchange.unbind"},
	{ExchangeUnbindOkID, "exchange.unbind-ok"},
	{QueueDeclareID, "queue.declare"},
	{QueueDeclareOkID, "queue.declare-ok"},
	{QueueBindID, "queue.bind"},
	{QueueBindOkID, "queue.bind-ok"},
	{QueuePurgeID, "queue.purge"},
	{QueuePurgeOkID, "queue.purge-ok"},
	{QueueDeleteID, "queue.delete"},
	{QueueDeleteOkID, "queue.delete-ok"},
	{QueueUnbindID, "queue.unbind"},
	{QueueUnbindOkID, "queue.unbind-ok"},
	{BasicQosID, "basic.qos"},
	{BasicQosOkID, "basic.qos-ok"},
	{BasicConsumeID, "basic.consume"},
	{BasicConsumeOkID, "basic.consume-ok"},
	{BasicCancelID, "basic.cancel"},
	{BasicCancelOkID, "basic.cancel-ok"},
	{BasicPublishID, "basic.publish"},
	{BasicReturnID, "basic.return"},
	{BasicDeliverID, "basic.deliver"},
	{BasicGetID, "basic.get"},
	{BasicGetOkID, "basic.get-ok"},
	{BasicGetEmptyID, "basic.get-empty"},
	{BasicAckID, "basic.ack"},
	{BasicRejectID, "basic.reject"},
	{BasicRecoverAsyncID, "basic.recover-async"},
	{BasicRecoverID, "basic.recover"},
	{BasicRecoverOkID, "basic.recover-ok"},
	{BasicNackID, "basic.nack"},
	{ConfirmSelectID, "confirm.select"},
	{ConfirmSelectOkID, "confirm.select-ok"},
	{TxSelectID, "tx.select"},
	{TxSelectOkID, "tx.select-ok"},
	{TxCommitID, "tx.commit"},
	{TxCommitOkID, "tx.commit-ok"},
	{TxRollbackID, "tx.rollback"},
	{TxRollbackOkID, "tx.rollback-ok"},
}
