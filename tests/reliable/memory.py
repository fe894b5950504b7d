"""What a Store needs of RocksDB, in memory: for tests of handlers, which write by themselves what a commit would."""


class Local(dict[bytes, bytes]):
    def write(self, batch: object) -> None:
        raise AssertionError("only a commit of the carrier writes a batch, and there is no carrier here")
