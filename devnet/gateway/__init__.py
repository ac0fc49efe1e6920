"""Gateway of one domain: where the exchange hands in signed messages and asks for their proof.

It keeps the domain's local view of the vaults, the messages that wait, and the SDLs: batches of
messages that are proven and then sent to the settlement layer.
"""
