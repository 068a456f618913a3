package wire

// newTxMethod makes an empty method of the class, and nil if there is none.
func newTxMethod(id MethodID) Method {
	switch id {
	case TxSelectID:
		return new(TxSelect)
	case TxSelectOkID:
		return new(TxSelectOk)
	case TxCommitID:
		return new(TxCommit)
	case TxCommitOkID:
		return new(TxCommitOk)
	case TxRollbackID:
		return new(TxRollback)
	case TxRollbackOkID:
		return new(TxRollbackOk)
	}
	return nil
}

// TxSelect makes the channel transactional.
type TxSelect struct{}

func (*TxSelect) ID() MethodID            { return TxSelectID }
func (*TxSelect) Append(b []byte) []byte  { return appendID(b, TxSelectID) }
func (*TxSelect) Parse(args []byte) error { return parseNone(TxSelectID, args) }

// TxSelectOk answers TxSelect.
type TxSelectOk struct{}

func (*TxSelectOk) ID() MethodID            { return TxSelectOkID }
func (*TxSelectOk) Append(b []byte) []byte  { return appendID(b, TxSelectOkID) }
func (*TxSelectOk) Parse(args []byte) error { return parseNone(TxSelectOkID, args) }

// TxCommit carries out what the transaction holds.
type TxCommit struct{}

func (*TxCommit) ID() MethodID            { return TxCommitID }
func (*TxCommit) Append(b []byte) []byte  { return appendID(b, TxCommitID) }
func (*TxCommit) Parse(args []byte) error { return parseNone(TxCommitID, args) }

// TxCommitOk answers TxCommit.
type TxCommitOk struct{}

func (*TxCommitOk) ID() MethodID            { return TxCommitOkID }
func (*TxCommitOk) Append(b []byte) []byte  { return appendID(b, TxCommitOkID) }
func (*TxCommitOk) Parse(args []byte) error { return parseNone(TxCommitOkID, args) }

// TxRollback drops what the transaction holds.
type TxRollback struct{}

func (*TxRollback) ID() MethodID            { return TxRollbackID }
func (*TxRollback) Append(b []byte) []byte  { return appendID(b, TxRollbackID) }
func (*TxRollback) Parse(args []byte) error { return parseNone(TxRollbackID, args) }

// TxRollbackOk answers TxRollback.
type TxRollbackOk struct{}

func (*TxRollbackOk) ID() MethodID            { return TxRollbackOkID }
func (*TxRollbackOk) Append(b []byte) []byte  { return appendID(b, TxRollbackOkID) }
func (*TxRollbackOk) Parse(args []byte) error { return parseNone(TxRollbackOkID, args) }
