"""The last used tables of orders, bounded by their rows."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from convexfx.api.chain_index.order_table import OrderTable


class TableCache:
    """Tables by epoch; thread-safe.

    Parameters
    ----------
    load : reads a table that is not here.
    rows_max : rows that are kept; the last used table is kept whatever its size.
    """

    def __init__(self, load: Callable[[int], OrderTable], rows_max: int) -> None:
        self._load = load
        self._rows_max = rows_max
        self._tables: OrderedDict[int, OrderTable] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        """Rows in memory."""
        return sum(len(table) for table in self._tables.values())

    def get(self, epoch: int) -> OrderTable:
        """The table of an epoch, from memory or read."""
        with self._lock:
            found = self._tables.get(epoch)
            if found is not None:
                self._tables.move_to_end(epoch)
                return found
        return self.put(self._load(epoch))

    def put(self, table: OrderTable) -> OrderTable:
        """Keep a table; the table."""
        with self._lock:
            self._tables[table.epoch] = table
            self._tables.move_to_end(table.epoch)
            while len(self._tables) > 1 and self.rows > self._rows_max:
                self._tables.popitem(last=False)
        return table
