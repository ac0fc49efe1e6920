"""Adapters: how the ports of ``tasks.ports`` reach S3, SQS, the gateway, the prover and the rest.

A stage knows ports only. An adapter translates one port to one outside program and turns its
failures into the typed errors of ``convexfx_core.errors``. No other modules below ``convexfx`` know
boto3, httpx and the like, so another store or network is another adapter. ``wiring`` chooses them.
"""
