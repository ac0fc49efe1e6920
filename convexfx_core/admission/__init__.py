"""Which orders may enter an epoch: rules of a row, the open book, what is carried over."""
