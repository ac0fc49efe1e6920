"""The local stack: starts, checks and stops the processes that one machine needs.

``convexfx up`` runs the whole exchange without an account anywhere: a stand-in for S3 and SQS, a
Prefect server, the devnet, the API. ``exchange`` declares what there is, ``service`` what a part
is, ``supervisor`` starts the parts in order and leaves nothing behind, ``session`` shows it.
"""
