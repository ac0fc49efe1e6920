"""Which orders may enter an epoch: rules of a row, the open book, what is carried over.

Admission is a pure function of the sealed candidates and the opening, so everybody who has both
finds the same batch. The clearing comes next.
"""
