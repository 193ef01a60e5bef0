from gapless.engine.store_commands import StoreCommands

_Text = bytes | str
_Value = bytes | str | int | float | bytearray | memoryview

class StoreLists(StoreCommands):
    def list_insert(self, name: _Text, index: int, value: _Value) -> int: ...
    def list_take(self, name: _Text, index: int) -> bytes | None: ...
