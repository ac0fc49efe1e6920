"""What the API knows of the chain of epochs.

The ``follower`` reads new objects from the store and writes the ``index``; routes only read it.
``order_table`` holds an epoch's orders as columns, ``id_table`` finds an order by its id,
``journal`` remembers orders that were queued and not sealed yet, ``change_signal`` wakes whoever
waits for news.
"""
