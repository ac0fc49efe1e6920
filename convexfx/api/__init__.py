"""HTTP API of the executor: what wallets, pages and strangers talk to.

It takes signed orders in and puts them into the inbox queue; it reads the chain of epochs from the
object store and answers what became of them. It clears nothing and settles nothing: the flows do,
and the API could be switched off without an epoch noticing.

``chain_index`` knows the chain, ``submission`` takes orders in, ``preview`` tries one out,
``answers`` shapes what is shown, ``routes`` binds all of it to URLs, ``app`` puts it together.
"""
