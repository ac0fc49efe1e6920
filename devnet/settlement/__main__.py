"""``python -m devnet.settlement``: reads the options, builds the chain and serves it.

``convexfx up`` starts it as a service of the local stack, and tests start it by themselves.
"""

import sys
from collections.abc import Sequence

from devnet.injected_faults import FaultLayer
from devnet.serve import option_parser, serve
from devnet.settlement.app import build_app
from devnet.settlement.chain import Chain, Rules
from devnet.settlement.proof import Verifier
from devnet.settlement.snapshot import attach


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the settlement layer until it is told to stop; 2 for a wrong option."""
    parser = option_parser("devnet.settlement", 9000, "Settlement layer of the devnet.")
    parser.add_argument(
        "--epoch-seconds", type=float, default=0.0, help="length of a delta epoch; 0: by hand"
    )
    parser.add_argument("--minimum-fee", type=int, default=0, metavar="PLANCKS")
    parser.add_argument(
        "--epoch-gap",
        type=int,
        default=1_440,
        help="clearing epochs that may stay without an SDL between two that have one",
    )
    parser.add_argument(
        "--verifier-command",
        default="",
        help="verifies core, compressed and gpu proofs; the fields {mode} {kind} {program_hash} "
        "{public_values_hex} and the paths {public_values} {proof} are filled in",
    )
    options = parser.parse_args(arguments)
    try:
        verifier = Verifier(options.verifier_command)
        chain = Chain(Rules(options.network, options.minimum_fee, options.epoch_gap, verifier))
        if options.state_file is not None:
            attach(options.state_file, chain)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    app = build_app(chain, options.epoch_seconds, options.fault)
    return serve("settlement", FaultLayer(app, options.fault), options.port, options.log_level)


if __name__ == "__main__":
    sys.exit(main())
