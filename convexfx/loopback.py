"""The only interface that anything of ours listens on."""

from typing import Final

HOST: Final = "127.0.0.1"
