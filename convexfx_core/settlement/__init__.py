"""From a proposal to exact amounts.

The clearing case (``clearing_input``) and the proposal on it (``proposal``) meet here: ``rates``
makes a rate of two prices, ``settle`` makes amounts of rates and payments. Everything is an integer
rule of ``docs/spec.md`` section 7, so everybody who has the proposal gets the same amounts.
"""
