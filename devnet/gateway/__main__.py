"""``python -m devnet.gateway``: reads the options, builds the gateway's state and serves it.

``convexfx up`` starts it behind the settlement layer that ``--settlement`` names.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from devnet.gateway.app import build_app
from devnet.gateway.codec import network_id
from devnet.gateway.execution import Rules, signature_threads
from devnet.gateway.jobs import Jobs, ProverSettings
from devnet.gateway.operator import Operator, read_seed
from devnet.gateway.snapshot import Snapshot
from devnet.gateway.state import GatewayState
from devnet.gateway.upstream import Settlement
from devnet.injected_faults import FaultLayer
from devnet.serve import option_parser, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway until it is told to stop; 2 for a wrong option."""
    parser = option_parser("devnet.gateway", 3000, "Gateway of one domain of the devnet.")
    parser.add_argument("--settlement", required=True, help="URL of the settlement layer")
    parser.add_argument("--shard", type=int, required=True, help="at least 1")
    parser.add_argument("--keypair", type=Path, required=True, help="operator's key file")
    parser.add_argument("--nonce-rule", choices=("next", "larger"), default="next")
    parser.add_argument("--prover-delay", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--prover-failure", default="", metavar="MESSAGE")
    parser.add_argument("--watch-seconds", type=float, default=1.0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    if options.shard < 1:
        parser.error("--shard: expected at least 1")
    threads = signature_threads()
    try:
        operator = Operator(read_seed(options.keypair), network_id(options.network), options.shard)
        settlement = Settlement(options.settlement)
        gateway = GatewayState(
            operator, settlement, Rules(options.shard, options.nonce_rule == "next"), threads
        )
        if options.state_file is not None:
            Snapshot(options.state_file, gateway).attach()
    except (OSError, ValueError) as error:
        parser.error(str(error))
    prover = ProverSettings(options.prover_delay, options.prover_failure)
    app = build_app(gateway, Jobs(gateway, prover, options.watch_seconds), prover, options.fault)
    status = serve("gateway", FaultLayer(app, options.fault), options.port, options.log_level)
    threads.shutdown()
    return status


if __name__ == "__main__":
    sys.exit(main())
